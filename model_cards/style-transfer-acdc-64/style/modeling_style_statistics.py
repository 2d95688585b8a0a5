"""A style without an image: Gram matrices of feature maps, averaged over many images (Gatys et al., 2016)."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


class StyleStatistics(ModelMixin, ConfigMixin):
    """Holds a Gram matrix for each style map of a feature network.

    Averaged over the images of many patients, it shows none of them, and can be published where an image cannot.

    Parameters:
        channels (`list[int]`): Channels of each style map.
    """

    @register_to_config
    def __init__(self, channels: list[int] = (1,)):
        super().__init__()
        matrices = [torch.zeros(1, count, count) for count in channels]
        self.grams = nn.ParameterList(nn.Parameter(matrix, requires_grad=False) for matrix in matrices)

    def forward(self) -> list[torch.Tensor]:
        """The Gram matrices, `(1, channels, channels)` each."""
        return list(self.grams)
