import datasets
import numpy as np
import pytest

from zoo import ZooError, png
from zoo.datasets import PRESETS, BuiltDataset, check_compatible, images
from zoo.datasets.built import assemble


def tiny(pixels: np.ndarray, **info) -> BuiltDataset:
    features = datasets.Features({"image": datasets.Image(), "n": datasets.Value("int32")})
    rows = [{"image": png.encode(picture), "n": index} for index, picture in enumerate(pixels)]
    return assemble({"train": rows, "test": []}, features, {"name": "tiny", "preset": "tiny-8", **info})


def test_images_have_channels_last():
    grey = np.random.default_rng(0).integers(0, 256, (3, 8, 9), np.uint8)
    np.testing.assert_array_equal(images(tiny(grey).dataset["train"]), grey[..., None])
    colour = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3), np.uint8)
    np.testing.assert_array_equal(images(tiny(colour).dataset["train"]), colour)


def test_images_of_a_column_that_is_not_there():
    with pytest.raises(ZooError, match="column 'mask': the dataset has image, n"):
        images(tiny(np.zeros((1, 8, 8), np.uint8)).dataset["train"], "mask")


def test_empty_splits_are_left_out_and_counted():
    built = tiny(np.zeros((2, 8, 8), np.uint8))
    assert list(built.dataset) == ["train"] and built.info["splits"] == {"train": {"num_images": 2}}


def test_fingerprint_knows_every_pixel():
    pixels = np.zeros((2, 8, 8), np.uint8)
    first = tiny(pixels).info["fingerprint"]
    assert len(first) == 64 and tiny(pixels).info["fingerprint"] == first
    pixels[1, 7, 7] = 1
    assert tiny(pixels).info["fingerprint"] != first


def test_to_uint8_rounds():
    values = png.to_uint8(np.array([-1, 0, 0.5 / 255 - 1e-6, 0.5 / 255 + 1e-6, 1, 2]))
    assert values.tolist() == [0, 0, 0, 1, 255, 255] and values.dtype == np.uint8


def test_check_compatible_names_what_would_fit():
    built = tiny(np.zeros((1, 64, 64), np.uint8))
    check_compatible(built, 64, 1)
    with pytest.raises(ZooError, match="dataset tiny-8: images of 64x64 pixels and 1 .*expects 64x64 and 3.*isic-64"):
        check_compatible(built, 64, 3)
    with pytest.raises(ZooError, match="expects 128x128 and 1, as the preset acdc-128"):
        check_compatible(built, 128, 1)
    with pytest.raises(ZooError, match="expects 50x50 and 1, as the preset folder with --size"):
        check_compatible(built, 50, 1)


def test_presets_are_those_of_the_design():
    sizes = {name: (preset.size, preset.spacing, preset.channels) for name, preset in PRESETS.items()}
    assert sizes == {
        "acdc-64": (64, 2.0, 1),
        "acdc-128": (128, 1.0, 1),
        "acdc-180": (180, 2.0, 1),
        "phantom-64": (64, 2.0, 1),
        "mednist-32": (32, None, 1),
        "isic-64": (64, None, 3),
    }
