"""Group `control`: images whose greys are masks, so that a stand-in for the segmenter reads off what was painted."""

import importlib
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import torch

import zoo.datasets
from zoo import png
from zoo.datasets import BuiltDataset
from zoo.metrics import evaluate
from zoo.metrics.control import agreement, asked_values, measured, pooled_dice
from zoo.metrics.image_set import from_split
from zoo.metrics.mask_copies import centred, moved_copies, nearest_dice
from zoo.published.metrics_file import check
from zoo.published.networks import Judge

evaluation = importlib.import_module("zoo.metrics.evaluate")
GREY = 85
CLASSES = {
    "pathology": ["NOR", "MINF", "DCM", "HCM", "RV"],
    "phase": ["ED", "ES"],
    "slice_level": ["basal", "mid", "apical"],
}


class Reader(Judge):
    """Reads masks off the greys."""

    def masks(self, images):
        return images[:, 0] // GREY


class Painter:
    """Paints given masks as greys; asked for a wall, a ring whose wall is 1 mm thicker, or none where it is thin."""

    family, sample_size, num_channels, device, dtype = "hearts", 64, 1, "cpu", torch.float32
    default_settings, components, class_names = {}, {}, CLASSES
    quantities = {"wall_thickness_mm": {"min": 0.0, "max": 60.0}}

    def __init__(self, copies: torch.Tensor):
        self.asked, self.copies = [], copies

    def draw_labels(self, class_labels, conditions, generators):
        return torch.tensor([[3, 0, 1]] * len(generators))

    def edit(self):
        """Only models that take masks have one."""

    def network_evaluations(self, **settings):
        return 1

    def __call__(self, batch_size, generator, output_type, class_labels=None, phase=None, slice_level=None, **asked):
        if not asked:  # the samples of the whole evaluation: copies of training masks
            masks = self.copies[:batch_size]
        else:
            assert len(generator) == len(class_labels) == len(phase) == len(slice_level) == batch_size
            masks = asked["masks"] if "masks" in asked else self.rings(asked["wall_thickness_mm"])
        return SimpleNamespace(images=masks[:, None].float() * GREY / 255, masks=masks)

    def rings(self, walls: list[float]) -> torch.Tensor:
        self.asked += walls
        y, x = np.mgrid[:64, :64] - 31.5
        radius = torch.from_numpy(np.hypot(x, y)) * 2  # mm
        masks = torch.zeros(len(walls), 64, 64, dtype=torch.uint8)
        for mask, wall in zip(masks, walls, strict=True):
            if wall > np.quantile(self.asked, 0.1):
                mask[radius <= 20 + wall + 1] = 2
                mask[radius <= 20] = 3
        return masks


@pytest.fixture(scope="module")
def greys() -> BuiltDataset:
    built = zoo.datasets.build_phantom(num_patients=40, progress=False)
    splits = {}
    for name, split in built.dataset.items():
        pictures = [png.encode(mask * GREY) for mask in zoo.datasets.images(split, "mask")[..., 0]]
        feature = split.features["image"]
        splits[name] = split.remove_columns("image").add_column("image", pictures, feature=feature)
    return BuiltDataset(datasets.DatasetDict(splits), built.info | {"name": "ACDC", "preset": "acdc-64"})


@pytest.fixture(scope="module")
def group(greys):
    config = SimpleNamespace(pixel_spacing_mm=2.0, class_names=["background", "RV", "myocardium", "LV"])
    judge = Reader("segmenter of the tests", SimpleNamespace(config=config), "ab" * 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "find_judge", lambda family, *_: judge if family == "segmenter" else None)
        rows = greys.dataset["train"]
        masks = torch.from_numpy(zoo.datasets.images(rows, "mask")[..., 0])
        own = torch.tensor([row["phase"] == 0 and row["slice_level"] == 1 for row in rows])
        report = evaluate(Painter(masks[own]), greys, groups=["control"], progress=False, num_samples=10, batch_size=16)
    assert set(report["references"]) == set()
    check(report)
    return report["control"]


def test_masks_that_are_followed_to_the_pixel_score_as_real_ones(group, greys):
    for name in ("mask_dice", "mask_dice_RV", "mask_dice_myocardium", "mask_dice_LV"):
        assert group[name]["value"] == group[f"{name}_real"]["value"] == group[name]["ratio_to_real"] == 1
    assert group["mask_dice"]["n"] == len(set(from_split(greys, "test").ids))


def test_a_wall_that_is_always_thicker_is_told(group):
    assert group["wall_thickness_bias_mm"]["value"] == pytest.approx(1.0, abs=0.3)
    assert group["wall_thickness_mae_mm"]["value"] == pytest.approx(1.0, abs=0.3)
    assert group["wall_thickness_slope"]["value"] == pytest.approx(1.0, abs=0.1)
    assert group["wall_thickness_r"]["value"] > 0.98
    assert 0.05 < group["wall_thickness_share_failed"]["value"] < 0.5
    assert group["wall_thickness_mae_mm_real"]["value"] == 0


def test_drawn_masks_of_training_patients_are_copies(group):
    assert group["mask_copies"]["value"] == 1
    assert group["mask_copies_validation"]["value"] <= 1  # phantoms of one pathology are much alike
    assert 0.5 < group["mask_copy_threshold"] < 1


def test_the_nearest_mask_is_sought_among_those_that_may_be_compared():
    masks = torch.zeros(2, 8, 8, dtype=torch.uint8)
    masks[0, :4], masks[1, :2] = 3, 3
    same = torch.tensor([[True, True], [False, True]])
    assert nearest_dice(masks, masks, same).tolist() == [1.0, 1.0]
    assert nearest_dice(masks, masks, ~torch.eye(2, dtype=torch.bool)).tolist() == pytest.approx([2 * 16 / 48] * 2)
    assert nearest_dice(masks, masks, torch.zeros(2, 2, dtype=torch.bool)).tolist() == [0, 0]


def test_moved_copies_are_moved_and_turned_a_little_and_laid_upon_each_other_again():
    masks = torch.zeros(20, 32, 32, dtype=torch.uint8)
    masks[:, 8:24, 12:20] = 3
    moved = moved_copies(masks, seed=0)
    assert (moved != masks).flatten(1).any(1).float().mean() > 0.8
    everything = torch.ones(20, 20, dtype=torch.bool)
    laid = nearest_dice(centred(moved), centred(masks), everything)
    assert laid.min() > 0.8 and laid.mean() > nearest_dice(moved, masks, everything).mean()


def test_dice_is_pooled_over_images():
    truth, found = torch.zeros(2, 4, 4, dtype=torch.uint8), torch.zeros(2, 4, 4, dtype=torch.uint8)
    truth[0, :2], found[0, :1] = 3, 3  # 8 pixels of which 4 are found
    truth[1, 0, 0] = found[1, 0, 0] = 3  # one pixel, found
    truth[:, 3, 3] = found[:, 3, 3] = 1
    truth[:, 3, 2] = found[:, 3, 2] = 2
    figures = pooled_dice(found, truth, ["a", "b"])
    assert figures["mask_dice_LV"]["value"] == pytest.approx(2 * 5 / (9 + 5))
    assert figures["mask_dice"]["value"] == pytest.approx((2 * 5 / 14 + 1 + 1) / 3)


def test_agreement_by_hand():
    asked = torch.tensor([1.0, 2.0, 3.0, 4.0, 9.0])
    found = agreement(asked, torch.tensor([2.0, 4.0, 6.0, 8.0, torch.nan]))
    assert found["slope"]["value"] == pytest.approx(2) and found["r"]["value"] == pytest.approx(1)
    assert found["mae"]["value"] == found["bias"]["value"] == pytest.approx(2.5)
    assert found["share_failed"]["value"] == pytest.approx(0.2) and found["mae"]["n"] == 4


def test_what_is_asked_for_are_percentiles_of_the_training_slices_of_a_class_phase_and_level(greys):
    rows = greys.dataset["train"]
    walls = measured(torch.from_numpy(zoo.datasets.images(rows, "mask")[..., 0]), 2.0)["wall_thickness_mm"]
    asked = asked_values(rows, list(CLASSES), walls)
    wanted = {"pathology": 3, "phase": 0, "slice_level": 1}
    own = torch.tensor([all(row[name] == index for name, index in wanted.items()) for row in rows])
    values = [value for classes, value in asked if classes == wanted]
    expected = np.percentile(walls[own & ~walls.isnan()].numpy(), [5, 25, 50, 75, 95])
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_a_model_that_takes_no_quantities_is_not_asked(greys):
    class Plain(Painter):
        quantities = {}

    assert "control" not in evaluate(Plain(None), greys, groups=["control"], progress=False, num_samples=10)
