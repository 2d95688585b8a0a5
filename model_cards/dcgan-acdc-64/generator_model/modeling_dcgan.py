"""DCGAN: a generator and a discriminator of strided convolutions (Radford et al., 2016, arXiv 1511.06434)."""

import math

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


def _num_doublings(sample_size: int) -> int:
    """How often a 4×4 map is doubled to reach `sample_size`."""
    doublings = int(math.log2(sample_size / 4)) if sample_size >= 8 else 0
    if doublings < 1 or 4 * 2**doublings != sample_size:
        raise ValueError(f"sample_size: expected a power of two of at least 8, got {sample_size}")
    return doublings


def _initialise(module: nn.Module) -> None:
    """Normal weights of standard deviation 0.02, as in section 4 of the paper."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class DCGANGenerator(ModelMixin, ConfigMixin):
    """Maps a normal latent to an image by fractionally strided convolutions with BatchNorm and ReLU, tanh at the end.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image; a power of two of at least 8.
        out_channels (`int`, defaults to 1): Channels of the image; 1 is grey, 3 is colour.
        latent_dim (`int`, defaults to 100): Length of the latent vector, drawn from a standard normal distribution.
        base_channels (`int`, defaults to 64): Channels of the last hidden layer; each earlier layer has twice as many.

    Raises:
        ValueError: If `sample_size` is no power of two of at least 8.
    """

    @register_to_config
    def __init__(self, sample_size: int = 64, out_channels: int = 1, latent_dim: int = 100, base_channels: int = 64):
        super().__init__()
        channels = base_channels * 2 ** (_num_doublings(sample_size) - 1)
        layers = [nn.ConvTranspose2d(latent_dim, channels, 4, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
        while channels > base_channels:
            layers += [
                nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(channels // 2),
                nn.ReLU(),
            ]
            channels //= 2
        layers += [nn.ConvTranspose2d(channels, out_channels, 4, stride=2, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Generates images.

        Args:
            latents (`torch.Tensor` of shape `(batch_size, latent_dim)`): Standard normal vectors.

        Returns:
            `torch.Tensor` of shape `(batch_size, out_channels, sample_size, sample_size)` in [-1, 1].
        """
        return self.layers(latents[:, :, None, None])


class DCGANDiscriminator(ModelMixin, ConfigMixin):
    """Scores an image by strided convolutions with BatchNorm (not in the first layer) and LeakyReLU of slope 0.2.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image; a power of two of at least 8.
        in_channels (`int`, defaults to 1): Channels of the image.
        base_channels (`int`, defaults to 64): Channels of the first layer; each later layer has twice as many.

    Raises:
        ValueError: If `sample_size` is no power of two of at least 8.
    """

    @register_to_config
    def __init__(self, sample_size: int = 64, in_channels: int = 1, base_channels: int = 64):
        super().__init__()
        layers = [nn.Conv2d(in_channels, base_channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        channels = base_channels
        for _ in range(_num_doublings(sample_size) - 1):
            layers += [
                nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(2 * channels),
                nn.LeakyReLU(0.2),
            ]
            channels *= 2
        layers += [nn.Conv2d(channels, 1, 4)]
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores images.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            `torch.Tensor` of shape `(batch_size,)`: Logits, high for images held to be real.
        """
        return self.layers(images).flatten()
