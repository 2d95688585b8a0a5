"""A U-Net that finds the structures of the heart (Ronneberger et al., 2015, arXiv 1505.04597)."""

from itertools import pairwise

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SemanticSegmenterOutput


def _double_convolution(in_channels: int, out_channels: int, norm_num_groups: int) -> nn.Sequential:
    """Two 3×3 convolutions, each with group normalisation, which unlike BatchNorm ignores the rest of the batch."""
    layers = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
            nn.GroupNorm(norm_num_groups, out_channels),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class UNetSegmenterConfig(PreTrainedConfig):
    """What a [`UNetSegmenter`] is built of.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the images; a multiple of 2 to the power of the number
            of resolutions less one.
        in_channels (`int`, defaults to 1): Channels of the images; 1 is grey.
        class_names (`list[str]`): Names of the labels, in the order of their numbers in a mask; 0 is the background.
        block_out_channels (`list[int]`): Channels of each resolution, from the image's own to the coarsest.
        norm_num_groups (`int`, defaults to 8): Groups of the group normalisation.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel of the training images in millimetres.
    """

    model_type = "unet-segmenter"

    def __init__(
        self,
        sample_size: int = 64,
        in_channels: int = 1,
        class_names: list[str] = ("background", "RV", "myocardium", "LV"),
        block_out_channels: list[int] = (16, 32, 64, 128),
        norm_num_groups: int = 8,
        pixel_spacing_mm: float | None = None,
        **kwargs,
    ):
        self.sample_size, self.in_channels, self.pixel_spacing_mm = sample_size, in_channels, pixel_spacing_mm
        self.class_names, self.block_out_channels = list(class_names), list(block_out_channels)
        self.norm_num_groups = norm_num_groups
        labels = dict(enumerate(self.class_names))
        super().__init__(**(kwargs | {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}))


class UNetSegmenter(PreTrainedModel):
    """Gives each pixel a score for each structure: convolutions down to a coarse map and up again, with skips.

    Args:
        config ([`UNetSegmenterConfig`]): What it is built of.

    Raises:
        ValueError: If `sample_size` cannot be halved often enough.
    """

    family = "segmenter"
    config_class = UNetSegmenterConfig
    main_input_name = "pixel_values"

    def __init__(self, config: UNetSegmenterConfig):
        super().__init__(config)
        sample_size, in_channels, class_names = config.sample_size, config.in_channels, config.class_names
        block_out_channels, norm_num_groups = config.block_out_channels, config.norm_num_groups
        if sample_size % 2 ** (len(block_out_channels) - 1):
            factor = 2 ** (len(block_out_channels) - 1)
            raise ValueError(f"sample_size: expected a multiple of {factor}, got {sample_size}")
        channels = list(block_out_channels)
        wider = list(pairwise(channels))
        self.down = nn.ModuleList(
            _double_convolution(before, after, norm_num_groups)
            for before, after in [(in_channels, channels[0]), *wider]
        )
        self.pool = nn.MaxPool2d(2)
        self.widen = nn.ModuleList(nn.ConvTranspose2d(deep, fine, 2, stride=2) for fine, deep in reversed(wider))
        self.up = nn.ModuleList(_double_convolution(2 * fine, fine, norm_num_groups) for fine, _ in reversed(wider))
        self.scores = nn.Conv2d(channels[0], len(class_names), 1)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """The layers' own initial weights stay."""

    def _encode(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The maps of each resolution, from the image's own to the coarsest."""
        maps = [self.down[0](images)]
        for block in self.down[1:]:
            maps.append(block(self.pool(maps[-1])))
        return maps

    def forward(self, pixel_values: torch.Tensor, return_dict: bool = True) -> SemanticSegmenterOutput | tuple:
        """Scores the labels of each pixel.

        Args:
            pixel_values (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].
            return_dict (`bool`): Whether to return a `SemanticSegmenterOutput` or a tuple.

        Returns:
            `SemanticSegmenterOutput` whose `logits` have the shape `(batch_size, num_classes, sample_size,
            sample_size)`, or a tuple of them.
        """
        *skips, x = self._encode(pixel_values)
        for widen, block, skip in zip(self.widen, self.up, reversed(skips), strict=True):
            x = block(torch.cat([skip, widen(x)], dim=1))
        logits = self.scores(x)
        return SemanticSegmenterOutput(logits=logits) if return_dict else (logits,)

    @torch.no_grad()
    def segment(self, images: torch.Tensor) -> torch.Tensor:
        """Labels of images.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            `torch.Tensor` of shape `(batch_size, sample_size, sample_size)`: uint8, numbers of `class_names`.
        """
        return self(images).logits.argmax(1).to(torch.uint8)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """The encoder's coarsest map, averaged over its positions: `(batch_size, block_out_channels[-1])`."""
        return self._encode(images)[-1].mean((2, 3))
