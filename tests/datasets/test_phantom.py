import numpy as np
import pytest
from scipy import ndimage

from zoo import ZooError
from zoo.datasets import build_phantom, images
from zoo.datasets.phantom_heart import DISEASES, Disease, Heart
from zoo.datasets.schema import PATHOLOGIES


@pytest.fixture(scope="module")
def built():
    return build_phantom(num_patients=25, progress=False)


@pytest.fixture(scope="module")
def table(built):
    """All rows as arrays, pictures and masks included."""
    columns = {}
    for split in built.dataset.values():
        for name in set(split.column_names) - {"image", "mask"}:
            columns.setdefault(name, []).extend(split[name])
        for name in ("image", "mask"):
            columns.setdefault(name, []).extend(images(split, name)[..., 0])
    return {name: np.array(values) for name, values in columns.items()}


def test_splits_are_by_patient_within_each_pathology(built):
    splits = built.info["splits"]
    assert {name: len(split["patient_ids"]) for name, split in splits.items()} == {
        "train": 15,
        "validation": 5,
        "test": 5,
    }
    assert len(set().union(*(split["patient_ids"] for split in splits.values()))) == 25
    for split in built.dataset.values():
        assert set(split["pathology"]) == {0, 1, 2, 3, 4} and set(split["phase"]) == {0, 1}


def test_a_patient_depends_on_the_seed_and_its_number_alone(built):
    again = build_phantom(num_patients=25, progress=False)
    assert again.info == built.info
    assert build_phantom(num_patients=5, seed=1, progress=False).info["fingerprint"] != built.info["fingerprint"]

    def rows_of(dataset, patient):
        split = next(split for split in dataset.values() if patient in split["patient_id"])
        return images(split.filter(lambda row: row["patient_id"] == patient))

    few = build_phantom(num_patients=5, progress=False)
    np.testing.assert_array_equal(rows_of(few.dataset, "phantom003"), rows_of(built.dataset, "phantom003"))


def test_truth_agrees_with_the_masks(table):
    cavity = (table["mask"] == 3).sum(axis=(1, 2)) * 4.0
    np.testing.assert_allclose(cavity, table["true_cavity_area_mm2"], atol=60)  # 15 pixels along the outline
    assert np.mean(cavity - table["true_cavity_area_mm2"]) == pytest.approx(0, abs=2)
    ring = (table["mask"] == 2).sum(axis=(1, 2)) * 4.0
    inner = np.sqrt(cavity / np.pi)
    thickness = np.sqrt((ring + cavity) / np.pi) - inner
    scarless = table["pathology"] != PATHOLOGIES.index("MINF")
    np.testing.assert_allclose(thickness[scarless], table["true_wall_thickness_mm"][scarless], rtol=0.1, atol=0.5)


def test_truth_of_a_plain_ring():
    heart = Heart(Disease(cavity=20, wall=10), np.random.default_rng(0))
    heart.cavity, heart.wall, heart.contraction, heart.waves = 20.0, 10.0, 0.5, []
    position = np.arange(-60, 60, 0.5)
    sections = heart.sections(position, position, np.array([0.0]), systole=False)
    assert sections.wall_thickness == pytest.approx(10) and sections.cavity_area == pytest.approx(np.pi * 400)
    assert (sections.mask == 2).sum() / 4 == pytest.approx(np.pi * (30**2 - 20**2), rel=0.01)
    systole = heart.sections(position, position, np.array([0.0]), systole=True)
    assert systole.cavity_area == pytest.approx(np.pi * 100)
    assert (systole.mask == 2).sum() == pytest.approx(1.08 * (sections.mask == 2).sum(), rel=0.01)


def test_hearts_are_whole_and_centred(table):
    for mask in table["mask"]:
        assert set(np.unique(mask)) <= {0, 1, 2, 3}
        for label in (2, 3):
            assert ndimage.label(mask == label, np.ones((3, 3)))[1] == 1  # one ring, one cavity
        rim = ndimage.binary_dilation(mask == 3) & (mask != 3)
        assert np.isin(mask[rim], 2).all()  # the cavity is closed
        assert not mask[[0, -1]].any() and not mask[:, -1].any()
    for patient in np.unique(table["patient_id"]):
        total = (table["mask"][table["patient_id"] == patient] > 0).sum(axis=0)
        np.testing.assert_allclose(ndimage.center_of_mass(total), 31.5, atol=0.6)


def test_pathologies_differ_as_in_reality(table):
    def mean(column, pathology, phase=0):
        chosen = (table["pathology"] == PATHOLOGIES.index(pathology)) & (table["phase"] == phase)
        return table[column][chosen & (table["slice_level"] == 1)].mean()

    table["right"] = (table["mask"] == 1).sum(axis=(1, 2)) * 4.0
    wall = {name: mean("true_wall_thickness_mm", name) for name in PATHOLOGIES}
    area = {name: mean("true_cavity_area_mm2", name) for name in PATHOLOGIES}
    emptied = {name: 1 - mean("true_cavity_area_mm2", name, phase=1) / area[name] for name in PATHOLOGIES}
    right = {name: mean("right", name) for name in PATHOLOGIES}
    assert max(wall, key=wall.get) == "HCM" and wall["HCM"] > 1.5 * wall["NOR"]
    assert max(area, key=area.get) == "DCM" and area["DCM"] > 1.4 * area["NOR"]
    assert min(emptied, key=emptied.get) == "DCM" and emptied["NOR"] > 0.5
    assert max(right, key=right.get) == "RV" and right["RV"] > 1.2 * right["NOR"]
    assert min(area, key=area.get) == "HCM"
    for name in PATHOLOGIES:
        assert mean("true_wall_thickness_mm", name, phase=1) > wall[name]


def test_an_infarct_is_a_thin_sector_that_does_not_thicken():
    heart = Heart(DISEASES["MINF"], np.random.default_rng(0))
    angle = np.array([heart.scar_angle, heart.scar_angle + np.pi])
    (scar, sound), (scar_later, sound_later) = (heart.profile(angle, 0.5, systole)[1] for systole in (False, True))
    assert scar < 0.5 * sound
    assert scar_later == pytest.approx(scar) and sound_later > 1.1 * sound


def test_it_looks_like_cine_mri(table):
    pictures, masks = table["image"], table["mask"]
    blood, muscle = pictures[masks == 3].mean(), pictures[masks == 2].mean()
    assert blood > 2 * muscle
    assert table["slice_level"].min() == 0 and table["slice_level"].max() == 2
    for level, area in enumerate([(masks == 3)[table["slice_level"] == level].sum() for level in range(3)]):
        assert area > 0, level
    corner = pictures[:, :8, :8].mean(), pictures[:, 28:36, -8:].mean()
    assert corner[0] > 2 * corner[1]  # the chest wall is bright, the lung is dark


def test_bad_requests():
    with pytest.raises(ZooError, match="num_patients 0: expected at least 1"):
        build_phantom(num_patients=0)
    with pytest.raises(ZooError, match="'phantom-65': phantom has phantom-64"):
        build_phantom("phantom-65")
