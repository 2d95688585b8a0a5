"""Is it a heart? What is accepted, what is refused, where it is found and what is said of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

import zoo.datasets
from zoo.metrics.image_set import ImageSet
from zoo.published.networks import load_judge

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / "outputs" / "data" / "acdc-64"


@pytest.fixture(scope="module")
def judge():
    return load_judge(ROOT / "model_cards" / "segmenter-acdc-64", "segmenter")


def share(images, judge) -> float:
    """The share of images that pass for hearts."""
    from hearts import judge_images

    return float(np.mean([not verdict.problem for verdict in judge_images(torch.as_tensor(np.stack(images)), judge)]))


def stretched(image) -> np.ndarray:
    return np.interp(image, (image.min(), image.max()), (0, 255)).astype(np.uint8)


def drawn_hand(rng) -> np.ndarray:
    """A bright palm with five fingers on black, as in a radiograph."""
    y, x = np.mgrid[:64, :64]
    row, column = 42 + rng.normal(0, 2), 32 + rng.normal(0, 2)
    hand = ((y - row) / 13) ** 2 + ((x - column) / 11) ** 2 < 1
    for angle in np.deg2rad(-90 + np.arange(-50, 51, 25) + rng.normal(0, 4, 5)):
        for length in np.linspace(8, rng.uniform(22, 30), 40):
            hand |= np.hypot(y - row - length * np.sin(angle), x - column - length * np.cos(angle)) < rng.uniform(2, 3)
    return stretched(hand * rng.uniform(0.5, 1) + rng.normal(0, 0.05, hand.shape))


def test_drawn_hearts_pass(phantom, judge):
    rows = phantom.dataset["train"]
    assert share([np.asarray(image) for image in rows["image"][::4]], judge) > 0.8


@pytest.mark.skipif(not (REAL / "zoo_dataset.json").is_file(), reason="needs the ACDC dataset in outputs/data/acdc-64")
def test_most_real_slices_pass(judge):
    rows = zoo.datasets.load(REAL).dataset["validation"]
    level = np.array(rows["slice_level"][:])
    mid = [np.asarray(rows[int(i)]["image"]) for i in np.flatnonzero(level == 1)[::8]]
    everything = [np.asarray(rows[i]["image"]) for i in range(0, len(rows), 12)]
    assert share(mid, judge) > 0.9 and share(everything, judge) > 0.75


def test_what_is_no_heart_does_not_pass(judge):
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:64, :64]
    others = {
        "noise": [rng.integers(256, size=(64, 64), dtype=np.uint8) for _ in range(5)],
        "clouds": [stretched(ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3)) for _ in range(12)],
        "hands": [drawn_hand(rng) for _ in range(12)],
        "constant": [np.full((64, 64), value, np.uint8) for value in (0, 128, 255)],
        "ramps": [stretched(row * a + column * b) for a, b in rng.normal(size=(3, 2))],
        "stripes": [stretched(np.sin(row / width)) for width in (0.5, 1, 3)],
    }
    assert {name: share(images, judge) for name, images in others.items()} == dict.fromkeys(others, 0.0)


def test_photographs_do_not_pass(judge):
    from skimage import data, transform

    pictures = [data.camera(), data.moon(), data.brick(), data.coins(), data.astronaut()[..., 1], data.coffee()[..., 0]]
    small = [stretched(transform.resize(p[: min(p.shape), : min(p.shape)], (64, 64))) for p in pictures]
    assert share(small, judge) == 0


def place(image: np.ndarray, scale: float, row: float, column: float, size: int):
    """A slice that is larger than the heart, which lies at a place given in pixels of `2 mm ÷ scale`."""
    from uploads import Slice

    wide = np.full((size, size), 0.1, np.float32)
    large = ndimage.zoom(image / 255, scale, order=1)
    top, left = round(row - large.shape[0] / 2), round(column - large.shape[1] / 2)
    wide[top : top + large.shape[0], left : left + large.shape[1]] = large
    return Slice(wide, (2 / scale, 2 / scale))


@pytest.mark.parametrize(("row", "column"), [(128, 128), (105, 150)])
def test_a_heart_is_found_off_the_middle_of_a_wider_view(heart, judge, row, column):
    from hearts import find_heart

    center, image, verdict = find_heart(place(heart, 1.25, row, column, 256), judge)
    assert verdict.problem == "" and verdict.measures["ring_closed"] == 1
    assert np.hypot(center[0] - row, center[1] - column) * 1.6 < 6  # mm
    inside = np.argwhere(verdict.mask > 0).mean(0)
    assert np.abs(inside - 31.5).max() < 3 and image.shape == (64, 64)


@pytest.fixture
def stack(heart):
    from uploads import Stack

    def stack(spacing=None, count=1, image=None):
        image = heart if image is None else image
        return Stack(np.stack([image / np.float32(255)] * count), spacing, 8.0, "a test")

    return stack


@pytest.fixture
def found(judge):
    from measuring import measure

    return lambda stack, side=None: list(measure(stack, side, judge, None))[-1]


def test_a_scale_that_is_not_known_gives_no_millimetres(stack, found):
    from measuring import measured_html

    unknown, given, own = found(stack()), found(stack(), 1.9), found(stack((2.0, 2.0)))
    html = measured_html(unknown)
    assert unknown.shown_spacing is None and " mm" not in html and " px" in html and "is not known" in html
    assert unknown.images.shape == (1, 64, 64) and np.array_equal(unknown.images[0], own.images[0])
    for each in (given, own):
        assert each.is_known and " mm" in measured_html(each) and " px" not in measured_html(each)
    assert own.side == (2.0, 2.0) and given.side == (1.9, 1.9)
    wall = own.values(0)["wall, mean"]
    assert unknown.values(0)["wall, mean"][0] == pytest.approx(wall[0] / 2) and wall[1:] == ("mm", 0.9)


def test_a_side_out_of_bounds_is_refused(stack, found):
    from zoo.errors import ZooError

    with pytest.raises(ZooError, match="side of a pixel: expected 0.1 to 20.0 mm, or nothing where it is not known"):
        found(stack(), 0.01)


def test_all_slices_have_masks_and_can_be_taken_away(stack, found, heart, tmp_path):
    import zipfile

    import nibabel

    from measuring import measured_html, write_measured

    made = found(stack((2.0, 2.0), 3))
    html = measured_html(made)
    assert "in 3 of 3 slices" in html and html.count('class="mask"') == 3 + 1 and "slice 2 of 3: wall, mean" in html
    with zipfile.ZipFile(write_measured(made, tmp_path)) as archive:
        archive.extractall(tmp_path)
    mask = nibabel.load(tmp_path / "mask.nii.gz")
    assert mask.shape == (64, 64, 3) and mask.header.get_zooms() == (2.0, 2.0, 8.0)
    np.testing.assert_array_equal(np.asarray(mask.dataobj)[..., 1].T, made.verdicts[1].mask)
    lines = (tmp_path / "measures.csv").read_text().splitlines()
    assert lines[0] == "slice,measure,value,unit,segmenter_error,problem" and lines[1].startswith("1,")


def test_measures_are_those_of_the_mask(heart, judge):
    from hearts import judge_images
    from zoo.metrics.functional import measure_anatomy

    (verdict,) = judge_images(torch.from_numpy(heart)[None], judge)
    expected = measure_anatomy(torch.from_numpy(verdict.mask)[None], 2.0)["wall_thickness_mm"].item()
    assert verdict.measures["wall_thickness_mm"] == expected


def test_the_overlay_tints_the_labels_alone(heart):
    from pictures import COLOURS, OPACITY, overlay

    mask = np.zeros((64, 64), np.uint8)
    mask[10:20, 10:20] = 2
    shown = overlay(heart, mask)
    np.testing.assert_array_equal(shown[mask == 0], np.repeat(heart[mask == 0][:, None], 3, axis=1))
    expected = (1 - OPACITY) * heart[15, 15] + OPACITY * np.array(COLOURS[2])
    np.testing.assert_allclose(shown[15, 15], expected, atol=0.51)


def test_the_nearest_images_are_those_most_alike(heart):
    from hearts import nearest

    rng = np.random.default_rng(0)
    noisy = [np.clip(heart + rng.normal(0, spread, heart.shape), 0, 255).astype(np.uint8) for spread in (90, 5, 30)]
    known = torch.from_numpy(np.stack([*noisy, heart[::-1].copy()])[:, None])
    found = nearest(torch.from_numpy(heart), ImageSet(known, ["a", "b", "c", "d"]))
    assert [cc for _, cc in found] == sorted((cc for _, cc in found), reverse=True)
    np.testing.assert_array_equal(found[0][0], noisy[1])
    np.testing.assert_array_equal(found[1][0], noisy[2])
