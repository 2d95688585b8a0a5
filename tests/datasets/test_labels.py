"""Tables, labels of masks, frames of cine series, and where the heart is."""

import nibabel
import numpy as np
import pytest
from fake_acdc import heart, picture_of, write_nifti, write_patient

from zoo import ZooError
from zoo.datasets import build_folder, images, report_text
from zoo.datasets.tables import read_csv, read_labels


def build(source, **options):
    return build_folder(source, progress=False, **options)


def every(built) -> list[dict]:
    return [row for split in built.dataset.values() for row in split]


def cine(radii=(14, 12, 9, 11), labelled=(0, 2), shape=(40, 36, 3), shift=0):
    """A beating heart, and its masks at some frames."""
    masks = np.stack([heart((*shape[:2], 6), radius=radius)[..., : shape[2]] for radius in radii], axis=-1)
    masks = np.roll(masks, shift, axis=0)
    pictures = np.stack([picture_of(masks[..., i], seed=7) for i in range(len(radii))], axis=-1)  # the rest is still
    kept = np.zeros_like(masks)
    kept[..., list(labelled)] = masks[..., list(labelled)]
    return pictures, kept


@pytest.fixture
def volumes(tmp_path):
    for number in range(10):
        write_nifti(tmp_path / "in" / f"p{number}.nii.gz", picture_of(heart(), seed=number))
    return tmp_path / "in"


def test_a_table_of_patients(volumes, tmp_path):
    lines = ["patient;Pathology;phase;age;hospital"]
    words = ["hypertrophic cardiomyopathy", "Normal", "amyloidosis"]
    lines += [f"p{i};{words[i % 3]};ED;{40 + i};{'AB'[i % 2]}" for i in range(10)]
    table = tmp_path / "labels.csv"
    table.write_bytes("\r\n".join(lines).encode("utf-16"))
    built = build(volumes, labels=table)
    features = built.dataset["train"].features
    assert features["pathology"].names == ["NOR", "HCM", "amyloidosis"]
    for row in every(built):
        number = int(row["patient_id"][1:])
        assert row["pathology"] == [1, 0, 2][number % 3] and row["phase"] == 0
        assert (row["age"], row["hospital"]) == (40 + number, "AB"[number % 2])
    assert "class: by the table labels.csv" in report_text(built.info)
    one = build(volumes, labels=table, classes=["HCM"])
    assert {row["patient_id"] for row in every(one)} == {"p0", "p3", "p6", "p9"}
    assert one.dataset["train"].features["pathology"].names == ["HCM"]
    with pytest.raises(ZooError, match="has no 'DCM'; expected some of NOR, HCM, amyloidosis"):
        build(volumes, labels=table, classes=["DCM"])
    with pytest.raises(ZooError, match="no frame is left of the phases ES"):
        build(volumes, labels=table, phases=["ES"])
    table.write_text("patient,group\np0,HCM\n")
    with pytest.raises(ZooError, match="labels.csv: has no line for p1; expected one of every patient"):
        build(volumes, labels=table)
    assert {row["patient_id"] for row in every(build(volumes, labels=table, skip_bad=True))} == {"p0"}
    # All of ACDC's classes have ACDC's numbers
    table.write_text("file,group\n" + "".join(f"p{i}.nii.gz,ARV\n" for i in range(10)))
    built = build(volumes, labels=table)
    assert built.dataset["train"].features["pathology"].names[every(built)[0]["pathology"]] == "RV"
    assert every(built)[0]["pathology"] == 4


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "has no column of patients or files"),
        ("a,b\n1,2\n", "has no column of patients or files"),
        ("patient,group\n", "x.csv: has no line; expected one a patient or file"),
        ("patient,group\np1,HCM\np1,NOR\n", "p1 is named twice"),
        ("patient,phase\np1,XX\n", "p1: phase is 'XX'; expected ED or ES"),
        ("patient,ed\np1,0\n", "p1: ed is '0'; expected a frame number from 1"),
        ("patient,a,a\np1,2,3\n", "has the column a twice"),
        ("patient,a\np1,2,3\n", "line 2 has more values than the header"),
        ("PK\3\4 sheet", "is an Excel workbook; expected a table saved as CSV"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ZooError, match=message):
        read_labels(tmp_path / "x.csv")


@pytest.mark.parametrize(
    "content",
    [
        "patient;pathology;town\r\np1;HCM;Würzburg\r\n".encode("cp1252"),  # as Excel saves a CSV
        "sep=;\r\npatient;pathology;town\r\np1;HCM;Würzburg\r\n".encode("utf-8-sig"),
        '"patient" , "pathology", "town"\n" p1 ", "HCM ", "Würzburg"\n'.encode(),
        "patient\tpathology\ttown\rp1\tHCM\tWürzburg\r".encode(),
        "patient,pathology,town,,\n\np1,HCM,Würzburg,,\n,,,,\n".encode(),
    ],
)
def test_tables_of_any_program(tmp_path, content):
    (tmp_path / "x.csv").write_bytes(content)
    found, of_files = read_labels(tmp_path / "x.csv")
    assert not of_files and list(found) == ["p1"]
    assert (found["p1"].pathology, found["p1"].columns) == ("HCM", {"town": "Würzburg"})


def test_a_table_divides_and_its_frames_are_the_ones_taken(volumes, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("patient,Split\n" + "".join(f"p{i},{['Training', 'val', 'test'][i % 3]}\n" for i in range(10)))
    built = build(volumes, labels=table)
    assert set(built.dataset["test"]["patient_id"]) == {"p2", "p5", "p8"}
    assert set(built.dataset["validation"]["patient_id"]) == {"p1", "p4", "p7"}
    assert built.info["report"]["rules"]["split"] == "the table labels.csv"
    assert "class" not in built.info["report"]["rules"]
    table.write_text("patient,split\n" + "".join(f"p{i},{'train' if i else ''}\n" for i in range(10)))
    with pytest.raises(ZooError, match="says no split of p0.nii.gz; expected train, validation or test of all"):
        build(volumes, labels=table)
    table.write_text("patient,split\np1,2\n")
    with pytest.raises(ZooError, match="p1: split is '2'; expected train, validation or test"):
        read_labels(table)
    table.write_text("patient,mask\n" + "".join(f"p{i},1\n" for i in range(10)))
    with pytest.raises(ZooError, match="column 'mask' has the name of one of the dataset's own; expected another"):
        build(volumes, labels=table)
    pictures, masks = cine()
    write_nifti(tmp_path / "cine" / "p1.nii.gz", pictures)
    table.write_text("patient,frame\np1,2\np1,4\n")
    assert {row["frame"] for row in every(build(tmp_path / "cine", labels=table))} == {2, 4}


def test_a_table_may_not_contradict_folders(tmp_path):
    for split, number in (("train", 1), ("val", 2), ("test", 3)):
        write_nifti(tmp_path / "in" / split / f"p{number}" / "a.nii", picture_of(heart(), seed=number))
    (tmp_path / "x.csv").write_text("patient,split\np1,train\np2,val\np3,train\n")
    with pytest.raises(ZooError, match="test/p3/a.nii is in split train; its folder says test"):
        build(tmp_path / "in", labels=tmp_path / "x.csv")


def test_names_that_differ_by_case_alone_are_refused(tmp_path):
    for number, name in enumerate(("train/p1", "val/p2", "test/P1")):
        write_nifti(tmp_path / name / f"{number}.nii", picture_of(heart(), seed=number))
    with pytest.raises(ZooError, match="may be of one patient or of two, by names P1 and p1; expected one spelling"):
        build(tmp_path)


@pytest.mark.parametrize("values", [np.array([0, 0.99999, 2.0001, 2.9999]), np.array([0, 100, 200, 300]) * 0.01])
def test_labels_that_were_scaled_or_rounded_are_whole(tmp_path, values):
    write_nifti(tmp_path / "p1" / "a.nii", picture_of(heart(), seed=0))
    write_nifti(tmp_path / "p1" / "a_gt.nii", values[heart()].astype(np.float32))
    found = images(build(tmp_path, size=36).dataset["train"], "mask")
    assert np.bincount(found.ravel()).tolist() == np.bincount(heart()[2:38].ravel()).tolist()
    write_nifti(tmp_path / "p1" / "a_gt.nii", heart() * np.float32(0.9))  # smoothed: which label it was is unknown
    with pytest.raises(ZooError, match="has values that are no labels; expected whole numbers from 0 to 255"):
        build(tmp_path)


def test_a_table_with_a_mark(tmp_path):
    (tmp_path / "x.csv").write_bytes(b'\xef\xbb\xbfimage_id, dx \r\n1,"a,b"\r\n')
    assert read_csv(tmp_path / "x.csv", ("image_id", "dx")) == [{"image_id": "1", "dx": "a,b"}]


@pytest.mark.parametrize(
    "mapping, values",
    [
        ({1: 3, 2: 2, 3: 1}, {1: 3, 2: 2, 3: 1}),  # M&Ms: left ventricle, myocardium, right ventricle
        ({1: 3, 2: 2, 3: 2, 4: 2}, {3: 1, 2: 2, 4: 3}),  # EMIDEC: cavity, myocardium, infarct, no reflow; no right one
    ],
)
def test_labels_of_masks_are_mapped_many_to_one(tmp_path, mapping, values):
    mask = heart()
    stored = np.zeros_like(mask)
    for value, label in values.items():
        stored[mask == label] = value
    write_nifti(tmp_path / "p1" / "a.nii", picture_of(mask, seed=0))
    write_nifti(tmp_path / "p1" / "a_gt.nii", stored)
    found = images(build(tmp_path, mask_labels=mapping, size=36).dataset["train"], "mask")
    expected = {0, *(mapping[value] for value in values)}
    assert set(np.unique(found)) == expected
    with pytest.raises(ZooError, match="a_gt.nii: mask has the value 2, which --mask-labels does not name"):
        build(tmp_path, mask_labels={1: 3, 3: 1, 4: 2})


def test_frames_of_a_cine_series(tmp_path):
    pictures, masks = cine()
    write_nifti(tmp_path / "in" / "p1" / "a_sa.nii.gz", pictures)
    write_nifti(tmp_path / "in" / "p1" / "a_sa_gt.nii.gz", masks)
    labelled = every(build(tmp_path / "in", spacing=1.5))
    assert {(row["frame"], row["phase"]) for row in labelled} == {(1, 0), (3, 1)}  # the largest and smallest cavity
    assert all(row["mask"] is not None for row in labelled)
    whole = every(build(tmp_path / "in", spacing=1.5, frames="all"))
    assert {(row["frame"], row["phase"], row["mask"] is None) for row in whole} == {
        (1, 0, False), (2, -1, True), (3, 1, False), (4, -1, True),
    }  # fmt: skip
    assert {row["frame"] for row in every(build(tmp_path / "in", frames=[2, 4]))} == {2, 4}
    assert {row["frame"] for row in every(build(tmp_path / "in", frames="ed-es", phases=["ES"]))} == {3}
    with pytest.raises(ZooError, match="a_sa.nii.gz: has 4 frames; expected --frames from 1 to 4"):
        build(tmp_path / "in", frames=[5])
    (tmp_path / "in" / "p1" / "a_sa_gt.nii.gz").unlink()
    assert {row["frame"] for row in every(build(tmp_path / "in"))} == {1, 2, 3, 4}
    with pytest.raises(ZooError, match="ED and ES are unknown; expected masks of both, --segment or --labels"):
        build(tmp_path / "in", frames="ed-es")
    (tmp_path / "labels.csv").write_text("patient,frame,phase\np1,2,ED\np1,4,ES\n")
    named = every(build(tmp_path / "in", labels=tmp_path / "labels.csv"))
    assert {(row["frame"], row["phase"]) for row in named} == {(2, 0), (4, 1)}


def bright(pictures, spacing):
    """A segmenter of the fakes: what is brightest is the cavity."""
    assert pictures.dtype == np.float32 and 0 <= pictures.min() <= pictures.max() <= 1 and spacing == (1.5, 1.5)
    return np.where(pictures > 0.85, 3, 0).astype(np.uint8)


def test_a_segmenter_finds_phases_and_hearts_and_makes_masks(tmp_path):
    pictures, _ = cine(shift=5)
    write_nifti(tmp_path / "p1" / "a.nii.gz", pictures)
    built = build(tmp_path, spacing=1.5, segment=bright, frames="ed-es", predict_masks=True)
    assert {(row["frame"], row["phase"]) for row in every(built)} == {(1, 0), (3, 1)}
    masks = images(built.dataset["train"], "mask")[..., 0]
    np.testing.assert_allclose(np.argwhere(masks == 3)[:, 1:].mean(axis=0), 31.5, atol=0.6)
    assert "predicted by a segmenter" in built.info["preprocessing"]["masks"]
    assert "a segmenter's prediction" in report_text(built.info)
    with pytest.raises(ZooError, match="segment: expected a segmenter"):
        build(tmp_path, predict_masks=True)


@pytest.mark.parametrize("center", ["masks", "segmenter", "motion", "image", None])
def test_the_heart_is_put_in_the_middle(tmp_path, center):
    pictures, masks = cine(shift=6)
    write_nifti(tmp_path / "p1" / "a.nii.gz", pictures)
    write_nifti(tmp_path / "p1" / "a_gt.nii.gz", masks)
    built = build(tmp_path, spacing=1.5, center=center, segment=bright if center == "segmenter" else None)
    found = images(built.dataset["train"], "mask")[..., 0]
    center_of = np.argwhere(found > 0)[:, 1:].mean(axis=0)
    away = np.hypot(*(center_of - 31.5)) * 1.5
    if center == "image":
        assert away > 10 and built.info["preprocessing"]["center"] == "image centre"
    else:
        assert away < {"motion": 8, "segmenter": 5}.get(center, 1)
        assert "mm from the image's" in report_text(built.info)


def test_a_preset_places_a_folder_as_it_does_acdc(acdc, tmp_path):
    from zoo.datasets import build_acdc

    write_patient(tmp_path / "own" / "patient001", group="MINF", seed=1)
    for row in every(build(tmp_path / "own", preset="acdc-64")):
        found = every(build_acdc(acdc, progress=False))
        same = next(r for r in found if all(r[k] == row[k] for k in ("patient_id", "frame", "slice_index")))
        assert row["image"] == same["image"] and row["mask"] == same["mask"]
        names = ("phase", "slice_level", "pixel_spacing", "height", "weight", "pathology")
        assert all(row[name] == same[name] for name in names)
        break


def test_patients_who_share_a_slice_share_a_split_and_none_is_trained_and_tested_on(tmp_path):
    for number in range(8):
        split = "test" if number > 5 else "train"
        write_nifti(tmp_path / split / f"p{number}" / "a.nii", picture_of(heart(), seed=number))
    twin = picture_of(heart(), seed=6)
    write_nifti(
        tmp_path / "train" / "p0" / "a.nii", np.concatenate([picture_of(heart(), seed=0)[..., :5], twin[..., 5:]], 2)
    )
    info = build(tmp_path).info
    assert info["splits"]["test"]["patient_ids"] == ["p6", "p7"]
    assert info["skipped"] == [{"item": "p0", "reason": "same images as p6 of the test patients"}]
    assert len(info["splits"]["train"]["patient_ids"]) == 4 and len(info["splits"]["validation"]["patient_ids"]) == 1
    write_nifti(tmp_path / "test" / "p1" / "b.nii", picture_of(heart(), seed=11))
    with pytest.raises(ZooError, match="patient p1: has the splits test and train; expected one"):
        build(tmp_path)


def test_the_report_says_what_was_taken_for_what(tmp_path):
    for number in range(6):
        write_nifti(tmp_path / "HCM" / f"p{number}" / "a.nii", picture_of(heart(), seed=number))
        write_nifti(tmp_path / "HCM" / f"p{number}" / "a_gt.nii", heart())
    nibabel.Nifti1Image(picture_of(heart(), seed=9), None).to_filename(tmp_path / "HCM" / "p9.nii")
    (tmp_path / "HCM" / "notes.txt").write_text("hello")
    write_nifti(tmp_path / "HCM" / "p7_gt.nii", heart())
    with pytest.raises(ZooError, match="HCM/p9.nii: has no HCM/p9_gt.nii; expected masks of all images or of none"):
        build(tmp_path)
    (tmp_path / "HCM" / "p9.nii").unlink()
    report = report_text(build(tmp_path).info)
    for line in (
        "images: 36",
        "patients: 6, of 6 images each",
        "masks: of 36 images",
        "patient: by the folder named after a patient",
        "class: by the folder above a patient's, or one named after a class",
        "set aside: HCM/notes.txt: no image",
        "set aside: HCM/p7_gt.nii: is named as a mask, and its image is not there",
        "lengths are those of pixdim",
    ):
        assert line in report, report


def test_pictures_are_labelled_by_a_table_of_files(tmp_path):
    from PIL import Image

    (tmp_path / "in").mkdir()
    for number in range(6):
        array = np.random.default_rng(number).integers(0, 255, (9, 9), dtype=np.uint8)
        Image.fromarray(array).save(tmp_path / "in" / f"{number}.png")
    table = tmp_path / "labels.csv"
    table.write_text("file,class\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(6)))
    built = build(tmp_path / "in", labels=table, size=9)
    assert built.dataset["train"].features["label"].names == ["a", "b"]
    assert sorted(row["label"] for row in every(built)) == [0, 0, 0, 1, 1, 1]
    table.write_text("file,class\n0.png,a\n")
    with pytest.raises(ZooError, match="labels.csv: has no class of 1.png"):
        build(tmp_path / "in", labels=table)


@pytest.mark.parametrize("told", ["origins", "nothing", "no orientation"])
def test_scans_of_one_patient_are_centred_each_on_its_own_heart(tmp_path, told):
    for visit, shift in enumerate((-8, 9)):
        for phase, radius in (("ED", 12), ("ES", 9)):
            mask = np.roll(heart((60, 60, 4), (28, 28), radius=radius), shift, axis=0)
            affine = np.diag([-1.5, -1.5, 8, 1])
            affine[0, 3] = 40 * visit if told == "origins" else 0
            for name, array in (("", picture_of(mask, seed=visit)), ("_gt", mask)):
                nifti = nibabel.Nifti1Image(array, None if told == "no orientation" else affine)
                nifti.header.set_zooms((1.5, 1.5, 8))
                path = tmp_path / "patient1" / f"visit{visit}_{phase}{name}.nii"
                path.parent.mkdir(exist_ok=True)
                nifti.to_filename(path)
    built = build(tmp_path, spacing=1.5)
    found = images(built.dataset["train"], "mask")[..., 0]
    assert len(found) == 16
    for first in range(0, 16, 4):
        center = np.argwhere(found[first : first + 4] > 0)[:, 1:].mean(axis=0)
        np.testing.assert_allclose(center, 31.5, atol=1.5)


def test_large_values_of_masks_are_mapped_or_refused(tmp_path):
    write_nifti(tmp_path / "p1" / "a.nii", picture_of(heart(), seed=0))
    write_nifti(tmp_path / "p1" / "a_gt.nii", np.array([0, 600, 200, 500], np.int16)[heart()])
    with pytest.raises(ZooError, match="mask has the values 200, 500, 600; expected at most 255, or --mask-labels"):
        build(tmp_path)
    found = images(build(tmp_path, mask_labels={600: 1, 200: 2, 500: 3}, size=36).dataset["train"], "mask")
    assert np.bincount(found.ravel()).tolist() == np.bincount(heart()[2:38].ravel()).tolist()
    write_nifti(tmp_path / "p1" / "a_gt.nii", picture_of(heart(), seed=1))
    with pytest.raises(ZooError, match="a_gt.nii: mask has .* different values; expected labels"):
        build(tmp_path)


def test_labels_that_are_none_of_the_zoos_are_said(tmp_path):
    write_nifti(tmp_path / "p1" / "a.nii", picture_of(heart(), seed=0))
    write_nifti(tmp_path / "p1" / "a_gt.nii", heart() + (heart() == 3).astype(np.uint8))
    assert "mask has the labels 4, which are none of 0 background" in report_text(build(tmp_path).info)


def test_classes_that_differ_by_case_are_one(volumes, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("patient,group\n" + "".join(f"p{i},{['Amyloid', 'amyloid'][i % 2]}\n" for i in range(10)))
    built = build(volumes, labels=table, classes=["amyloid"])
    assert built.dataset["train"].features["pathology"].names == ["Amyloid"]
    assert "note: class: amyloid is taken for Amyloid" in report_text(built.info)
