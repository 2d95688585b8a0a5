"""Images as the latents of an autoencoder, encoded once before the training starts."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL

from common.data import ImageTensors, augment, to_network
from zoo.errors import ZooError


class LatentTensors(ImageTensors):
    """One split of a built dataset as latents: an item's `image` is `(copies, channels, height, width)` float32.

    Args:
        images (`ImageTensors`): The split.
        autoencoder (`AutoencoderKL`): What encodes it, to the mean; its config is to hold the scale of the latents.
        recipe: What `augment` needs; `None` for one copy as it is.
        copies (`int`): Differently augmented versions of each image.
        seed (`int`): Of the augmentation.
    """

    def __init__(self, images: ImageTensors, autoencoder: AutoencoderKL, recipe=None, copies: int = 1, seed: int = 0):
        means = encode(images, autoencoder, recipe, copies, seed)
        self.images = (means - autoencoder.config.shift_factor) * autoencoder.config.scaling_factor
        self.labels = images.labels


@torch.no_grad()
def encode(images: ImageTensors, autoencoder: AutoencoderKL, recipe, copies: int, seed: int) -> torch.Tensor:
    """Unscaled latents `(n, copies, channels, height, width)` on the CPU; for the arguments see `LatentTensors`."""
    versions = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(copies):
            parts = (to_network(part) for part in images.images.split(64))
            parts = (part if recipe is None else augment(part, recipe) for part in parts)
            means = [autoencoder.encode(part.to(autoencoder.device)).latent_dist.mean.cpu() for part in parts]
            versions.append(torch.cat(means))
    return torch.stack(versions, dim=1)


def load_autoencoder(folder: str, data: ImageTensors) -> AutoencoderKL:
    """The autoencoder that `train_autoencoder.py` left in a folder, scaled for the latents of a training set.

    Its config gets `shift_factor` and `scaling_factor`, which make the latents of the training images mean 0 and
    variance 1 (Rombach et al., 2022, arXiv 2112.10752, section D.1).

    Raises:
        ZooError: If there is none, or it does not fit the images.
    """
    where = Path(folder) / "autoencoder"
    if not where.is_dir():
        raise ZooError(f"{where}: not found, expected what train_autoencoder.py leaves in its run's pipeline/")
    autoencoder = AutoencoderKL.from_pretrained(where, use_safetensors=True).eval().requires_grad_(False)
    channels, size = data.images.shape[1:3]
    if autoencoder.config.in_channels != channels:
        raise ZooError(f"{where}: expected {channels} channels as in the dataset, got {autoencoder.config.in_channels}")
    if size % (factor := 2 ** (len(autoencoder.config.block_out_channels) - 1)):
        raise ZooError(f"{where}: shrinks images by {factor}, the dataset's {size} pixels are no multiple of it")
    means = encode(data, autoencoder, None, 1, 0)
    autoencoder.register_to_config(shift_factor=means.mean().item(), scaling_factor=1 / means.std().item())
    return autoencoder
