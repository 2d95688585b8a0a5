"""Feature networks trained on ImageNet."""

import importlib.util

import pytest
import torch
from torch import nn

from zoo.errors import ZooError
from zoo.pipelines.style_transfer import transfer
from zoo.style.networks import pretrained_network, vgg19_network

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


def vgg19_features(divisor: int = 16) -> nn.Sequential:
    """The convolutional part of VGG19 as torchvision builds it, with random weights and fewer channels."""
    layers, width = [], 3
    for channels, count in BLOCKS:
        for _ in range(count):
            layers += [nn.Conv2d(width, channels // divisor, 3, padding=1), nn.ReLU(inplace=True)]
            width = channels // divisor
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def test_vgg19_is_seen_at_the_layers_of_the_study():
    torch.manual_seed(0)
    features = vgg19_features()
    network = vgg19_network(features)
    assert network.style_taps == (1, 6, 11, 20, 29)  # the ReLU behind conv1_1, conv2_1, … of torchvision's numbering
    assert network.content_taps == (31,) and len(network.layers) == 32
    images = torch.rand(2, 1, 32, 32)
    style, content = network(images)
    assert [tuple(maps.shape[1:]) for maps in style] == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4), (32, 2, 2)]
    prepared = (images.repeat(1, 3, 1, 1) - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225]
    )[:, None, None]
    torch.testing.assert_close(style[4], features[:30](prepared))
    torch.testing.assert_close(content[0], features[:32](prepared))


def test_styling_works_through_vgg19():
    torch.manual_seed(0)
    network = vgg19_network(vgg19_features().requires_grad_(False))
    content, style = torch.full((1, 1, 32, 32), 0.5), torch.rand(1, 1, 32, 32)
    settings = {"style_weight": 1.0, "content_weight": 0.0, "learning_rate": 0.05, "num_iterations": 15}
    with torch.no_grad():
        grams = network.grams(style)
    found = transfer(network, content, grams, **settings)
    assert found.style_losses[-1] < 0.5 * found.style_losses[0]


def test_vgg19_without_torchvision_says_what_to_install():
    if importlib.util.find_spec("torchvision"):
        pytest.skip("torchvision is installed")
    with pytest.raises(
        ZooError, match=r"vgg19: torchvision is not installed, run `pip install cardiac-mri-zoo\[style\]`"
    ):
        pretrained_network("vgg19")


def test_unknown_names_are_refused():
    with pytest.raises(ZooError, match="expected cvae-encoder, efficientnet-lite0 or vgg19, got 'vgg16'"):
        pretrained_network("vgg16")


def test_efficientnet_tells_styles_apart():
    network = pretrained_network("efficientnet-lite0")
    assert pretrained_network("efficientnet-lite0") is network  # loaded once
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, 1, 64, 64, generator=generator)
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    grams = [matrices.flatten(1) for matrices in network.grams(torch.cat([noise, ramp]))]
    assert [matrices.shape[1] for matrices in grams] == [32**2, 16**2, 24**2, 40**2]
    for matrices in grams:
        distances = torch.cdist(matrices, matrices)
        assert distances[0, 1:3].max() < 0.5 * distances[0, 3]  # noise is like noise, not like a ramp
