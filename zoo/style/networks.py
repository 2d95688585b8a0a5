"""Networks trained on ImageNet, as feature networks of style transfer."""

from functools import lru_cache, partial

import torch
from torch import nn

from zoo.errors import ZooError
from zoo.metrics.extractors.efficientnet_lite import EfficientNetLite0Extractor
from zoo.models import EfficientNetLiteStages
from zoo.pipelines.pipeline_style_transfer import EFFICIENTNET, StyleTransferPipeline
from zoo.pipelines.style_transfer import FeatureNetwork, stages_network

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


def _torchvision_vgg19() -> FeatureNetwork:
    try:
        from torchvision.models import VGG19_Weights, vgg19
    except ImportError as error:
        raise ZooError(
            "feature network vgg19: torchvision is not installed, run `pip install cardiac-mri-zoo[style]`"
        ) from error
    return vgg19_network(vgg19(weights=VGG19_Weights.IMAGENET1K_V1).features)


NETWORKS = {EFFICIENTNET: lambda: stages_network(efficientnet_lite0_stages()), "vgg19": _torchvision_vgg19}


@lru_cache(maxsize=4)
def pretrained_network(name: str, device: str | torch.device = "cpu") -> FeatureNetwork:
    """A feature network by its name, kept for the next call.

    Args:
        name (`str`): `"efficientnet-lite0"`, whose weights a package brings; or `"vgg19"`, whose weights torchvision
            downloads.
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
