"""M&Ms, M&Ms-2 and Sunnybrook in small, by their public descriptions."""

import nibabel
import numpy as np
import pytest
from fake_acdc import heart, picture_of, write_patient
from fake_dicom import write_slice

from zoo import ZooError
from zoo.datasets import build_acdc, build_mnms, build_mnms2, build_phantom, build_sunnybrook, images, report_text

OTHERS = {0: 0, 1: 3, 2: 2, 3: 1}  # the challenge's label of each of ours


def every(built) -> list[dict]:
    return [row | {"split": name} for name, split in built.dataset.items() for row in split]


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(array, np.diag([-1.5, -1.5, 10, 1])).to_filename(path)


@pytest.fixture
def mnms(tmp_path):
    """Five patients of three vendors, and one without masks; four frames, of which the table names 0 and 2."""
    root = tmp_path / "OpenDataset"
    lines = [",External code,VendorName,Vendor,Centre,ED,ES,Age,Pathology,Sex,Height,Weight"]
    folders = ["Training/Labeled", "Training/Labeled", "Validation", "Testing", "Testing", "Training/Unlabeled"]
    for i, folder in enumerate(folders):
        code = f"A{i}B{i}C{i}"
        masks = np.stack([heart(radius=radius) for radius in (14, 12, 9, 11)], axis=-1)
        pictures = np.stack([picture_of(masks[..., t], seed=10 * i + t) for t in range(4)], axis=-1)
        masks[..., [1, 3]] = 0
        write(root / folder / code / f"{code}_sa.nii.gz", pictures)
        write(root / folder / code / f"{code}_sa_gt.nii.gz", np.vectorize(OTHERS.get)(masks).astype(np.uint8))
        vendor, disease = ("Siemens", "Philips", "GE")[i % 3], ("HCM", "NOR", "LVNC")[i % 3]
        lines.append(f"{i},{code},{vendor},A,{i},0,2,{50 + i},{disease},F,{'' if i == 0 else 170.0 + i},70")
    (root / "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv").write_text("\n".join(lines))
    return tmp_path


def test_mnms(mnms):
    built = build_mnms(mnms, progress=False)
    rows = every(built)
    assert {name: about["patient_ids"] for name, about in built.info["splits"].items()} == {
        "train": ["A0B0C0", "A1B1C1"], "validation": ["A2B2C2"], "test": ["A3B3C3", "A4B4C4"],
    }  # fmt: skip
    assert {(row["frame"], row["phase"]) for row in rows} == {(1, 0), (3, 1)}  # the table counts from 0
    first = next(row for row in rows if row["patient_id"] == "A0B0C0")
    assert (first["vendor"], first["centre"], first["sex"], first["age"]) == ("Siemens", "0", "F", 50)
    assert first["height"] is None and first["weight"] == 70 and first["pixel_spacing"] == [2, 2]
    assert built.dataset["train"].features["pathology"].names == ["NOR", "HCM", "LVNC"]
    # As ACDC has it: blood bright, muscle dark; the right ventricle to the left of the left one
    pictures, masks = images(built.dataset["train"]), images(built.dataset["train"], "mask")
    assert pictures[masks == 3].mean() > pictures[masks == 1].mean() > pictures[masks == 2].mean()
    right, left = (np.argwhere(masks[0, ..., 0] == label).mean(axis=0)[1] for label in (1, 3))
    assert right < left
    assert "set aside: Training/Unlabeled/A5B5C5/A5B5C5_sa.nii.gz: has no masks" in report_text(built.info)
    path = next(mnms.rglob("A4B4C4_sa.nii.gz"))
    path.rename(path.with_name("A4B4C4_SA.nii.gz"))  # as some tools write it
    assert build_mnms(mnms, progress=False).info["splits"] == built.info["splits"]
    path.with_name("A4B4C4_SA.nii.gz").rename(path)
    some = build_mnms(mnms, classes=["HCM"], phases=["ES"], preset="acdc-128", progress=False)
    assert {(row["patient_id"], row["phase"]) for row in every(some)} == {("A0B0C0", 1), ("A3B3C3", 1)}
    next(mnms.rglob("A4B4C4_sa_gt.nii.gz")).unlink()
    with pytest.raises(ZooError, match="its mask Testing/A4B4C4/A4B4C4_sa_gt.nii.gz is not there"):
        build_mnms(mnms, progress=False)
    next(mnms.rglob("*.csv")).unlink()
    with pytest.raises(ZooError, match="holds 0 tables of the diagnoses; expected Training/Labeled"):
        build_mnms(mnms, progress=False)


def test_mnms2(tmp_path):
    lines = ["SUBJECT_CODE,DISEASE,VENDOR,SCANNER,FIELD"]
    for number in (1, 2, 170, 300):
        code = f"{number:03d}"
        lines.append(f"{number},{'HCM' if number < 200 else 'TRI'},SIEMENS,Avanto,1.5")
        for view in ("SA", "LA"):
            for phase, radius in (("ED", 14), ("ES", 9)):
                mask = heart(radius=radius)
                stem = tmp_path / "MnM2" / "dataset" / code / f"{code}_{view}_{phase}"
                write(stem.with_name(f"{stem.name}.nii.gz"), picture_of(mask, seed=number + radius))
                write(stem.with_name(f"{stem.name}_gt.nii.gz"), np.vectorize(OTHERS.get)(mask).astype(np.uint8))
    (tmp_path / "MnM2" / "dataset_information.csv").write_text("\n".join(lines))
    built = build_mnms2(tmp_path, progress=False)
    assert {name: about["patient_ids"] for name, about in built.info["splits"].items()} == {
        "train": ["001", "002"], "validation": ["170"], "test": ["300"],
    }  # fmt: skip
    assert {(row["vendor"], row["field"], row["scanner"]) for row in every(built)} == {("SIEMENS", "1.5", "Avanto")}
    assert {row["phase"] for row in every(built)} == {0, 1}
    assert "001_LA_ED.nii.gz and 7 more: a long-axis view" in report_text(built.info)
    with pytest.raises(ZooError, match="no M&Ms-2; expected dataset_information.csv"):
        build_mnms2(tmp_path / "MnM2" / "dataset", progress=False)


def test_volumes_are_there_once(mnms, acdc):
    image = next(mnms.rglob("A1B1C1_sa.nii.gz"))
    write(image.with_suffix(""), picture_of(heart(), seed=1))
    with pytest.raises(ZooError, match="A1B1C1_sa.nii.gz: has the name of .*A1B1C1_sa.nii, a copy or another image"):
        build_mnms(mnms, progress=False)
    image.with_suffix("").unlink()
    twin = mnms / "OpenDataset" / "Training" / "copy" / image.name
    write(twin, picture_of(heart(), seed=1))
    with pytest.raises(ZooError, match="is of A1B1C1 as .*A1B1C1_sa.nii.gz is, a copy or another image"):
        build_mnms(mnms, progress=False)
    write(next(acdc.rglob("patient001_frame01.nii.gz")).with_suffix(""), picture_of(heart(), seed=1))
    with pytest.raises(ZooError, match="patient001_frame01.nii.gz: has the name of .*patient001_frame01.nii, a copy"):
        build_acdc(acdc, progress=False)


def test_mnms_in_capitals(mnms):
    expected = [row["image"] for row in every(build_mnms(mnms, progress=False))]
    for path in mnms.rglob("*_sa*.nii.gz"):
        path.rename(path.with_name(path.name.replace("_sa", "_SA")))
    assert [row["image"] for row in every(build_mnms(mnms, progress=False))] == expected


def circle(radius, center=(22, 15), points=60) -> str:
    """A contour: `x y` a line, in pixels."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return "\n".join(f"{center[0] + radius * np.cos(a):.2f} {center[1] + radius * np.sin(a):.2f}" for a in angles)


@pytest.fixture
def sunnybrook(tmp_path):
    """Three patients, three slices of four frames; contours of frame 0 (inner and outer) and 2 (inner)."""
    for patient in ("SC-N-02", "SC-HF-I-01", "SC-HYP-10"):
        folder = tmp_path / "images" / patient / "DICOM"
        contours = tmp_path / "contours" / patient.replace("-0", "-") / "contours-manual" / "IRCCI-expert"
        contours.mkdir(parents=True)
        for index in range(3):
            for frame in range(4):
                number = 4 * index + frame + 1
                y, x = np.indices((36, 40))
                distance = np.hypot(x - 22, y - 15)
                inner = (8, 7, 5, 6)[frame]
                pixels = np.where(distance < inner, 900, np.where(distance < 11, 200, 500)) + number
                name = f"IM-0001-{number:04d}"
                write_slice(folder / f"{name}.dcm", pixels, series=f"1.{len(patient)}{patient[-1]}", patient="",
                            position=24.0 - 8 * index, TriggerTime=30.0 * frame, InstanceNumber=number)  # fmt: skip
                if frame in (0, 2):
                    (contours / f"{name}-icontour-manual.txt").write_text(circle(inner))
                if frame == 0:
                    (contours / f"{name}-ocontour-manual.txt").write_text(circle(11))
        write_slice(folder.parent / "loc" / "IM-0009-0001.dcm", np.eye(36, 40) * 9, series="9.9", position=0)
    return tmp_path


def test_sunnybrook(sunnybrook):
    built = build_sunnybrook(sunnybrook, progress=False)
    rows = every(built)
    ids = {row["patient_id"] for row in rows}
    assert ids == {"SC-N-02", "SC-HF-I-01", "SC-HYP-10"} and len(rows) == 18
    assert {(row["frame"], row["phase"]) for row in rows} == {(1, 0), (3, 1)}
    assert built.dataset["train"].features["pathology"].names == ["NOR", "HF-I", "HYP"]
    assert built.info["license"] == "cc0-1.0"
    for row in rows:
        picture, mask = (np.asarray(row[name]).astype(int) for name in ("image", "mask"))
        assert picture[mask == 3].mean() > 215  # the contour lies on its image
        area = (mask == 3).sum() * 4.0
        assert area == pytest.approx(np.pi * ((8, 5)[row["phase"]]) ** 2 * 1.5 * 1.25, rel=0.1)
        wall = (mask == 2).sum() * 4.0
        assert wall == pytest.approx((row["phase"] == 0) * np.pi * (11**2 - 8**2) * 1.5 * 1.25, rel=0.1)
        assert row["slice_thickness"] == 8
    contour = next(sunnybrook.rglob("IM-0001-0001-icontour-manual.txt"))
    contour.write_text("1 2\n3\n")
    with pytest.raises(ZooError, match="no contour"):
        build_sunnybrook(sunnybrook, progress=False)
    (contour.parent / "IM-0001-0099-icontour-manual.txt").write_text(circle(5))
    with pytest.raises(ZooError, match="0 series have the images of its contours; expected one"):
        build_sunnybrook(sunnybrook, progress=False)


def test_classes_and_phases_of_acdc_and_the_phantom(acdc):
    whole, some = build_acdc(acdc, progress=False), build_acdc(acdc, classes=["HCM"], phases=["ES"], progress=False)
    assert some.dataset["train"].features["pathology"].names == ["HCM"]
    kept = [row for row in every(whole) if (row["pathology"], row["phase"]) == (3, 1)]
    assert [(row["patient_id"], row["split"], row["image"]) for row in every(some)] == [
        (row["patient_id"], row["split"], row["image"]) for row in kept
    ]
    with pytest.raises(ZooError, match="has no 'XYZ'; expected some of NOR, MINF, DCM, HCM, RV"):
        build_acdc(acdc, classes=["XYZ"], progress=False)
    phantom, hearts = build_phantom(num_patients=10, progress=False), []
    hearts = build_phantom(num_patients=10, classes=["HCM"], phases=["ED"], progress=False)
    assert {row["patient_id"] for row in every(hearts)} == {"phantom003", "phantom008"}
    assert {row["phase"] for row in every(hearts)} == {0}
    assert next(row["image"] for row in every(phantom) if row["patient_id"] == "phantom003") in [
        row["image"] for row in every(hearts)
    ]


def test_the_centre_of_acdc_can_be_found_otherwise(acdc):
    from zoo.datasets.presets import PRESETS

    def brightest(pictures, spacing):
        return np.where(pictures > 0.8, 3, 0).astype(np.uint8)

    write_patient(acdc / "training" / "patient001", seed=1)
    by_mask = build_acdc(acdc, progress=False)
    by_segmenter = build_acdc(acdc, center="segmenter", segment=brightest, progress=False)
    by_image = build_acdc(acdc, center="image", progress=False)
    assert by_segmenter.info["preprocessing"]["center"] == "centroid of the segmenter's masks"

    def apart(built):
        masks = images(built.dataset["train"], "mask")[..., 0]
        return np.hypot(*(np.argwhere(masks == 3)[:, 1:].mean(axis=0) - 31.5)) * PRESETS["acdc-64"].spacing

    assert apart(by_segmenter) < 2 < apart(by_mask) < apart(by_image)
    with pytest.raises(
        ZooError, match="center 'segmenter': expected one of masks, segmenter, motion, image, and a seg"
    ):
        build_acdc(acdc, center="segmenter", progress=False)
