"""Feature networks trained on ImageNet."""

import importlib.util

import pytest
import torch
from safetensors.torch import save_file

from zoo.errors import ZooError
from zoo.pipelines.style_transfer import transfer
from zoo.style import networks
from zoo.style.networks import load_vgg19, pretrained_network, vgg19_features, vgg19_network

WIDTHS = (4, 8, 16, 32, 32)  # a sixteenth of VGG19's


def test_vgg19_is_seen_at_the_layers_of_the_study():
    torch.manual_seed(0)
    features = vgg19_features(WIDTHS)
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
    network = vgg19_network(vgg19_features(WIDTHS).requires_grad_(False))
    content, style = torch.full((1, 1, 32, 32), 0.5), torch.rand(1, 1, 32, 32)
    settings = {"style_weight": 1.0, "content_weight": 0.0, "learning_rate": 0.05, "num_iterations": 15}
    with torch.no_grad():
        grams = network.grams(style)
    found = transfer(network, content, grams, **settings)
    assert found.style_losses[-1] < 0.5 * found.style_losses[0]


def test_vgg19_without_weights_says_where_to_get_them(monkeypatch):
    if importlib.util.find_spec("torchvision"):
        pytest.skip("torchvision is installed")
    monkeypatch.delenv("ZOO_VGG19", raising=False)
    with pytest.raises(ZooError, match=r"vgg19: no weights; name a safetensors file .* in ZOO_VGG19, or run `pip "):
        pretrained_network("vgg19")


def test_vgg19_may_come_from_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(networks, "vgg19_features", lambda: vgg19_features(WIDTHS))
    torch.manual_seed(0)
    weights = {f"features.{name}": weight for name, weight in vgg19_features(WIDTHS).state_dict().items()}
    save_file(weights | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "vgg19.safetensors")
    loaded = load_vgg19(tmp_path / "vgg19.safetensors").state_dict()
    assert all(torch.equal(loaded[name.removeprefix("features.")], weight) for name, weight in weights.items())
    for content, message in ((None, "cannot read the weights of VGG19"), ({}, "expected torchvision's VGG19")):
        file = tmp_path / "bad.safetensors"
        file.write_bytes(b"nothing") if content is None else save_file(content, file)
        with pytest.raises(ZooError, match=f"bad.safetensors: {message}"):
            load_vgg19(file)


def test_vgg19_has_the_shapes_of_torchvisions():
    shapes = {name: tuple(weight.shape) for name, weight in vgg19_features().state_dict().items()}
    assert shapes["0.weight"] == (64, 3, 3, 3) and shapes["28.weight"] == (512, 512, 3, 3) and len(shapes) == 32
    assert sum(weight.numel() for weight in vgg19_features().parameters()) == 20_024_384  # as torchvision says


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
