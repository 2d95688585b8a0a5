"""The real download, where it is at hand."""

import resource
import time

import numpy as np
import pytest

from zoo.datasets import build_acdc, images


@pytest.fixture(scope="module")
def timed(real):
    start = time.process_time()  # what it takes on an idle machine, however crowded this one is
    built = build_acdc(real("ACDC"), progress=False)
    return built, time.process_time() - start


@pytest.fixture(scope="module")
def built(timed):
    return timed[0]


def test_counts(built):
    assert {name: split.num_rows for name, split in built.dataset.items()} == {
        "train": 1526,
        "validation": 376,
        "test": 526,
    }
    for split, each in (("train", 16), ("validation", 4), ("test", 5)):
        rows = built.dataset[split]
        pathology = dict(zip(rows["patient_id"], rows["pathology"], strict=True))
        assert np.bincount(list(pathology.values())).tolist() == [each] * 5
        assert set(rows["phase"]) == {0, 1}


def test_time_and_memory(timed):
    assert timed[1] < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2e6  # kB


def test_twins_are_found_and_kept_together(built):
    assert built.info["duplicates"] == [["patient074", "patient076"]]
    homes = [name for name, split in built.info["splits"].items() if "patient074" in split["patient_ids"]]
    assert "patient076" in built.info["splits"][homes[0]]["patient_ids"]
    assert built.info["skipped"] == []


def test_end_diastole_of_patient_090_is_frame_4(built):
    split = next(s for s in built.dataset.values() if "patient090" in s["patient_id"])
    rows = split.filter(lambda row: row["patient_id"] == "patient090")
    assert set(zip(rows["frame"], rows["phase"], strict=True)) == {(4, 0), (11, 1)}


def test_hearts_are_where_and_what_they_should_be(built):
    rows = built.dataset["train"]
    masks = images(rows, "mask")[..., 0]
    pictures = images(rows)[..., 0]
    assert set(np.unique(masks)) == {0, 1, 2, 3}
    assert (masks.reshape(len(masks), -1).max(axis=1) == 0).any()  # empty masks are among them
    ring = np.average(np.indices((64, 64)).reshape(2, -1), axis=1, weights=(masks > 0).sum(axis=0).ravel())
    np.testing.assert_allclose(ring, 31.5, atol=1)
    assert pictures[masks == 3].mean() > 2 * pictures[masks == 2].mean()  # bright blood in dark muscle
    # Dilated hearts have the widest cavities, thick ones the most muscle for their cavity, and all of them contract
    middle = np.array(rows["slice_level"]) == 1
    pathology, phase = np.array(rows["pathology"]), np.array(rows["phase"])
    area = {label: (masks == label).sum(axis=(1, 2)) * 4.0 for label in (2, 3)}
    names = rows.features["pathology"].names
    end_diastole = {
        name: [area[label][middle & (phase == 0) & (pathology == names.index(name))].mean() for label in (2, 3)]
        for name in names
    }
    assert max(end_diastole, key=lambda name: end_diastole[name][1]) == "DCM"
    assert max(end_diastole, key=lambda name: end_diastole[name][0] / end_diastole[name][1]) == "HCM"
    assert area[3][middle & (phase == 1)].mean() < 0.8 * area[3][middle & (phase == 0)].mean()
    basal, apical = (area[3][np.array(rows["slice_level"]) == level].mean() for level in (0, 2))
    assert basal > 1.5 * apical
