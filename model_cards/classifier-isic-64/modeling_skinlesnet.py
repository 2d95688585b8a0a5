"""SkinLesNet: a classifier of four convolutions and two linear layers (Azeem et al., 2023, Cancers 16(1):108)."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


class SkinLesNet(ModelMixin, ConfigMixin):
    """Convolutions of 3×3, each with ReLU and a halving of the map, then two linear layers.

    It may answer several questions at once, such as pathology and slice level: the last layer has scores for all.

    Parameters:
        conditions (`list[str]`): What is asked, for instance `["pathology", "slice_level"]`.
        class_names (`dict[str, list[str]]`): Names of the classes of each condition, in the order of their indices.
        sample_size (`int`, defaults to 64): Height and width of the images; a multiple of 2 to the power of the number
            of convolutions.
        in_channels (`int`, defaults to 1): Channels of the images; 1 is grey, 3 is colour.
        block_out_channels (`list[int]`): Channels of each convolution.
        hidden_features (`int`, defaults to 128): Width of the first linear layer.
        dropout (`float`, defaults to 0.5): Dropout before each linear layer.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel of the training images in millimetres.

    Raises:
        ValueError: If `sample_size` cannot be halved often enough.
    """

    family = "classifier"

    @register_to_config
    def __init__(
        self,
        conditions: list[str],
        class_names: dict[str, list[str]],
        sample_size: int = 64,
        in_channels: int = 1,
        block_out_channels: list[int] = (32, 64, 128, 256),
        hidden_features: int = 128,
        dropout: float = 0.5,
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        factor = 2 ** len(block_out_channels)
        if sample_size % factor:
            raise ValueError(f"sample_size: expected a multiple of {factor}, got {sample_size}")
        layers = []
        for before, after in zip((in_channels, *block_out_channels), block_out_channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        flat = block_out_channels[-1] * (sample_size // factor) ** 2
        self.hidden = nn.Sequential(nn.Dropout(dropout), nn.Linear(flat, hidden_features), nn.ReLU())
        num_classes = sum(len(class_names[name]) for name in conditions)
        self.scores = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden_features, num_classes))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the last layer judges by: `(batch_size, hidden_features)`."""
        return self.hidden(self.convolutions(images))

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores the classes.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            `dict[str, torch.Tensor]`: By condition, logits of shape `(batch_size, num_classes)`.
        """
        sizes = [len(self.config.class_names[name]) for name in self.config.conditions]
        return dict(zip(self.config.conditions, self.scores(self.features(images)).split(sizes, dim=1), strict=True))
