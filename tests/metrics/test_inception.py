"""Inception v3: the network that FID is defined with, and no FID without its weights."""

import hashlib

import pytest
import torch
from metric_fakes import Projector, smooth_images

from zoo.errors import ZooError
from zoo.metrics import InceptionV3Extractor
from zoo.metrics.distribution import distribution_row
from zoo.metrics.extractors import base, inception, load_extractor
from zoo.metrics.image_set import ImageSet

FEATURES = [0.70831, 0.11309, 3.73189, 11.57544, 0.82903, 0.39604, 1.35696, 0.0]
PROBABILITIES = [0.0011423, 0.00158836, 0.00089216, 0.00040272]


@pytest.fixture(scope="module")
def network():
    """The network with made-up weights."""
    generator = torch.Generator().manual_seed(0)
    network = inception.InceptionV3().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = torch.randn(module.weight.shape, generator=generator)
            module.weight.data *= (2 / module.weight[0].numel()) ** 0.5
        elif isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.running_mean, module.bias.data):
                values.copy_(0.1 * torch.randn(len(values), generator=generator))
            for values in (module.running_var, module.weight.data):
                values.copy_(0.5 + torch.rand(len(values), generator=generator))
    network.fc.weight.data = 0.001 * torch.randn(1008, 2048, generator=generator)
    return network


@pytest.fixture
def weights(network, tmp_path, monkeypatch):
    """A file that passes for the weights of FID; the environment names it."""
    path = tmp_path / "inception.pth"
    torch.save(network.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for module in (base, inception):
        monkeypatch.setattr(module, "FID_SHA256", digest)
    monkeypatch.setenv("ZOO_INCEPTION_WEIGHTS", str(path))
    return path


def test_the_layers_are_those_of_the_weights_file(network):
    """566 tensors in the file; 23,850,960 parameters with the classifier of 1,008 outputs."""
    assert len(network.state_dict()) == 566
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_850_960


def test_features_are_those_of_torch_fidelity(weights):
    """The numbers come from torch-fidelity 0.4.0's own network with these weights and this image."""
    extractor = load_extractor("inception_v3")
    image = (torch.arange(64)[:, None] * torch.arange(64) % 256).reshape(1, 1, 64, 64).float() / 255
    with torch.inference_mode():
        features = extractor(image)
        probabilities = extractor.probabilities(features)
    assert features.shape == (1, 2048)
    torch.testing.assert_close(features[0, 1000:2000:125], torch.tensor(FEATURES), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(probabilities[0, :1000:250], torch.tensor(PROBABILITIES), rtol=1e-3, atol=0)


def test_resize_is_tensorflow_1s():
    """By hand: pixel i of 4 comes from place i / 2 of 2, so that the last one is repeated."""
    image = torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]])
    rows = [[0, 2, 4, 4], [4, 6, 8, 8], [8, 10, 12, 12], [8, 10, 12, 12]]
    assert inception.resize_like_tensorflow_1(image, 4)[0, 0].tolist() == rows
    big = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(inception.resize_like_tensorflow_1(big, 4), big[..., ::2, ::2])  # no smoothing when shrinking


def test_other_weights_are_refused(tmp_path, monkeypatch):
    weights = tmp_path / "inception.pth"
    weights.write_bytes(b"other weights")
    monkeypatch.setenv("ZOO_INCEPTION_WEIGHTS", str(weights))
    with pytest.raises(ZooError, match="expected the Inception weights with SHA-256"):
        InceptionV3Extractor()
    weights.unlink()
    with pytest.raises(ZooError, match="inception.pth: expected the Inception weights"):
        InceptionV3Extractor()


def test_absent_weights_name_the_places_for_them(monkeypatch, tmp_path):
    def no_network(url, path, **options):
        raise OSError("no network")

    monkeypatch.delenv("ZOO_INCEPTION_WEIGHTS", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(ZooError, match=r"no network\); put it into .*checkpoints, or .* ZOO_INCEPTION_WEIGHTS"):
        InceptionV3Extractor()
    assert not list(tmp_path.rglob("*.pth"))


def test_a_distance_is_called_fid_only_with_these_weights():
    """A stub that bears the name, without and with the hash."""
    images = (smooth_images(60) * 255).round().byte()
    samples, real = (
        ImageSet(images[:30], [str(i) for i in range(30)]),
        ImageSet(images[30:], [f"p{i}" for i in range(30)]),
    )
    extractor = Projector()
    extractor.name = "inception_v3"
    assert {"fd_inception_v3", "kid_inception_v3"} <= set(distribution_row(samples, real, [extractor]))
    extractor.sha256 = base.FID_SHA256
    row = distribution_row(samples, real, [extractor])
    assert "fid_inception_v3" in row and "fd_inception_v3" not in row


def test_unknown_extractor():
    with pytest.raises(ZooError, match="unknown 'vgg', expected one of efficientnet_lite0, inception_v3"):
        load_extractor("vgg")
