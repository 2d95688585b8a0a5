import shutil
import zipfile

import nibabel
import numpy as np
import pytest
from fake_acdc import heart, picture_of, write_nifti, write_patient

from zoo import ZooError
from zoo.datasets import build_acdc, images
from zoo.datasets.placement import basal_first, motion_center
from zoo.datasets.schema import PATHOLOGIES


def build(source, **options):
    return build_acdc(source, progress=False, **options)


def only(built, patient):
    """The rows of one patient, whichever split it went to."""
    for split in built.dataset.values():
        if patient in split["patient_id"]:
            return split.filter(lambda row: row["patient_id"] == patient)
    raise AssertionError(f"{patient} is in no split")


def test_rows_follow_the_design(acdc):
    built = build(acdc)
    row = only(built, "patient003")[7]  # second slice of the second frame
    assert list(row) == [
        "image", "mask", "patient_id", "frame", "phase", "pathology", "slice_index", "num_slices", "slice_level",
        "pixel_spacing", "original_spacing", "slice_thickness", "height", "weight",
    ]  # fmt: skip
    assert (row["frame"], row["phase"], row["slice_index"], row["num_slices"], row["slice_level"]) == (3, 1, 1, 6, 0)
    assert row["pathology"] == PATHOLOGIES.index("HCM")
    assert row["pixel_spacing"] == [2, 2] and row["original_spacing"] == [1.5, 1.5]
    assert (row["slice_thickness"], row["height"], row["weight"]) == (10, 184, 95)
    assert row["image"].mode == row["mask"].mode == "L" and row["image"].size == row["mask"].size == (64, 64)
    assert only(built, "patient003")["slice_level"] == [0, 0, 1, 1, 2, 2] * 2


def test_splits_are_by_patient_and_stratified(acdc):
    splits = build(acdc).info["splits"]
    assert splits["test"] == {"num_images": 24, "patient_ids": ["patient101", "patient102"]}
    assert len(splits["train"]["patient_ids"]) == len(splits["validation"]["patient_ids"]) == 5
    groups = [{int(patient[-2:]) % 5 for patient in splits[split]["patient_ids"]} for split in ("train", "validation")]
    assert groups == [{0, 1, 2, 3, 4}] * 2
    assert not set(splits["train"]["patient_ids"]) & set(splits["validation"]["patient_ids"])


def test_builds_are_repeatable_whatever_the_threads(acdc):
    first = build(acdc, num_proc=1)
    assert build(acdc, num_proc=4).info == first.info
    assert build(acdc, seed=1).info["fingerprint"] != first.info["fingerprint"]


def test_zip_gives_what_the_folder_gives(acdc, tmp_path):
    with zipfile.ZipFile(tmp_path / "ACDC.zip", "w") as archive:
        for path in sorted(acdc.rglob("*")):
            archive.write(path, f"ACDC/database/{path.relative_to(acdc)}")
    assert build(tmp_path / "ACDC.zip").info == build(acdc).info


def test_more_patients_leave_the_others_where_they_were(acdc):
    before = build(acdc).info["splits"]
    write_patient(acdc / "testing" / "patient103", group="RV", seed=103)
    after = build(acdc).info["splits"]
    assert after["test"]["patient_ids"] == ["patient101", "patient102", "patient103"]
    assert [after[split] for split in ("train", "validation")] == [before[split] for split in ("train", "validation")]


def test_picture_and_mask_stand_upright_around_the_heart(acdc):
    # In the file (x, y) the heart lies right and up of the centre, its right ventricle toward smaller x
    write_patient(acdc / "training" / "patient001", spacing=(1.25, 1.75, 8.0), seed=1)
    rows = only(build(acdc), "patient001")
    assert rows[0]["original_spacing"] == [1.75, 1.25] and rows[0]["slice_thickness"] == 8  # rows first: y, then x
    masks = images(rows, "mask")[..., 0]
    total = (masks > 0).sum(axis=0)
    center = [np.average(np.arange(64), weights=total.sum(axis=axis)) for axis in (1, 0)]
    np.testing.assert_allclose(center, [31.5, 31.5], atol=0.2)
    right, left = (np.argwhere(masks[0] == label).mean(axis=0) for label in (1, 3))
    assert right[1] < left[1] - 3 and abs(right[0] - left[0]) < 1
    # Areas are in mm: the outer circle's radius is 14 mm
    assert ((masks[0] >= 2).sum() * 4) == pytest.approx(np.pi * 14**2, rel=0.06)
    pictures = images(rows)[..., 0]
    assert pictures[masks == 3].mean() > pictures[masks == 1].mean() > pictures[masks == 2].mean() + 50


def test_presets(acdc):
    fine = only(build(acdc, preset="acdc-128"), "patient001")
    assert fine[0]["image"].size == (128, 128) and fine[0]["pixel_spacing"] == [1, 1]
    full = only(build(acdc, preset="acdc-180"), "patient001")
    picture = images(full)[0, ..., 0]
    assert picture.shape == (180, 180)
    # Between the outer pixels' centres of the file lie 39 x 35 steps of 1.5 mm: 14.6 columns and 13.1 rows of 2 mm to
    # either side of the middle, 89.5; the rest is padding
    rows, columns = np.nonzero(picture)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (77, 102, 75, 104)
    assert images(full).max() > 240  # min-max: the brightest pixel of the stack, less what antialiasing takes


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
def test_intensities_do_not_depend_on_the_files_type(acdc, dtype):
    expected = images(only(build(acdc), "patient001"))
    write_patient(acdc / "training" / "patient001", group=PATHOLOGIES[1], seed=1, dtype=dtype)
    found = images(only(build(acdc), "patient001"))
    if dtype == np.float32:  # not rounded before
        assert np.abs(found.astype(int) - expected).max() <= 6
    else:
        np.testing.assert_array_equal(found, expected)


def test_brightness_of_another_scanner_changes_nothing(acdc):
    expected = images(only(build(acdc), "patient001"))
    path = acdc / "training" / "patient001" / "patient001_frame01.nii.gz"
    write_nifti(path, (31 * np.asanyarray(nibabel.load(path).dataobj)).astype(np.int16))
    np.testing.assert_allclose(images(only(build(acdc), "patient001")), expected, atol=1)


def test_first_frame_need_not_be_end_diastole(acdc):
    shutil.rmtree(acdc / "training" / "patient009")
    write_patient(acdc / "training" / "patient009", group=PATHOLOGIES[4], ed=4, es=11, seed=9)
    rows = only(build(acdc), "patient009")
    assert set(zip(rows["frame"], rows["phase"], strict=True)) == {(4, 0), (11, 1)}


def test_height_with_or_without_decimals(acdc):
    write_patient(acdc / "training" / "patient001", info={"Height": "175"}, seed=1)
    assert only(build(acdc), "patient001")["height"][0] == 175


def test_names_may_be_in_capitals(acdc):
    expected = build(acdc).info["fingerprint"]
    for path in sorted((acdc / "training" / "patient001").glob("*.nii.gz")):
        path.rename(path.with_name(path.name.upper()))
    assert build(acdc).info["fingerprint"] == expected


def test_slices_with_empty_masks_are_kept(acdc):
    mask = heart()
    mask[..., -1] = 0
    write_patient(acdc / "training" / "patient001", mask=mask, seed=1)
    masks = images(only(build(acdc), "patient001"), "mask")
    assert masks.reshape(12, -1).any(axis=1).tolist() == ([True] * 5 + [False]) * 2


def test_patients_with_the_same_images_share_a_split(acdc):
    for seed in range(3):
        for pair in (("patient003", "patient008"),):  # both HCM; the masks differ, as in the real download
            for number, patient in enumerate(pair):
                mask = heart()
                write_patient(acdc / "training" / patient, group="HCM", mask=mask, seed=55)
                mask[18:22, 10:14, :2] = 2 * number
                write_nifti(acdc / "training" / patient / f"{patient}_frame01_gt.nii.gz", mask)
        built = build(acdc, seed=seed)
        assert built.info["duplicates"] == [["patient003", "patient008"]]
        homes = [name for name, split in built.info["splits"].items() if {*pair} & {*split["patient_ids"]}]
        assert len(homes) == 1


def test_training_patient_who_is_also_tested_is_left_out(acdc):
    write_patient(acdc / "testing" / "patient101", group="HCM", seed=2)
    info = build(acdc).info
    assert info["duplicates"] == [["patient002", "patient101"]]
    assert info["skipped"] == [{"patient_id": "patient002", "reason": "same images as patient101 of testing/"}]
    assert "patient101" in info["splits"]["test"]["patient_ids"]
    assert "patient002" not in sum((split["patient_ids"] for split in info["splits"].values()), [])


def test_training_alone_has_no_test_split(acdc):
    shutil.rmtree(acdc / "testing")
    assert set(build(acdc).dataset) == {"train", "validation"}


def cine(folder, frames=4):
    """Writes the cine series whose frames 1 and 3 are the labelled ones."""
    stack = [picture_of(heart(radius=14 - 2 * min(i, 4 - i)), seed=i) for i in range(frames)]
    for number in (1, 3):
        path = folder / f"{folder.name}_frame{number:02d}.nii.gz"
        stack[number - 1] = np.asanyarray(nibabel.load(path).dataobj)
    write_nifti(folder / f"{folder.name}_4d.nii.gz", np.stack(stack, axis=-1))


def test_all_frames_adds_those_without_masks(acdc):
    for folder in acdc.glob("*/patient*"):
        cine(folder)
    some, every = (only(build(acdc, all_frames=wanted), "patient001") for wanted in (False, True))
    assert list(dict.fromkeys(zip(every["frame"], every["phase"], strict=True))) == [(1, 0), (2, -1), (3, 1), (4, -1)]
    assert [mask is None for mask in every["mask"]] == [frame in (2, 4) for frame in every["frame"]]
    labelled = every.filter(lambda row: row["phase"] >= 0)
    np.testing.assert_array_equal(images(labelled), images(some))  # one centre for all frames
    with pytest.raises(ZooError, match="12 of 24 rows are empty"):
        images(every, "mask")


def test_without_masks_the_heart_is_found_by_its_motion(acdc):
    x, y = np.indices((80, 72))
    pulse = 300 * np.exp(-((x - 55) ** 2 + (y - 25) ** 2) / 30)[..., None]
    still = picture_of(np.zeros((80, 72, 6), np.uint8), seed=0)
    folder = acdc / "training" / "patient001"
    for number, strength in ((1, 0.2), (3, 1.0)):
        (folder / f"patient001_frame{number:02d}_gt.nii.gz").unlink()
        write_nifti(folder / f"patient001_frame{number:02d}.nii.gz", (still + strength * pulse).astype(np.int16))
    rows = only(build(acdc), "patient001")
    assert rows["mask"][:] == [None] * 12
    np.testing.assert_allclose(np.argwhere(images(rows)[-1, ..., 0] > 250).mean(axis=0), 31.5, atol=1.5)


def test_motion_center_of_a_still_heart_is_unknown():
    assert motion_center([np.ones((2, 9, 9))] * 3, (1.5, 1.5)) is None
    still = np.random.default_rng(0).random((2, 9, 9))
    assert motion_center([still] * 3, (1.5, 1.5)) is None


def test_what_moves_far_from_the_middle_does_not_hide_the_heart():
    y, x = np.indices((120, 140))
    still = np.random.default_rng(0).random((1, 120, 140))
    frames = []
    for phase, radius in enumerate((14, 9, 14)):
        heart = np.hypot(y - 50, x - 80) < radius
        arm = np.hypot(y - 5, x - 5 - 6 * phase) < 4
        frames.append(still + 3 * heart + 50 * arm)
    assert np.hypot(*np.subtract(motion_center(frames, (2.0, 2.0)), (50, 80))) < 3


def test_base_is_where_the_heart_is_larger():
    mask = heart().T
    assert basal_first([mask]) and not basal_first([mask[::-1]])
    assert basal_first([]) and basal_first([np.zeros((5, 4, 4))])


def test_stack_from_the_apex_is_labelled_from_its_base(acdc):
    write_patient(acdc / "training" / "patient001", mask=heart()[..., ::-1], seed=1)
    rows = only(build(acdc), "patient001")
    assert rows["slice_index"][:6] == [0, 1, 2, 3, 4, 5] and rows["slice_level"][:6] == [2, 2, 1, 1, 0, 0]
