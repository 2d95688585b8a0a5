"""Inception v3 as FID is defined with: the network of 2015-12-05, its weights converted from TensorFlow.

Szegedy et al., 2015, arXiv 1512.00567. The layers' names are those of the weights file. Three things differ from the
network of that paper's later ports and are part of FID: averages that do not count the padding, a maximum instead of an
average in the last block, and TensorFlow 1's resize.
"""

import os
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from zoo.errors import ZooError
from zoo.files import sha256
from zoo.metrics.extractors.base import FID_SHA256, FeatureExtractor

SIZE = 299
FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
VARIABLE = "ZOO_INCEPTION_WEIGHTS"


class ConvNorm(nn.Module):
    """Convolution, normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size, stride: int = 1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


def _average(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _maximum(x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(x, 3, 1, 1)


def _halve(x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(x, 3, 2)


class Mixed(nn.Module):
    """Paths side by side, their channels joined.

    Args:
        in_channels (`int`): Channels in.
        paths: Each a sequence of steps that follow each other. A step is a pooling function, a layer
            `(name, channels, kernel size)`, a layer of stride 2 `(name, channels, kernel size, 2)`, or a list of
            layers that all see the same input. Strides of 1 keep the size, those of 2 use no padding.
    """

    def __init__(self, in_channels: int, *paths):
        super().__init__()
        self.paths = [[self._step(step) for step in path] for path in paths]
        for path in paths:
            channels = in_channels
            for step in path:
                if callable(step):
                    continue
                layers = step if isinstance(step, list) else [step]
                for name, out_channels, kernel_size, *stride in layers:
                    height, width = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
                    padding = 0 if stride else (height // 2, width // 2)
                    self.add_module(name, ConvNorm(channels, out_channels, (height, width), *stride or (1,), padding))
                channels = sum(layer[1] for layer in layers)

    @staticmethod
    def _step(step):
        """A pooling function, or the names of layers."""
        return step if callable(step) else [layer[0] for layer in (step if isinstance(step, list) else [step])]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = []
        for path in self.paths:
            y = x
            for step in path:
                y = step(y) if callable(step) else torch.cat([self.get_submodule(name)(y) for name in step], 1)
            outputs.append(y)
        return torch.cat(outputs, 1)


def _mixed_35(in_channels: int, pooled: int) -> Mixed:
    """At 35x35 (figure 5 of the paper)."""
    return Mixed(
        in_channels,
        [("branch1x1", 64, 1)],
        [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)],
        [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)],
        [_average, ("branch_pool", pooled, 1)],
    )


def _mixed_17(width: int) -> Mixed:
    """At 17x17, with convolutions of 7x7 in two steps (figure 6)."""
    return Mixed(
        768,
        [("branch1x1", 192, 1)],
        [("branch7x7_1", width, 1), ("branch7x7_2", width, (1, 7)), ("branch7x7_3", 192, (7, 1))],
        [
            ("branch7x7dbl_1", width, 1),
            ("branch7x7dbl_2", width, (7, 1)),
            ("branch7x7dbl_3", width, (1, 7)),
            ("branch7x7dbl_4", width, (7, 1)),
            ("branch7x7dbl_5", 192, (1, 7)),
        ],
        [_average, ("branch_pool", 192, 1)],
    )


def _mixed_8(in_channels: int, pool) -> Mixed:
    """At 8x8, with forks (figure 7)."""
    return Mixed(
        in_channels,
        [("branch1x1", 320, 1)],
        [("branch3x3_1", 384, 1), [("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))]],
        [
            ("branch3x3dbl_1", 448, 1),
            ("branch3x3dbl_2", 384, 3),
            [("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))],
        ],
        [pool, ("branch_pool", 192, 1)],
    )


class InceptionV3(nn.Module):
    """The network: `(n, 3, 299, 299)` in [-1, 1] to 2,048 features before the classifier of 1,008 outputs."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, 3)
        self.Mixed_5b = _mixed_35(192, 32)
        self.Mixed_5c = _mixed_35(256, 64)
        self.Mixed_5d = _mixed_35(288, 64)
        self.Mixed_6a = Mixed(
            288,
            [("branch3x3", 384, 3, 2)],
            [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3, 2)],
            [_halve],
        )
        self.Mixed_6b = _mixed_17(128)
        self.Mixed_6c = _mixed_17(160)
        self.Mixed_6d = _mixed_17(160)
        self.Mixed_6e = _mixed_17(192)
        self.Mixed_7a = Mixed(
            768,
            [("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, 2)],
            [
                ("branch7x7x3_1", 192, 1),
                ("branch7x7x3_2", 192, (1, 7)),
                ("branch7x7x3_3", 192, (7, 1)),
                ("branch7x7x3_4", 192, 3, 2),
            ],
            [_halve],
        )
        self.Mixed_7b = _mixed_8(1280, _average)
        self.Mixed_7c = _mixed_8(2048, _maximum)
        self.fc = nn.Linear(2048, 1008)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        x = _halve(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = _halve(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        return x.mean((2, 3))


def resize_like_tensorflow_1(images: torch.Tensor, size: int) -> torch.Tensor:
    """Bilinear resize of `(…, height, width)` by TensorFlow 1's rule: pixel `i` comes from place `i · in / out`.

    Corners are not aligned and half pixels not counted, which shifts the image up and left when it is enlarged.
    """
    rows, columns = (_interpolation(side, size, like=images) for side in images.shape[-2:])
    return rows @ images @ columns.T


def _interpolation(side: int, size: int, like: torch.Tensor) -> torch.Tensor:
    """`(size, side)`: each row holds the weights of the two pixels that it lies between."""
    place = torch.arange(size, dtype=torch.float64) * side / size
    low = place.floor().long()
    matrix = torch.zeros(size, side, dtype=torch.float64)
    matrix[torch.arange(size), low] = 1 - (place - low)
    matrix[torch.arange(size), (low + 1).clamp(max=side - 1)] += place - low
    return matrix.to(like)


def find_weights(file: str | os.PathLike | None = None) -> Path:
    """A file of weights, the one that `ZOO_INCEPTION_WEIGHTS` names, or else the one in torch's cache, downloaded if it
    is not there.

    Raises:
        ZooError: If it cannot be downloaded, or is not the file that FID is defined with.
    """
    named = file or os.environ.get(VARIABLE)
    path = Path(named) if named else Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if not named and not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(URL, str(path), hash_prefix=FID_SHA256, progress=False)
        except (OSError, RuntimeError) as error:
            raise ZooError(
                f"extractor inception_v3: {URL} could not be downloaded ({error}); "
                f"put it into {path.parent}, or name another place in {VARIABLE}"
            ) from error
    if not path.is_file() or sha256(path) != FID_SHA256:
        raise ZooError(f"{path}: expected the Inception weights with SHA-256 {FID_SHA256}")
    return path


class InceptionV3Extractor(FeatureExtractor):
    """The 2,048 averaged activations before the classifier; a Fréchet distance of these is the customary FID.

    Args:
        weights (path, *optional*): Their file, as in `find_weights`.

    Raises:
        ZooError: If the weights are absent and cannot be downloaded, or are other ones.
    """

    name = "inception_v3"
    preprocessing = "8 bit, bilinear to 299x299 as TensorFlow 1 does, grey repeated to 3 channels, (255 x - 128) / 128"
    dimensions = 2048

    def __init__(self, weights: str | os.PathLike | None = None):
        network = InceptionV3()
        # Of the pickle nothing but tensors is accepted, and only from the file with the known hash.
        network.load_state_dict(torch.load(find_weights(weights), map_location="cpu", weights_only=True))
        self.sha256 = FID_SHA256
        self.network = network.eval().requires_grad_(False)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        pixels = (255 * images.float()).round().expand(-1, 3, -1, -1)
        return self.network.features((resize_like_tensorflow_1(pixels, SIZE) - 128) / 128)

    def probabilities(self, features: torch.Tensor) -> torch.Tensor:
        return (features.float() @ self.network.fc.weight.T).softmax(1)  # without its bias, as the score is defined
