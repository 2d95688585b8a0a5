import gzip
import shutil
import zipfile

import numpy as np
import pytest
from fake_acdc import heart, write_nifti, write_patient

from zoo import ZooError
from zoo.datasets import build_acdc

PATIENT = "training/patient001"
IMAGE = "patient001_frame03.nii.gz"
MASK = "patient001_frame03_gt.nii.gz"


def truncate(folder):
    data = (folder / IMAGE).read_bytes()
    (folder / IMAGE).write_bytes(data[: len(data) // 2])


def truncate_unzipped(folder):
    data = gzip.decompress((folder / IMAGE).read_bytes())
    (folder / IMAGE).write_bytes(data[: len(data) // 2])


def not_finite(folder):
    array = np.random.default_rng(0).uniform(size=(40, 36, 6)).astype(np.float32)
    array[3, 3, 3] = np.nan
    write_nifti(folder / IMAGE, array)


def nearly_constant(folder):
    array = np.zeros((40, 36, 6), np.int16)
    array[0, 0, 0] = 1
    write_nifti(folder / IMAGE, array)


def no_spacing(folder):
    header = bytearray(gzip.decompress((folder / IMAGE).read_bytes()))
    header[80:84] = np.float32(0).tobytes()  # pixdim[1]
    (folder / IMAGE).write_bytes(bytes(header))


CASES = {
    "truncated gzip": (truncate, f"{IMAGE}: truncated or no NIfTI"),
    "truncated NIfTI": (truncate_unzipped, f"{IMAGE}: truncated or no NIfTI"),
    "no NIfTI": (lambda folder: (folder / IMAGE).write_bytes(b"hello"), f"{IMAGE}: truncated or no NIfTI"),
    "empty": (lambda folder: (folder / IMAGE).write_bytes(b""), f"{IMAGE}: truncated or no NIfTI"),
    "NaN": (not_finite, f"{IMAGE}: has NaN or infinite values"),
    "constant": (lambda f: write_nifti(f / IMAGE, np.full((40, 36, 6), 7, np.int16)), f"{IMAGE}: all values are 7"),
    "nearly constant": (nearly_constant, "frame 3: percentiles 0.5 and 99.5 are both 0"),
    "flat": (lambda f: write_nifti(f / IMAGE, heart()[..., 0]), r"shape \(40, 36\); expected 3 dimensions"),
    "frames differ": (lambda f: write_nifti(f / IMAGE, heart()[:, :30]), r"\(40, 30, 6\); expected \(40, 36, 6\)"),
    "spacing 0": (no_spacing, f"{IMAGE}: pixdim is .*; expected positive spacings in mm"),
    "mask shape": (
        lambda f: write_nifti(f / MASK, heart()[..., :5]),
        rf"{MASK}: mask of shape \(40, 36, 5\); expected",
    ),
    "mask labels": (lambda f: write_nifti(f / MASK, 2 * heart()), rf"{MASK}: mask has the values \[0, 2, 4, 6\]"),
    "missing frame": (lambda f: (f / IMAGE).unlink(), f"{IMAGE}: not found; Info.cfg says ED is 1 and ES is 3"),
    "missing mask": (lambda f: (f / MASK).unlink(), f"{MASK}: not found"),
    "no Info.cfg": (lambda f: (f / "Info.cfg").unlink(), r"Info.cfg: not found; expected the fields ED, ES, Group"),
    "empty Info.cfg": (lambda f: (f / "Info.cfg").write_text(""), "missing ED, ES, Group, Height, Weight"),
    "ED missing": (lambda f: write_patient(f, info={"ED": None}), "Info.cfg: missing ED"),
    "two missing": (lambda f: write_patient(f, info={"ES": None, "Weight": ""}), "Info.cfg: missing ES, Weight"),
    "ED no number": (lambda f: write_patient(f, info={"ED": "one"}), "ED is 'one'; expected a frame number"),
    "ED is 0": (lambda f: write_patient(f, info={"ED": 0}), "ED is '0'; expected a frame number from 1"),
    "height": (lambda f: write_patient(f, info={"Height": "tall"}), "Height is 'tall'; expected a height in cm"),
    "weight": (lambda f: write_patient(f, info={"Weight": "nan"}), "Weight is 'nan'; expected a weight in kg"),
    "group": (lambda f: write_patient(f, info={"Group": "XYZ"}), "Group is 'XYZ'; expected one of NOR, MINF"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_patient_is_named_or_skipped(acdc, case):
    spoil, message = CASES[case]
    spoil(acdc / PATIENT)
    with pytest.raises(ZooError, match=message) as caught:
        build_acdc(acdc, progress=False)
    assert "patient001" in str(caught.value) and "\n" not in str(caught.value)

    info = build_acdc(acdc, skip_bad=True, progress=False).info
    assert info["skipped"] == [{"patient_id": "patient001", "reason": str(caught.value).replace(f"{acdc}/", "")}]
    assert str(acdc) not in info["skipped"][0]["reason"]  # the card is published, the user's folders are not
    assert sum(len(split["patient_ids"]) for split in info["splits"].values()) == 11


def test_all_frames_needs_the_cine_series(acdc):
    with pytest.raises(ZooError, match=r"patient001_4d.nii.gz: not found; expected the cine series"):
        build_acdc(acdc, all_frames=True, progress=False)


@pytest.mark.parametrize(
    "shape, message", [((40, 36, 6, 2), "2 frames; Info.cfg says ED is 1"), ((40, 36, 5, 4), r"expected \(40, 36, 6\)")]
)
def test_cine_series_must_fit(acdc, shape, message):
    array = np.random.default_rng(0).integers(0, 99, shape).astype(np.int16)
    write_nifti(acdc / PATIENT / "patient001_4d.nii.gz", array)
    with pytest.raises(ZooError, match=message):
        build_acdc(acdc, all_frames=True, progress=False)


def test_sources_that_are_not_acdc(acdc, tmp_path):
    layout = r"training/patientNNN/\{Info.cfg"
    with pytest.raises(ZooError, match=f"nowhere: not found; expected a folder or zip file with {layout}"):
        build_acdc(tmp_path / "nowhere", progress=False)
    with pytest.raises(ZooError, match=f"no ACDC patients found; expected {layout}"):
        build_acdc(acdc / "training", progress=False)
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(ZooError, match="neither a folder nor a zip file"):
        build_acdc(tmp_path / "text.zip", progress=False)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(ZooError, match="no ACDC patients found"):
        build_acdc(tmp_path / "empty.zip", progress=False)


def test_a_patient_is_trained_on_or_tested(acdc):
    shutil.copytree(acdc / PATIENT, acdc / "testing" / "patient001")
    with pytest.raises(ZooError, match="patient001 is in training/ and in testing/"):
        build_acdc(acdc, progress=False)


def test_nothing_left(acdc):
    for folder in (acdc / "training").iterdir():
        (folder / "Info.cfg").unlink()
    with pytest.raises(ZooError, match="no image is left for the train split"):
        build_acdc(acdc, skip_bad=True, progress=False)


@pytest.mark.parametrize("preset", ["acdc-65", "phantom-64"])
def test_unknown_preset(acdc, preset):
    with pytest.raises(ZooError, match=f"preset '{preset}': acdc has acdc-64, acdc-128, acdc-180"):
        build_acdc(acdc, preset, progress=False)
