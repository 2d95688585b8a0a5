"""A family as a method's author would add it: one file with its two networks, which knows nothing of the project."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


class ToyGenerator(ModelMixin, ConfigMixin):
    """A dense layer that draws a few coarse pixels, enlarged."""

    @register_to_config
    def __init__(self, sample_size: int = 64, out_channels: int = 1, latent_dim: int = 16, coarse: int = 8):
        super().__init__()
        self.dense = nn.Linear(latent_dim, out_channels * coarse**2)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        config = self.config
        coarse = self.dense(latents).unflatten(1, (config.out_channels, config.coarse, config.coarse))
        return nn.functional.interpolate(coarse.tanh(), size=(config.sample_size, config.sample_size), mode="bilinear")


class ToyDiscriminator(ModelMixin, ConfigMixin):
    """A dense layer over coarse pixels."""

    @register_to_config
    def __init__(self, sample_size: int = 64, in_channels: int = 1, coarse: int = 8):
        super().__init__()
        self.dense = nn.Linear(in_channels * coarse**2, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        coarse = nn.functional.adaptive_avg_pool2d(images, self.config.coarse)
        return self.dense(coarse.flatten(1)).flatten()
