"""Trains a variational autoencoder (Kingma & Welling, 2014, arXiv 1312.6114), dense or convolutional.

    accelerate launch training/train_vae.py --config training/recipes/cvae-acdc-64.yaml

Every key of the recipe can be overridden (`--epochs 3`); `--resume` goes on, `--init_from MODEL` fine-tunes.
With an `adversarial_weight` reconstructions and samples also face a discriminator, as in the VAE/GAN of Larsen et al.
(2016, arXiv 1512.09300).
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat

from common.recipe import Momentum, OptimizerName, Recipe, Share, check_keywords, parse_recipe, stop_at_dry_run


class VAERecipe(Recipe):
    """Hyperparameters of a variational autoencoder; `network` has the network's own keywords."""

    family: Literal["vae", "cvae"] = "cvae"
    network: dict = {}
    reconstruction: Literal["bce", "mse"] = "bce"  # summed over the pixels
    pyramid_weight: NonNegativeFloat = 0.0  # of the Laplacian pyramid's mean difference, times the number of pixels
    kl_weight: NonNegativeFloat = 1.0  # β of Higgins et al. (2017); with mse twice the variance of the decoder's noise
    kl_warmup_epochs: NonNegativeInt = 0  # in which β rises linearly from 0
    adversarial_weight: NonNegativeFloat = 0.0  # its gradient at the last layer, as a share of the reconstruction's
    discriminator: dict = {}  # keywords of a DCGANDiscriminator
    discriminator_learning_rate: PositiveFloat = 2e-4  # with the optimiser and the betas of the autoencoder
    real_label: Share = 1.0  # 0.9 is one-sided label smoothing
    temperature: PositiveFloat = 1.0  # what the normal latents of samples, not of training, are multiplied by
    kid_samples: Annotated[int, Field(ge=2)] = 500  # of a validation with an adversarial_weight
    optimizer: OptimizerName = "adam"
    learning_rate: PositiveFloat = 1e-3
    adam_beta1: Momentum = 0.9
    adam_beta2: Momentum = 0.999


if __name__ == "__main__":
    stop_at_dry_run(VAERecipe)  # what follows takes seconds to import

import torch
import torch.nn.functional as F
from diffusers import ModelMixin

import zoo
import zoo.hub.datasets
import zoo.models
from common.data import ImageTensors, augment, check_enough, check_fits, pixel_spacing, split_of, to_network
from common.errors import settings_of, told_in_one_line, try_out
from common.gan_losses import adaptive_weight, discriminator_loss, generator_loss
from common.losses import kl_to_standard_normal, pyramid_loss
from common.optimizers import build_optimizer
from common.run import Run
from common.samples import draw_samples
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.families import FAMILIES
from zoo.metrics.extractors import EfficientNetLite0Extractor, extract
from zoo.metrics.functional import kid, ssim
from zoo.models import DCGANDiscriminator
from zoo.pipelines import VAEPipeline


def reconstruction_loss(logits: torch.Tensor, images: torch.Tensor, recipe: VAERecipe) -> torch.Tensor:
    """How far decoded images are from the given ones, `(batch_size,)`, summed over the pixels.

    Args:
        logits (`torch.Tensor` of shape `(batch_size, channels, height, width)`): Of intensities in [0, 1].
        images (`torch.Tensor` of the same shape): In [-1, 1].
        recipe (`VAERecipe`): Has `reconstruction` and `pyramid_weight`.
    """
    logits, targets = logits.float(), images / 2 + 0.5
    if recipe.reconstruction == "bce":
        loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").flatten(1).sum(1)
    else:
        loss = (logits.sigmoid() - targets).square().flatten(1).sum(1)
    if recipe.pyramid_weight:
        loss = loss + recipe.pyramid_weight * images[0].numel() * pyramid_loss(logits.sigmoid(), targets)
    return loss


@torch.no_grad()
def validate(network: ModelMixin, data: ImageTensors, device, recipe: VAERecipe) -> dict[str, float]:
    """The loss over all validation images, with the same noise at every call, and how alike their projections are."""
    noise = torch.randn(len(data), network.config.latent_dim, generator=torch.Generator().manual_seed(0))
    rows = []
    for part in torch.arange(len(data)).split(64):
        images = to_network(data.images[part]).to(device)
        logits, mean, logvar = network(images, noise[part].to(device), return_dict=False)
        kl, targets, projections = kl_to_standard_normal(mean, logvar), images / 2 + 0.5, network.decode(mean) / 2 + 0.5
        loss = reconstruction_loss(logits, images, recipe) + recipe.kl_weight * kl
        error = (projections - targets).square().flatten(1).mean(1)
        rows.append(torch.stack([loss, kl, error, ssim(projections, targets)]))
    values = torch.cat(rows, dim=1).mean(1).tolist()
    return dict(zip(("validation_loss", "validation_kl", "validation_mse", "validation_ssim"), values, strict=True))


def build_network(recipe: VAERecipe, source: str, data: ImageTensors) -> ModelMixin:
    """A new network, or that of `init_from`.

    Raises:
        ZooError: If the recipe (its file is `source`) does not suit the network, or `init_from` the recipe.
    """
    channels, size = data.images.shape[1:3]
    cls = getattr(zoo.models, FAMILIES[recipe.family].generator)
    keywords = check_keywords(recipe.network, cls, "network", source, taken=("sample_size", "channels"))
    if not recipe.init_from:
        try:
            return cls(size, channels, **keywords)
        except ValueError as error:
            raise ZooError(f"{source}: key 'network': {error}") from error
    pipe = zoo.from_pretrained(recipe.init_from)
    if pipe.family != recipe.family:
        raise ZooError(f"{recipe.init_from}: is of family {pipe.family}, the recipe of {recipe.family}")
    check_fits(pipe, recipe.init_from, data)
    return pipe.vae


def last_weight(network: ModelMixin) -> torch.Tensor:
    """The weight of the decoder's last layer."""
    return [weight for weight in network.decoder.parameters() if weight.ndim > 1][-1]


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(VAERecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    taken = ("sample_size", "in_channels")
    judged_by = check_keywords(recipe.discriminator, DCGANDiscriminator, "discriminator", switches.config, taken=taken)
    run = Run(recipe, switches.resume, switches.from_state)
    train_split = split_of(built, "train")
    train, validation = ImageTensors(train_split, {}), ImageTensors(split_of(built, "validation"), {})
    if recipe.adversarial_weight:
        check_enough(validation, "the KID of samples")
    run.describe_dataset(built)

    # Networks, optimisers
    with settings_of(switches.config):
        network = build_network(recipe, switches.config, train).to(memory_format=torch.channels_last)  # faster on a CPU
        try_out(network, to_network(train.images[:1]), torch.zeros(1, network.config.latent_dim))
    latent_dim, betas = network.config.latent_dim, (recipe.adam_beta1, recipe.adam_beta2)
    optimizer = build_optimizer(recipe.optimizer, network.parameters(), recipe.learning_rate, betas)
    loader = run.loader(train)
    network, optimizer, loader = run.prepare(network, optimizer, loader)
    if recipe.adversarial_weight:
        channels, size = train.images.shape[1:3]
        with settings_of(switches.config):
            discriminator = DCGANDiscriminator(size, channels, **judged_by).to(memory_format=torch.channels_last)
            try_out(discriminator, to_network(train.images[:1]))
        d_optimizer = build_optimizer(
            recipe.optimizer, discriminator.parameters(), recipe.discriminator_learning_rate, betas
        )
        discriminator, d_optimizer = run.prepare(discriminator, d_optimizer)
        extractor = EfficientNetLite0Extractor()
        real_features = extract(extractor, validation.images)
    scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(network)
    run.start(scheduler)

    def averaged_network() -> ModelMixin:
        return run.averaged(network, ema).to(memory_format=torch.contiguous_format)

    def build_pipeline() -> VAEPipeline:
        settings = {"default_temperature": recipe.temperature, "pixel_spacing_mm": pixel_spacing(train_split)}
        return VAEPipeline(averaged_network(), recipe.family, **settings)

    def evaluate() -> dict[str, float]:
        figures = validate(averaged_network(), validation, run.device, recipe)
        if recipe.adversarial_weight:
            samples = draw_samples(build_pipeline(), recipe.kid_samples)
            figures["validation_kid"] = kid(extract(extractor, samples), real_features)
        return figures

    def kl_weight() -> float:
        warmup = recipe.kl_warmup_epochs
        return recipe.kl_weight * min(1.0, run.fractional_epoch / warmup if warmup else 1.0)

    def judged(judge: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Scores of images, `(b,)`, in float32."""
        with run.accelerator.autocast():
            return judge(images).float()

    for _ in run.epochs():
        network.train()
        for batch in run.batches(loader):
            with run.accelerator.accumulate(network):
                images = augment(to_network(batch["image"]), recipe, run.draw)  # (b, c, h, w) in [-1, 1]
                noise = run.draw.randn(len(images), latent_dim, device=run.device)
                with run.accelerator.autocast():
                    logits, mean, logvar = network(images, noise, return_dict=False)
                    if recipe.adversarial_weight:  # reconstructions and samples: (2b, c, h, w) in [-1, 1]
                        prior = run.draw.randn(*noise.shape, device=run.device)
                        drawn = run.accelerator.unwrap_model(network).decode(prior)
                        fake = torch.cat([2 * logits.sigmoid() - 1, drawn])
                kl = kl_to_standard_normal(mean.float(), logvar.float()).mean()
                reconstruction = reconstruction_loss(logits, images, recipe).mean()
                loss = reconstruction + kl_weight() * kl

                # Autoencoder: its images up, through a discriminator that learns nothing here
                if recipe.adversarial_weight:
                    judge = run.accelerator.unwrap_model(discriminator).requires_grad_(False)
                    g_loss = generator_loss("non_saturating", judged(judge, fake))
                    last = last_weight(run.accelerator.unwrap_model(network))
                    weight = adaptive_weight(reconstruction, g_loss, last, run.mean)
                    loss = loss + recipe.adversarial_weight * weight * g_loss
                    judge.requires_grad_(True)
                run.accelerator.backward(loss)
                run.update(network, optimizer)

                # Discriminator: real images up, decoded ones down
                if recipe.adversarial_weight:
                    on_real, on_fake = judged(discriminator, images), judged(discriminator, fake.detach())
                    d_loss = discriminator_loss("non_saturating", on_real, on_fake, recipe.real_label)
                    run.accelerator.backward(d_loss)
                    run.update(discriminator, d_optimizer)
                    run.log(g_loss=g_loss, d_loss=d_loss, score_real=on_real.mean(), score_fake=on_fake.mean())
            if run.accelerator.sync_gradients:
                scheduler.step()
                ema.step(run.accelerator.unwrap_model(network).parameters())
            rate = scheduler.get_last_lr()[0]
            run.log(loss=loss, reconstruction=reconstruction, kl=kl, learning_rate=rate)
        decide = "validation_kid" if recipe.adversarial_weight else "validation_loss"
        run.end_epoch(build_pipeline, evaluate, decide=decide)


if __name__ == "__main__":
    with told_in_one_line():
        main()
