"""Slices as transformers hands them to a network that judges."""

import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import torch
from transformers import pipeline

import zoo.models
from zoo.models import SkinLesNet, SkinLesNetConfig, SliceImageProcessor, UNetSegmenter, UNetSegmenterConfig
from zoo.published.saving import save_network

NAMES = {"pathology": ["NOR", "HCM", "DCM"], "phase": ["ED", "ES"]}
GREY = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16)


def test_a_picture_is_what_the_network_was_trained_on():
    processor = SliceImageProcessor(16, 1, 2.0)
    expected = torch.from_numpy(GREY)[None, None].float() / 127.5 - 1
    for given in (GREY, PIL.Image.fromarray(GREY), PIL.Image.fromarray(GREY).convert("RGB")):  # as `pipeline` decodes
        assert torch.equal(processor(given, return_tensors="pt")["pixel_values"], expected)
    colour = SliceImageProcessor(16, 3)([PIL.Image.fromarray(GREY)] * 2, return_tensors="np")["pixel_values"]
    assert colour.shape == (2, 3, 16, 16) and (colour[:, 0] == colour[:, 2]).all()


def test_what_is_no_8_bit_image_is_windowed():
    values = np.linspace(-300, 3000, 256).reshape(16, 16)
    values[0, 0] = 1e6  # beyond the window
    found = SliceImageProcessor(16)(values, return_tensors="np")["pixel_values"][0, 0]
    assert found.min() == -1 and found.max() == 1 and np.all(np.diff(found.ravel()[1:]) >= 0)
    low, high = np.percentile(values, (0.5, 99.5))
    expected = (values.clip(low, high) - low) / (high - low) * 2 - 1
    np.testing.assert_allclose(found, expected, atol=1 / 127)


def test_a_spacing_crops_and_pads_in_millimetres():
    processor = SliceImageProcessor(16, 1, 2.0)
    large = np.zeros((40, 40), np.uint8)
    large[12:28, 12:28] = GREY
    same = processor(large, return_tensors="pt", pixel_spacing=2.0)["pixel_values"]
    assert torch.equal(same, processor(GREY, return_tensors="pt")["pixel_values"])
    fine = processor(np.full((32, 32), 200, np.uint8), return_tensors="np", pixel_spacing=0.5)["pixel_values"][0, 0]
    inside = np.isclose(fine, 200 / 127.5 - 1)  # 16 mm are 8 pixels of 2 mm
    assert inside.sum() == 64 and inside[4:12, 4:12].all() and fine[0, 0] == -1
    with pytest.raises(ValueError, match="expected 16x16 pixels of 2 mm; name their pixel_spacing, got 40x40"):
        processor(large)
    with pytest.raises(ValueError, match="pixel_spacing: expected None"):
        SliceImageProcessor(16)(large, pixel_spacing=1.0)


@pytest.fixture
def classifier(tmp_path):
    torch.manual_seed(0)
    config = SkinLesNetConfig(list(NAMES), NAMES, 16, block_out_channels=[4, 8], pixel_spacing_mm=2.0)
    network = SkinLesNet(config).eval()
    torch.nn.init.normal_(network.scores[1].weight)
    (tmp_path / "classifier").mkdir()
    save_network(network, tmp_path / "classifier", torch.float32)
    zoo.models.register_judges()
    return network, str(tmp_path / "classifier")


def test_a_pipeline_names_every_class_with_its_probability(classifier):
    network, folder = classifier
    found = pipeline("image-classification", model=folder)(PIL.Image.fromarray(GREY), top_k=9)
    with torch.no_grad():
        scores = network(torch.from_numpy(GREY)[None, None].float() / 127.5 - 1).by_condition
    expected = {
        name: probability.item()
        for condition, own in scores.items()
        for name, probability in zip(NAMES[condition], own.softmax(1)[0], strict=True)
    }
    assert {row["label"]: row["score"] for row in found} == pytest.approx(expected, abs=1e-6)


def test_a_class_name_of_two_conditions_tells_which():
    config = SkinLesNetConfig(["a", "b"], {"a": ["yes", "no"], "b": ["yes", "none"]}, 16)
    assert list(config.id2label.values()) == ["a: yes", "no", "b: yes", "none"]


def test_a_segmenter_labels_pixels(tmp_path):
    torch.manual_seed(0)
    network = UNetSegmenter(UNetSegmenterConfig(16, block_out_channels=[8, 8], norm_num_groups=4)).eval()
    save_network(network, tmp_path, torch.float32)
    zoo.models.register_judges()
    found = pipeline("image-segmentation", model=str(tmp_path))(PIL.Image.fromarray(GREY))
    truth = network.segment(torch.from_numpy(GREY)[None, None].float() / 127.5 - 1)[0].numpy()
    assert {row["label"] for row in found} == {network.config.id2label[label] for label in np.unique(truth)}
    for row in found:
        assert np.array_equal(np.asarray(row["mask"]) > 0, truth == network.config.label2id[row["label"]])


def test_generators_load_no_file_of_a_judge():
    """transformers takes seconds, which `cardiac-zoo generate` need not."""
    code = (
        "import sys, zoo.models, zoo.published.networks; zoo.models.DCGANGenerator; "
        "print(sorted(name for name in sys.modules if name.startswith('zoo.models.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['zoo.models.dcgan']"
