"""The first stages of EfficientNet-Lite0 (Tan & Le, 2019, arXiv 1905.11946), as a feature network beside a model."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn
from torch.nn import functional as F

# blocks, kernel size, stride of the first block, expansion, channels in, channels out
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as in TensorFlow: ⌈size / stride⌉ pixels come out, odd padding goes to the end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before_after = []
        for size in (x.shape[-1], x.shape[-2]):
            outputs = -(-size // self.stride[0])
            total = max((outputs - 1) * self.stride[0] + self.kernel_size[0] - size, 0)
            before_after += [total // 2, total - total // 2]
        left, right, top, bottom = before_after
        if left == right and top == bottom:
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), 1, self.groups)
        return F.conv2d(F.pad(x, before_after), self.weight, self.bias, self.stride, 0, 1, self.groups)


def batch_norm(channels: int, fused: bool = False) -> nn.Module:
    """The normalisation behind a convolution; nothing where it is folded into the convolution."""
    return nn.Identity() if fused else nn.BatchNorm2d(channels, eps=1e-3)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; added to the input where shapes agree. Names are the file's.

    Args:
        in_channels (`int`): Of the input.
        out_channels (`int`): Of the output.
        kernel_size (`int`): Of the filter.
        stride (`int`): Of the filter.
        expansion (`int`): Channels of the filter ÷ `in_channels`.
        fused (`bool`): Whether the normalisations are folded into the convolutions.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int, fused: bool = False
    ):
        super().__init__()
        hidden = in_channels * expansion
        self.has_skip = stride == 1 and in_channels == out_channels
        if expansion != 1:
            self._expand_conv = SameConv2d(in_channels, hidden, 1, bias=fused)
            self._bn0 = batch_norm(hidden, fused)
        self._depthwise_conv = SameConv2d(hidden, hidden, kernel_size, stride, groups=hidden, bias=fused)
        self._bn1 = batch_norm(hidden, fused)
        self._project_conv = SameConv2d(hidden, out_channels, 1, bias=fused)
        self._bn2 = batch_norm(out_channels, fused)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        if hasattr(self, "_expand_conv"):
            y = F.relu6(self._bn0(self._expand_conv(y)))
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.has_skip else y


def residual_blocks(fused: bool = False) -> list[InvertedResidual]:
    """All blocks of the network, in their order."""
    return [
        InvertedResidual(out if i else inp, out, kernel_size, 1 if i else stride, expansion, fused)
        for blocks, kernel_size, stride, expansion, inp, out in STAGES
        for i in range(blocks)
    ]


class EfficientNetLiteStages(ModelMixin, ConfigMixin):
    """The stem and the first blocks, normalisations folded in, so that a published model needs no other weights.

    Parameters:
        num_blocks (`int`, defaults to 5): How many of the 16 blocks; five are three stages.
    """

    @register_to_config
    def __init__(self, num_blocks: int = 5):
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, 2)
        self._blocks = nn.ModuleList(residual_blocks(fused=True)[:num_blocks])

    @property
    def layers(self) -> list[nn.Module]:
        """What is run one after the other: the stem, its ReLU6, and the blocks."""
        return [self._conv_stem, nn.ReLU6(), *self._blocks]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features `(n, channels, height / 8, width / 8)` of images `(n, 3, height, width)` in about [-1, 1]."""
        for layer in self.layers:
            images = layer(images)
        return images
