"""Networks trained on ImageNet, as feature networks of style transfer."""

import os
from functools import lru_cache, partial

import torch
from torch import nn

from zoo.errors import ZooError
from zoo.metrics.extractors.efficientnet_lite import EfficientNetLite0Extractor
from zoo.models import EfficientNetLiteStages
from zoo.pipelines.pipeline_style_transfer import EFFICIENTNET, StyleTransferPipeline
from zoo.pipelines.style_transfer import FeatureNetwork, stages_network

VGG19_FILE = "ZOO_VGG19"  # environment variable that names a file of weights
VGG19_WIDTHS, VGG19_CONVOLUTIONS = (64, 128, 256, 512, 512), (2, 2, 4, 4, 4)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def vgg19_network(features: nn.Sequential) -> FeatureNetwork:
    """VGG19 (Simonyan & Zisserman, 2015, arXiv 1409.1556): style of conv1 of each block, content of conv2 of the last.

    Args:
        features (`nn.Sequential`): The convolutional part, in the order of torchvision's `vgg19().features`. The maps
            are taken behind each convolution's ReLU, which works in place there.
    """

    def prepare(images: torch.Tensor) -> torch.Tensor:
        mean, std = (images.new_tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        return (images.expand(-1, 3, -1, -1) - mean) / std

    convolutions = [index for index, layer in enumerate(features) if isinstance(layer, nn.Conv2d)]
    pools = [-1, *(index for index, layer in enumerate(features) if isinstance(layer, nn.MaxPool2d))]
    first_of_blocks = [index for index in convolutions if index - 1 in pools]
    second_of_last = convolutions[convolutions.index(first_of_blocks[-1]) + 1]
    return FeatureNetwork(features, [index + 1 for index in first_of_blocks], [second_of_last + 1], prepare)


def efficientnet_lite0_stages() -> EfficientNetLiteStages:
    """The first layers of EfficientNet-Lite0 with ImageNet weights.

    Raises:
        ZooError: If the weights are absent.
    """
    stages, whole = EfficientNetLiteStages(), EfficientNetLite0Extractor().network.state_dict()
    stages.load_state_dict({name: whole[name] for name in stages.state_dict()})
    return stages.eval().requires_grad_(False)


def vgg19_features(widths: tuple[int, ...] = VGG19_WIDTHS) -> nn.Sequential:
    """The convolutional part of VGG19 in torchvision's order and under its names, with random weights.

    Args:
        widths (`tuple[int, …]`): Channels of the five blocks.
    """
    layers, before = [], 3
    for width, count in zip(widths, VGG19_CONVOLUTIONS, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
            before = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def load_vgg19(file: str | os.PathLike) -> nn.Sequential:
    """VGG19's convolutional part with weights of a safetensors file under torchvision's names, `features.0.weight` …

    Raises:
        ZooError: If the file cannot be read or holds other weights.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ZooError(f"{file}: cannot read the weights of VGG19 ({error}); expected safetensors") from error
    features = vgg19_features()
    own = {name.removeprefix("features."): weight for name, weight in found.items() if name.startswith("features.")}
    try:
        features.load_state_dict(own)
    except RuntimeError as error:
        raise ZooError(f"{file}: expected torchvision's VGG19 (features.0.weight …): no such weights") from error
    return features


def _vgg19() -> FeatureNetwork:
    """VGG19 with ImageNet weights, of the file that `ZOO_VGG19` names or of torchvision."""
    if file := os.environ.get(VGG19_FILE):
        return vgg19_network(load_vgg19(file))
    try:
        from torchvision.models import VGG19_Weights, vgg19
    except ImportError as error:
        raise ZooError(
            f"feature network vgg19: no weights; name a safetensors file of torchvision's VGG19, such as that of "
            f"timm/vgg19.tv_in1k on the Hub, in {VGG19_FILE}, or run `pip install cardiac-mri-zoo[style]`"
        ) from error
    return vgg19_network(vgg19(weights=VGG19_Weights.IMAGENET1K_V1).features)


NETWORKS = {EFFICIENTNET: lambda: stages_network(efficientnet_lite0_stages()), "vgg19": _vgg19}


@lru_cache(maxsize=4)
def pretrained_network(name: str, device: str | torch.device = "cpu") -> FeatureNetwork:
    """A feature network by its name, kept for the next call.

    Args:
        name (`str`): `"efficientnet-lite0"`, whose weights a package brings; or `"vgg19"`, whose weights the file has
            that `ZOO_VGG19` names, or torchvision downloads.
        device: Where it runs.

    Raises:
        ZooError: If the name is unknown or the weights are absent.
    """
    if name not in NETWORKS:
        raise ZooError(f"feature network: expected cvae-encoder, {' or '.join(NETWORKS)}, got {name!r}")
    network = NETWORKS[name]()
    for layer in network.layers:
        layer.to(device).eval().requires_grad_(False)
    return network


def hand_in(pipe: StyleTransferPipeline) -> StyleTransferPipeline:
    """Lets a pipeline compare images in every one of these networks, each loaded when it is first used."""
    pipe.feature_networks = {name: partial(pretrained_network, name) for name in NETWORKS}
    return pipe
