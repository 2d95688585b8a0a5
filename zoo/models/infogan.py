"""InfoGAN's discriminator, which recovers the codes of an image (Chen et al., 2016, arXiv 1606.03657)."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


def _map_sizes(sample_size: int) -> list[int]:
    """Sides of the maps from the coarsest, 4 to 7 pixels, to the image: each is half of the next, rounded down."""
    if sample_size < 8:
        raise ValueError(f"sample_size: expected at least 8, got {sample_size}")
    sizes = [sample_size]
    while sizes[0] >= 8:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def _initialise(module: nn.Module) -> None:
    """Normal weights of standard deviation 0.02, as DCGAN has them."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)


class InfoGANDiscriminator(ModelMixin, ConfigMixin):
    """Scores an image and guesses the codes it was made from: D and Q share all layers but the heads, as in section 6.

    Its generator is a `DCGANGenerator` whose latent is noise, a categorical code (one-hot) and continuous codes.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image, at least 8.
        in_channels (`int`, defaults to 1): Channels of the image.
        base_channels (`int`, defaults to 64): Channels of the first layer; each later layer has twice as many.
        categories (`int`, defaults to 10): Values of the categorical code.
        continuous_codes (`int`, defaults to 2): Number of continuous codes, uniform in [-1, 1].

    Raises:
        ValueError: If `sample_size` is below 8, or there is no code at all.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = 64,
        in_channels: int = 1,
        base_channels: int = 64,
        categories: int = 10,
        continuous_codes: int = 2,
    ):
        super().__init__()
        if categories < 1 or continuous_codes < 0:
            raise ValueError(
                f"categories: expected at least 1 of them and 0 codes, got {categories}, {continuous_codes}"
            )
        sizes, channels = _map_sizes(sample_size), base_channels
        layers = [nn.Conv2d(in_channels, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for _ in sizes[1:-1]:
            layers += [
                nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(2 * channels),
                nn.LeakyReLU(0.2),
            ]
            channels *= 2
        self.layers = nn.Sequential(*layers, nn.Flatten())
        width = channels * sizes[0] ** 2
        self.score = nn.Linear(width, 1)
        self.hidden = nn.Sequential(nn.Linear(width, 128), nn.LeakyReLU(0.2))
        self.category = nn.Linear(128, categories)
        self.codes = nn.Linear(128, continuous_codes)
        self.apply(_initialise)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scores images and guesses their codes.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            A tuple of tensors: the logits `(batch_size,)`, high for images held to be real, the logits of the category
            `(batch_size, categories)`, and the means of the continuous codes `(batch_size, continuous_codes)`.
        """
        features = self.layers(images)
        hidden = self.hidden(features)
        return self.score(features).flatten(), self.category(hidden), self.codes(hidden)
