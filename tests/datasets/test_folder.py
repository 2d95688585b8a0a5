import re
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest
from fake_acdc import heart, picture_of, write_nifti
from fake_dicom import write_slice
from PIL import Image
from pydicom.uid import generate_uid

from zoo import ZooError
from zoo.datasets import build_folder, images


def build(source, **options):
    return build_folder(source, progress=False, **options)


def rows_of(built, patient):
    split = next(split for split in built.dataset.values() if patient in split["patient_id"])
    return split.filter(lambda row: row["patient_id"] == patient)


@pytest.fixture
def dicom(tmp_path):
    """Ten patients of one series, the slices in files whose names have another order."""
    for number in range(10):
        series = generate_uid()
        volume = picture_of(heart(), seed=number)
        for index in range(6):
            path = tmp_path / "dicom" / f"study{number}" / f"IM{5 - index}.dcm"
            pixels = volume[..., index].T + 5 * index
            write_slice(path, pixels, patient=f"Name {number}", series=series, position=8.0 * index)
    return tmp_path / "dicom"


@pytest.fixture
def nifti(tmp_path):
    """Ten volumes, each in a folder of its patient."""
    for number in range(10):
        write_nifti(tmp_path / "nifti" / f"p{number}" / "scan.nii.gz", picture_of(heart(), seed=number))
    return tmp_path / "nifti"


def test_class_folders_in_colour(tmp_path):
    for index, name in enumerate(("red", "blue")):
        (tmp_path / name).mkdir()
        for number in range(10):
            colour = (255 - number, 0, 0) if index == 0 else (0, 0, 255 - number)
            Image.new("RGB", (50, 40), colour).save(tmp_path / name / f"{number}.png")
    built = build(tmp_path, size=16, channels=3)
    assert built.dataset["train"].features["label"].names == ["blue", "red"]
    picture = images(built.dataset["train"])
    assert picture.shape == (16, 16, 16, 3)
    assert (picture[np.array(built.dataset["train"]["label"]) == 0][..., 2] > 200).all()
    assert images(build(tmp_path, size=16).dataset["train"]).shape[1:] == (16, 16, 1)


def test_loose_pictures_have_no_label(tmp_path):
    for number in range(10):
        Image.new("L", (20, 20), 10 * number).save(tmp_path / f"{number}.jpg")
    built = build(tmp_path, size=20)
    assert built.dataset["train"].column_names == ["image"]
    assert {name: split.num_rows for name, split in built.dataset.items()} == {"train": 8, "validation": 1, "test": 1}
    (tmp_path / "class").mkdir()
    Image.new("L", (20, 20)).save(tmp_path / "class" / "a.png")
    with pytest.raises(ZooError, match="0.jpg: lies beside class folders"):
        build(tmp_path)


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    ramp = np.linspace(500, 4000, 64 * 64).reshape(64, 64)
    for number in range(3):
        Image.fromarray((ramp + number).astype(np.uint16)).save(tmp_path / f"{number}.png")
    picture = images(build(tmp_path).dataset["train"])[0, ..., 0]
    np.testing.assert_allclose(picture, np.linspace(0, 255, 64 * 64).reshape(64, 64), atol=1)


def test_nifti(nifti):
    built = build(nifti, size=32)
    assert {name: len(split["patient_ids"]) for name, split in built.info["splits"].items()} == {
        "train": 8,
        "validation": 1,
        "test": 1,
    }
    rows = rows_of(built, "p0")
    assert rows.num_rows == 6 and rows["slice_index"][:] == [0, 1, 2, 3, 4, 5]
    # The square is the shorter side of 36 pixels of 1.5 mm
    assert rows[0]["pixel_spacing"] == pytest.approx([54 / 32] * 2) and rows[0]["original_spacing"] == [1.5, 1.5]
    assert build(nifti, size=32, spacing=2.0).dataset["train"][0]["pixel_spacing"] == [2, 2]


def write_masks(folder, mask=None):
    for image in sorted(folder.rglob("scan.nii.gz")):
        write_nifti(image.with_name("scan_gt.nii.gz"), heart() if mask is None else mask)


def test_masks_lie_on_the_grid_of_their_volumes(nifti):
    without = build(nifti, size=32, spacing=2.0, center="image")
    write_masks(nifti)
    built = build(nifti, size=32, spacing=2.0, center="image")
    assert built.info["preprocessing"]["masks"] == "nearest neighbour"
    for name, split in built.dataset.items():
        np.testing.assert_array_equal(images(split), images(without.dataset[name]))
        greys, masks = images(split), images(split, "mask")
        assert set(np.unique(masks)) == {0, 1, 2, 3}
        medians = [np.median(greys[masks == label]) for label in (0, 2, 1, 3)]  # as bright as `picture_of` makes them
        assert (np.diff(medians) > 20).all()
        # The brightest are the cavity; a mask moved by one pixel would not fit as well
        cavity = greys > (medians[2] + medians[3]) / 2
        fits = [((np.roll(masks, shift, axis=2) == 3) == cavity).mean() for shift in (-1, 0, 1)]
        assert max(fits) == fits[1] > 0.97


def test_masks_turn_with_their_volumes(tmp_path):
    mask = heart((40, 40, 6))
    for name, step in (("lps", 1), ("ras", -1)):
        for ending, array in (("", picture_of(mask, seed=0)), ("_gt", mask)):
            affine = np.diag([-1.5 * step, -1.5 * step, 10, 1])
            nibabel.Nifti1Image(array[::step, ::step], affine).to_filename(tmp_path / f"{name}{ending}.nii")
    built = build(tmp_path)
    one, other = (images(rows_of(built, name), "mask") for name in ("lps", "ras"))
    np.testing.assert_array_equal(one, other)
    assert set(np.unique(one)) == {0, 1, 2, 3}


def test_unusable_masks_are_named(nifti):
    write_masks(nifti)
    path = nifti / "p3" / "scan_gt.nii.gz"
    write_nifti(path, heart()[..., :5])
    with pytest.raises(
        ZooError, match=r"scan_gt.nii.gz: mask of shape \(40, 36, 5\); expected its image's \(40, 36, 6"
    ):
        build(nifti)
    write_nifti(path, heart() + np.float32(0.5))
    with pytest.raises(ZooError, match="p3/scan_gt.nii.gz: has values that are no labels"):
        build(nifti)
    path.unlink()
    with pytest.raises(ZooError, match="p3/scan.nii.gz: has no p3/scan_gt.nii.gz; expected masks of all images or of"):
        build(nifti)


def test_pictures_have_masks_too(tmp_path):
    random = np.random.default_rng(0)
    pairs = {}
    for number in range(10):
        image, mask = random.integers(256, size=(16, 16), dtype=np.uint8), random.integers(4, size=(16, 16))
        pairs[image.tobytes()] = mask
        for name, array in ((f"{number}.png", image), (f"{number}_gt.png", mask.astype(np.uint8))):
            (tmp_path / "HCM").mkdir(exist_ok=True)
            Image.fromarray(array).save(tmp_path / "HCM" / name)
    built = build(tmp_path, size=16)
    assert {name: split.num_rows for name, split in built.dataset.items()} == {"train": 8, "validation": 1, "test": 1}
    for split in built.dataset.values():
        assert split.column_names == ["image", "mask", "label"]
        for image, mask in zip(images(split), images(split, "mask"), strict=True):
            np.testing.assert_array_equal(mask[..., 0], pairs[image.tobytes()])
    coloured = Image.open(tmp_path / "HCM" / "7_gt.png")
    coloured.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    coloured.save(tmp_path / "HCM" / "7_gt.png")
    assert build(tmp_path, size=16).info["fingerprint"] == built.info["fingerprint"]
    coloured.convert("RGB").save(tmp_path / "HCM" / "7_gt.png")
    with pytest.raises(ZooError, match="7_gt.png: mask of mode RGB; expected 8-bit labels"):
        build(tmp_path)
    (tmp_path / "HCM" / "7_gt.png").write_bytes(b"x")
    with pytest.raises(ZooError, match="7_gt.png: no readable picture"):
        build(tmp_path)
    Image.new("L", (16, 15)).save(tmp_path / "HCM" / "7_gt.png")
    with pytest.raises(ZooError, match=r"7_gt.png: mask of \(16, 15\) pixels; expected its image's \(16, 16\)"):
        build(tmp_path)


def test_nifti_is_shown_upright_whatever_its_axes(tmp_path):
    volume = picture_of(heart((40, 40, 6)), seed=0)
    turned = {"lps": volume, "ras": volume[::-1, ::-1], "las": volume[:, ::-1]}
    for name, array in turned.items():
        signs = [-1 if code in "lp" else 1 for code in name[:2]]
        image = nibabel.Nifti1Image(array, np.diag([*np.multiply(signs, 1.5), 10, 1]))
        image.to_filename(tmp_path / f"{name}.nii")
    built = build(tmp_path)
    assert built.info["duplicates"] == [["las", "lps", "ras"]]  # turned back, they are the same
    pictures = [images(rows_of(built, name)) for name in turned]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(pictures[0], pictures[2])


def test_flat_nifti_is_one_slice(tmp_path):
    for number in range(3):
        write_nifti(tmp_path / f"p{number}.nii.gz", picture_of(heart()[..., 0], seed=number), (1.5, 1.5))
    built = build(tmp_path)
    assert sorted(sum((split["patient_ids"] for split in built.info["splits"].values()), [])) == ["p0", "p1", "p2"]
    assert built.dataset["train"]["num_slices"][:] == [1]


def test_dicom_series(dicom):
    built = build(dicom, size=32, spacing=2.0)
    ids = sum((split["patient_ids"] for split in built.info["splits"].values()), [])
    assert len(ids) == 10 and all(re.fullmatch("p-[0-9a-f]{12}", name) for name in ids)  # names are not stored
    assert (
        built.info["ids"] == "hashed"
        and built.info["fingerprint"] == build(dicom, size=32, spacing=2.0).info["fingerprint"]
    )
    kept = build(dicom, size=32, spacing=2.0, keep_ids=True)
    assert kept.info["ids"] == "kept"
    rows = rows_of(kept, "Name 0")
    assert rows.num_rows == 6 and rows[0]["original_spacing"] == [1.5, 1.25] and rows[0]["slice_thickness"] == 8
    assert (np.diff(images(rows).mean(axis=(1, 2, 3))) > 2).all()  # ordered by position


def test_dicom_without_ending_and_from_a_zip(dicom, tmp_path):
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        for path in sorted(dicom.rglob("*.dcm")):
            archive.write(path, str(path.relative_to(dicom)).removesuffix(".dcm"))
        archive.writestr("README", "not an image")
    built, expected = build(tmp_path / "scans.zip"), build(dicom)
    assert built.info["fingerprint"] == expected.info["fingerprint"]


def test_inverted_dicom_is_turned_back(dicom):
    expected = images(rows_of(build(dicom, keep_ids=True), "Name 0"))
    for path in (dicom / "study0").iterdir():
        header = pydicom.dcmread(path)
        header.PixelData = (4000 - header.pixel_array).astype(np.uint16).tobytes()
        header.PhotometricInterpretation = "MONOCHROME1"
        header.save_as(path)
    np.testing.assert_allclose(images(rows_of(build(dicom, keep_ids=True), "Name 0")), expected, atol=1)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"PixelSpacing": None}, "IM0.dcm: missing PixelSpacing"),
        ({"SeriesInstanceUID": None}, "IM0.dcm: missing SeriesInstanceUID"),
        ({"PixelData": b"\0\0"}, "IM0.dcm: no readable DICOM image"),
    ],
)
def test_bad_dicom(dicom, fields, message):
    path = dicom / "study0" / "IM0.dcm"
    series = pydicom.dcmread(path).SeriesInstanceUID
    write_slice(path, np.ones((36, 40)), series=series, position=40.0, patient="Name 0", **fields)
    with pytest.raises(ZooError, match=message):
        build(dicom)
    assert [entry["item"] for entry in build(dicom, skip_bad=True).info["skipped"]] == ["study0/IM0.dcm"]


def test_dicom_series_of_two_shapes(dicom):
    path = dicom / "study0" / "IM0.dcm"
    series = pydicom.dcmread(path).SeriesInstanceUID
    write_slice(path, np.ones((10, 10)), series=series, position=0, patient="Name 0")
    with pytest.raises(ZooError, match=r"study0/IM0.dcm: slices of shapes \[\(10, 10\), \(36, 40\)\]"):
        build(dicom)


def test_bad_nifti_is_named_or_skipped(nifti):
    (nifti / "p3" / "scan.nii.gz").write_bytes(b"x")
    write_nifti(nifti / "p4" / "scan.nii.gz", np.full((9, 9, 2), 5, np.int16))
    write_nifti(nifti / "p5" / "scan.nii.gz", np.full((9, 9, 2, 2), 5, np.int16))
    with pytest.raises(ZooError, match="p3/scan.nii.gz: truncated or no NIfTI"):
        build(nifti)
    skipped = build(nifti, skip_bad=True).info["skipped"]
    assert [entry["item"] for entry in skipped] == [f"p{number}/scan.nii.gz" for number in (3, 4, 5)]
    assert all("all values are 5" in entry["reason"] for entry in skipped[1:])


def test_bad_requests(nifti, tmp_path):
    with pytest.raises(ZooError, match="channels 2"):
        build(nifti, channels=2)
    with pytest.raises(ZooError, match="NIfTI is grey; expected 1 channel"):
        build(nifti, channels=3)
    with pytest.raises(ZooError, match="spacing 0"):
        build(nifti, spacing=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ZooError, match="holds nothing usable; expected pictures"):
        build(tmp_path / "empty")
    Image.new("L", (8, 8)).save(nifti / "a.png")
    with pytest.raises(ZooError, match="holds NIfTI and pictures; expected"):
        build(nifti)


@pytest.mark.parametrize("name", ["laendo.nii", "RV.nii"])
def test_a_map_of_labels_is_no_image(tmp_path, name):
    write_nifti(tmp_path / "p1" / "lge.nii", picture_of(heart(), seed=0))
    write_nifti(tmp_path / "p1" / name, heart())
    with pytest.raises(ZooError, match=f"p1/{name}: has 4 different values, as a mask has; expected an image"):
        build(tmp_path)


def test_options_that_contradict_or_say_nothing_are_refused(nifti):
    for options, message in (
        ({"preset": "acdc-64", "size": 128}, "size 128: the preset acdc-64 has 64"),
        ({"preset": "acdc-64", "spacing": 1.0}, "spacing 1.0: the preset acdc-64 has 2.0"),
        ({"frames": [5]}, "p0/scan.nii.gz: has 1 frame; expected --frames 1, or none"),
        ({"frames": "ed-es"}, "p0/scan.nii.gz: ED and ES are unknown"),
        ({"mask_labels": {1: 3}}, "has no masks; expected no --mask-labels"),
    ):
        with pytest.raises(ZooError, match=message):
            build(nifti, **options)
    assert build(nifti, preset="acdc-64", size=64).info["preprocessing"]["spacing_mm"] == 2
