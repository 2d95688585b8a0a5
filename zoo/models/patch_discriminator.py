"""A discriminator that judges patches of an image (Isola et al., 2017, arXiv 1611.07004, section 3.2)."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(ModelMixin, ConfigMixin):
    """Strided convolutions with spectral normalisation (Miyato et al., 2018) that give one score a patch.

    Parameters:
        in_channels (`int`, defaults to 1): Channels of the image.
        block_out_channels (`list[int]`): Channels of the convolutions, each of which halves the map. Three of them see
            patches of 38 pixels a side.
    """

    @register_to_config
    def __init__(self, in_channels: int = 1, block_out_channels: list[int] = (32, 64, 128)):
        super().__init__()
        layers, width = [], in_channels
        for next_width in block_out_channels:
            layers += [spectral_norm(nn.Conv2d(width, next_width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
            width = next_width
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, 3, padding=1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores the patches of images.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, height, width)`): In [-1, 1].

        Returns:
            `torch.Tensor` of shape `(batch_size, 1, rows, columns)`: Scores, high for patches held to be real.
        """
        return self.layers(images)
