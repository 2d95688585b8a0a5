"""DINOv2 and CLIP by way of transformers, as tiny random networks of the same classes."""

import pytest
import torch
from transformers import CLIPConfig, CLIPModel, Dinov2Config, Dinov2Model

from zoo.errors import ZooError
from zoo.metrics.extractors import load_extractor

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
SEES = {"image_size": 28, "patch_size": 14}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("networks")
    Dinov2Model(Dinov2Config(**SMALL, **SEES)).save_pretrained(root / "dinov2")
    words = SMALL | {"intermediate_size": 16, "vocab_size": 30}
    vision = SMALL | SEES | {"intermediate_size": 16}
    config = CLIPConfig(text_config=words, vision_config=vision, projection_dim=8)
    CLIPModel(config).save_pretrained(root / "clip")
    return root


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))


def test_dinov2_is_its_class_token(folders, images):
    extractor = load_extractor("dinov2", str(folders / "dinov2"))
    assert (extractor.frechet_name, extractor.dimensions, extractor.size) == ("fd_dinov2", 16, 28)
    assert len(extractor.sha256) == 64 and "bicubic to 28x28" in extractor.preprocessing
    assert not extractor.knows_patients
    pixels = torch.nn.functional.interpolate(images.expand(-1, 3, -1, -1), (28, 28), mode="bicubic", antialias=True)
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        network = Dinov2Model.from_pretrained(folders / "dinov2").eval()
        expected = network(pixel_values=(pixels.clamp(0, 1) - mean) / std).last_hidden_state[:, 0]
        torch.testing.assert_close(extractor(images), expected)


def test_clip_is_its_embedding_of_images(folders, images):
    extractor = load_extractor("clip", str(folders / "clip"))
    assert (extractor.frechet_name, extractor.dimensions) == ("fd_clip", 8)
    with torch.inference_mode():
        found = extractor(images)
        network = CLIPModel.from_pretrained(folders / "clip").eval()
        vision = network.vision_model(pixel_values=extractor._prepared(images))
        torch.testing.assert_close(found, network.visual_projection(vision.pooler_output))
    assert found.shape == (2, 8) and not torch.equal(found[0], found[1])


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("dinov2", "clip", "extractor dinov2: expected a dinov2 in .*clip, got a clip"),
        (
            "clip",
            "nowhere",
            "extractor clip: no network in .*nowhere; expected a folder of transf",
        ),
        (
            "efficientnet_lite0",
            "clip",
            "--weights: expected one of inception_v3, dinov2, clip; effici",
        ),
    ],
)
def test_bad_input(folders, name, weights, message):
    with pytest.raises(ZooError, match=message):
        load_extractor(name, str(folders / weights))
