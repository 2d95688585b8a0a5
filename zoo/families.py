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
            "dcgan",
            "A DCGAN (Radford et al., 2016): a generator of fractionally strided convolutions, trained against a "
            "discriminator; one pass of the network makes an image.",
            "training/train_gan.py",
            "DCGANGenerator",
            "DCGANDiscriminator",
        ),
        Family(
            "ddpm",
            "A denoising diffusion model (Ho et al., 2020): a U-Net that turns noise into an image in several steps.",
            "training/train_diffusion.py",
            "ConditionalUNet2DModel",
        ),
    )
}
