"""Trains `AutoencoderKL` of diffusers, the first stage of latent diffusion (Rombach et al., 2022, arXiv 2112.10752).

    accelerate launch training/train_autoencoder.py --config training/recipes/autoencoder-acdc-64.yaml

Every key of the recipe can be overridden (`--epochs 3`); `--resume` goes on, `--init_from FOLDER` fine-tunes.
"""

from pathlib import Path

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from common.recipe import Recipe, Widths, parse_recipe, stop_at_dry_run


class AutoencoderRecipe(Recipe):
    """Hyperparameters of an autoencoder; each block of channels but the last halves the image."""

    block_out_channels: Widths = [16, 32, 64]
    layers_per_block: PositiveInt = 1
    latent_channels: PositiveInt = 4
    norm_num_groups: PositiveInt = 8
    pyramid_weight: NonNegativeFloat = 1.0  # of the Laplacian pyramid's difference, beside that of the pixels
    kl_weight: NonNegativeFloat = 1e-6  # of the divergence of all latents, beside the sum over all pixels
    learning_rate: PositiveFloat = 1e-3


if __name__ == "__main__":
    stop_at_dry_run(AutoencoderRecipe)  # what follows takes seconds to import

from types import SimpleNamespace

import torch
from diffusers import AutoencoderKL
from torch import nn

import zoo.hub.datasets
from common.data import ImageTensors, augment, split_of, to_network
from common.errors import settings_of, told_in_one_line, try_out
from common.losses import kl_to_standard_normal, pyramid_loss
from common.run import Run
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.metrics.extractors import EfficientNetLite0Extractor, extract
from zoo.metrics.functional import ssim
from zoo.metrics.image_set import from_floats


class Reconstructing(nn.Module):
    """An `AutoencoderKL` whose forward pass is that of its training."""

    def __init__(self, autoencoder: AutoencoderKL):
        super().__init__()
        self.autoencoder = autoencoder

    def latent_shape(self, images: torch.Tensor) -> tuple[int, ...]:
        """Of the latents of a batch of images."""
        factor = 2 ** (len(self.autoencoder.config.block_out_channels) - 1)
        height, width = images.shape[2:]
        return len(images), self.autoencoder.config.latent_channels, height // factor, width // factor

    def forward(self, images: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Decodes a latent of each posterior, drawn by standard normal noise of the shape of the latents.

        Returns reconstructions, and the posteriors' mean and logvar.
        """
        posterior = self.autoencoder.encode(images).latent_dist
        drawn = posterior.mean + posterior.std * noise
        return self.autoencoder.decode(drawn).sample, posterior.mean, posterior.logvar


class AutoencoderFolder:
    """What a run keeps of an autoencoder: `autoencoder/` in a folder, and images above their reconstructions."""

    family = "autoencoder"

    def __init__(self, autoencoder: AutoencoderKL, images: torch.Tensor):
        self.autoencoder, self.images = autoencoder, images

    def save_pretrained(self, folder: Path) -> None:
        self.autoencoder.save_pretrained(folder / "autoencoder")

    def set_progress_bar_config(self, disable: bool) -> None:
        pass  # one pass of the network needs no bar

    def __call__(self, batch_size: int, generator, output_type: str) -> SimpleNamespace:
        shown = self.images[: batch_size // 2]
        both = torch.cat([shown, reconstruct(self.autoencoder, shown)])
        return SimpleNamespace(images=(both / 2 + 0.5).permute(0, 2, 3, 1).numpy())


def build_autoencoder(recipe: AutoencoderRecipe, data: ImageTensors) -> AutoencoderKL:
    """A new network, or that of `init_from`.

    Raises:
        ZooError: If `init_from` has none, or one for images of other channels.
    """
    channels, size = data.images.shape[1:3]
    if recipe.init_from:
        folder = Path(recipe.init_from) / "autoencoder"
        if not folder.is_dir():
            raise ZooError(f"{folder}: not found, expected the autoencoder to go on from")
        autoencoder = AutoencoderKL.from_pretrained(folder)
        if autoencoder.config.in_channels != channels:
            raise ZooError(f"{folder}: has {autoencoder.config.in_channels} channels, the dataset {channels}")
        return autoencoder
    levels = len(recipe.block_out_channels)
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        sample_size=size,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=tuple(recipe.block_out_channels),
        layers_per_block=recipe.layers_per_block,
        latent_channels=recipe.latent_channels,
        norm_num_groups=recipe.norm_num_groups,
        mid_block_add_attention=False,
    )


def reconstruction_loss(reconstructions: torch.Tensor, images: torch.Tensor, pyramid_weight: float) -> torch.Tensor:
    """Mean absolute difference of the pixels and of the Laplacian pyramids, `(batch_size,)`."""
    pixels = (reconstructions - images).abs().flatten(1).mean(1)
    return pixels + pyramid_weight * pyramid_loss(reconstructions, images)


@torch.no_grad()
def reconstruct(autoencoder: AutoencoderKL, images: torch.Tensor, batch_size: int = 64) -> torch.Tensor:
    """Images in [-1, 1], encoded to the mean and decoded, clipped to [-1, 1], on the CPU."""
    means = (autoencoder.encode(part.to(autoencoder.device)).latent_dist.mean for part in images.split(batch_size))
    return torch.cat([autoencoder.decode(mean).sample.clamp(-1, 1).cpu() for mean in means])


@torch.no_grad()
def latent_scale(autoencoder: AutoencoderKL, images: torch.Tensor) -> float:
    """What latents are multiplied by to be of unit variance (section D.1 of the paper), from some training images."""
    return 1 / autoencoder.encode(images.to(autoencoder.device)).latent_dist.mean.std().item()


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(AutoencoderRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    run = Run(recipe, switches.resume, switches.from_state)
    train = ImageTensors(split_of(built, "train"), {})
    validation = ImageTensors(split_of(built, "validation"), {})
    run.describe_dataset(built)

    # Network, optimiser
    with settings_of(switches.config):
        model = Reconstructing(build_autoencoder(recipe, train))
        example = to_network(train.images[:1])
        try_out(model, example, torch.zeros(model.latent_shape(example)))
    optimizer = torch.optim.Adam(model.parameters(), recipe.learning_rate, betas=(0.5, 0.999))
    loader = run.loader(train)
    model, optimizer, loader = run.prepare(model, optimizer, loader)
    scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(model)
    extractor, shown = EfficientNetLite0Extractor(), to_network(validation.images)
    real_features = extract(extractor, validation.images)
    run.start(scheduler)

    def averaged() -> AutoencoderKL:
        autoencoder = run.averaged(model, ema).autoencoder
        some = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:256]
        autoencoder.register_to_config(scaling_factor=latent_scale(autoencoder, to_network(train.images[some])))
        return autoencoder

    def build() -> AutoencoderFolder:
        spread = torch.linspace(0, len(shown) - 1, 8).long()
        return AutoencoderFolder(averaged(), shown[spread])

    def evaluate() -> dict[str, float]:
        images, targets = reconstruct(averaged(), shown) / 2 + 0.5, shown / 2 + 0.5
        features = extract(extractor, from_floats(images, "reconstructions"))
        return {
            "validation_feature_error": (features - real_features).square().mean().item(),
            "validation_l1": (images - targets).abs().mean().item(),
            "validation_mse": (images - targets).square().mean().item(),
            "validation_ssim": ssim(images, targets).mean().item(),
        }

    for _ in run.epochs():
        for batch in run.batches(loader):
            with run.accelerator.accumulate(model):
                images = augment(to_network(batch["image"]), recipe, run.draw)  # (b, c, h, w) in [-1, 1]
                shape = run.accelerator.unwrap_model(model).latent_shape(images)
                noise = run.draw.randn(*shape, device=run.device)  # (b, latent_channels, h/4, w/4)
                with run.accelerator.autocast():
                    reconstructions, mean, logvar = model(images, noise)  # (b, c, h, w), twice that of the noise
                reconstructions = reconstructions.float()
                error = reconstruction_loss(reconstructions, images, recipe.pyramid_weight).mean()
                kl = kl_to_standard_normal(mean.float(), logvar.float()).mean()
                loss = error + recipe.kl_weight * kl / images[0].numel()
                run.accelerator.backward(loss)
                run.update(model, optimizer)
                run.log(loss=loss, reconstruction=error, kl=kl, learning_rate=scheduler.get_last_lr()[0])
            if run.accelerator.sync_gradients:
                scheduler.step()
                ema.step(run.accelerator.unwrap_model(model).parameters())
        run.end_epoch(build, evaluate, decide="validation_feature_error")


if __name__ == "__main__":
    with told_in_one_line():
        main()
