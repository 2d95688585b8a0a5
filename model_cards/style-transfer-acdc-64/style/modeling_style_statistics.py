"""Where a style comes from: Gram matrices averaged over many images (Gatys et al., 2016), or the images themselves."""

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


class StyleImages(ModelMixin, ConfigMixin):
    """Holds images whose style is wanted, for a model that stays on one's own machine: they may be patients'.

    Parameters:
        count (`int`): How many.
        channels (`int`): 1 for grey, 3 for colour.
        sample_size (`int`): Height and width.
    """

    @register_to_config
    def __init__(self, count: int = 1, channels: int = 1, sample_size: int = 64):
        super().__init__()
        self.images = nn.Parameter(torch.zeros(count, channels, sample_size, sample_size), requires_grad=False)

    def forward(self) -> torch.Tensor:
        """The images, `(count, channels, sample_size, sample_size)` in [0, 1]."""
        return self.images
