"""The families of generators, a line each: training, cards and tables find here what they need to know of one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One kind of generator.

    Args:
        name (`str`): As it stands in recipes, in `metrics.json` and in the results table.
        description (`str`): What a card says of it: the paper it follows and how an image is made.
        script (`str`): The training script, from the project's root.
        generator (`str`): Its network, a class of `zoo.models` or diffusers.
        discriminator (`str`, *optional*): What an adversarial family is trained against, a class of `zoo.models`.
    """

    name: str
    description: str
    script: str
    generator: str
    discriminator: str | None = None


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "vae",
            "A variational autoencoder (Kingma & Welling, 2014) of dense layers; one pass of its decoder makes an "
            "image.",
            "training/train_vae.py",
            "DenseVAE",
        ),
        Family(
            "cvae",
            "A convolutional variational autoencoder (Kingma & Welling, 2014), whose decoder interpolates and "
            "convolves; one pass of the decoder makes an image.",
            "training/train_vae.py",
            "ConvolutionalVAE",
        ),
        Family(
            "dcgan",
            "A DCGAN (Radford et al., 2016): a generator of fractionally strided convolutions, trained against a "
            "discriminator; one pass of the network makes an image.",
            "training/train_gan.py",
            "DCGANGenerator",
            "DCGANDiscriminator",
        ),
        Family(
            "gan",
            "A GAN (Goodfellow et al., 2014) of dense layers: a generator trained against a discriminator; one pass of "
            "the network makes an image.",
            "training/train_gan.py",
            "GANGenerator",
            "GANDiscriminator",
        ),
        Family(
            "wgan-gp",
            "A Wasserstein GAN with gradient penalty (Gulrajani et al., 2017): DCGAN's generator, trained against a "
            "critic that estimates how far apart real and generated images are; one pass of the network makes an "
            "image.",
            "training/train_gan.py",
            "DCGANGenerator",
            "DCGANDiscriminator",
        ),
        Family(
            "acgan",
            "An ACGAN (Odena et al., 2017): a generator told the classes, trained against a discriminator that also "
            "names them; one pass of the network makes an image.",
            "training/train_gan.py",
            "ACGANGenerator",
            "ACGANDiscriminator",
        ),
        Family(
            "infogan",
            "An InfoGAN (Chen et al., 2016): a DCGAN whose latent holds codes that its discriminator must recover, so "
            "that they come to steer what can be seen; one pass of the network makes an image.",
            "training/train_gan.py",
            "DCGANGenerator",
            "InfoGANDiscriminator",
        ),
        Family(
            "ddpm",
            "A denoising diffusion model (Ho et al., 2020): a U-Net that turns noise into an image in several steps.",
            "training/train_diffusion.py",
            "ConditionalUNet2DModel",
        ),
        Family(
            "turbo",
            "A denoising diffusion model (Ho et al., 2020) made a consistency model (Song et al., 2023; Geng et al., "
            "2024): a U-Net that turns noise into an image in one to four steps.",
            "training/train_turbo.py",
            "ConditionalUNet2DModel",
        ),
        Family(
            "anatomy",
            "A denoising diffusion model (Ho et al., 2020) of label maps: a U-Net turns noise into the distances to "
            "the borders of right ventricle, epicardium and left ventricle in several steps, told classes and "
            "quantities in millimetres.",
            "training/train_anatomy.py",
            "ConditionalUNet2DModel",
        ),
        Family(
            "hearts",
            "A denoising diffusion model (Ho et al., 2020) of images on a label map, which is drawn by a second one "
            "from classes and quantities in millimetres, or given: two U-Nets turn noise into an image in several "
            "steps, one from noise to shapes and one from shapes to texture.",
            "training/train_hearts.py",
            "ConditionalUNet2DModel",
        ),
        Family(
            "ldm",
            "A latent diffusion model (Rombach et al., 2022): a U-Net turns noise into the latent of an autoencoder in "
            "several steps, and its decoder makes the image.",
            "training/train_diffusion.py",
            "ConditionalUNet2DModel",
        ),
        Family(
            "score",
            "A score model (Song et al., 2021): a U-Net that estimates the score of noisy images, which a sampler "
            "follows from noise to an image in several steps.",
            "training/train_score.py",
            "ScoreUNet2DModel",
        ),
        Family(
            "style-transfer",
            "Style transfer (Gatys et al., 2016): the pixels of an image that a convolutional variational autoencoder "
            "made are changed step by step, until feature maps vary together as those of real images do.",
            "training/make_style_transfer.py",
            "ConvolutionalVAE",
        ),
    )
}
