"""Roles of files by their names: known layouts, and what may mean two things."""

import pytest

from zoo import ZooError
from zoo.datasets.layouts import read_layout

VOLUMES, PICTURES = "NIfTI", "pictures"


def told(names, kind=VOLUMES, **options) -> dict:
    """Patient, class, split and mask of each image, as far as they are known."""
    entries = read_layout(names, kind, **options).entries.values()
    keys = ("patient", "label", "split", "mask", "phase", "frame")
    return {entry.name: {key: value for key in keys if (value := getattr(entry, key)) is not None} for entry in entries}


def test_nnunet_and_decathlon():
    names = [
        "imagesTr/case_001_0000.nii.gz", "imagesTr/case_001_0001.nii.gz", "labelsTr/case_001.nii.gz",
        "imagesTs/case_002_0000.nii.gz",
    ]  # fmt: skip
    assert told(names) == {
        "imagesTr/case_001_0000.nii.gz": {"patient": "case_001", "split": "train", "mask": "labelsTr/case_001.nii.gz"},
        "imagesTs/case_002_0000.nii.gz": {"patient": "case_002", "split": "test"},
    }
    assert read_layout(names, VOLUMES).aside == [
        {"item": "imagesTr/case_001_0001.nii.gz", "reason": "another channel than the first, _0000"}
    ]
    heart = told(["imagesTr/la_003.nii.gz", "labelsTr/la_003.nii.gz", "imagesTs/la_004.nii.gz"])
    assert heart["imagesTr/la_003.nii.gz"]["mask"] == "labelsTr/la_003.nii.gz"
    assert [entry["patient"] for entry in heart.values()] == ["003", "004"]


def test_bids():
    image = "sub-01/ses-a/anat/sub-01_ses-a_acq-sax_cine.nii.gz"
    mask = "derivatives/manual/sub-01/ses-a/anat/sub-01_ses-a_acq-sax_desc-heart_dseg.nii.gz"
    other = "sub-02/anat/sub-02_acq-sax_cine.nii.gz"
    assert told([image, mask, other]) == {
        image: {"patient": "sub-01", "mask": mask},
        other: {"patient": "sub-02"},
    }


def test_split_folders_with_classes_and_patients():
    names = [
        f"{split}/{group}/{i}.png" for i, split in enumerate(("train", "val", "test")) for group in ("sick", "well")
    ]
    found = told(names, PICTURES)
    assert found["val/sick/1.png"] == {"label": "sick", "split": "validation"}
    names = ["training/HCM/patient001/ED.nii", "training/HCM/patient001/ES.nii", "testing/NOR/patient009/scan.nii"]
    assert told(names) == {
        names[0]: {"patient": "patient001", "label": "HCM", "split": "train", "phase": "ED"},
        names[1]: {"patient": "patient001", "label": "HCM", "split": "train", "phase": "ES"},
        names[2]: {"patient": "patient009", "label": "NOR", "split": "test"},
    }
    found = told(["train/a/1.nii", "train/b/2.nii", "test/a/3.nii", "test/b/4.nii"])
    assert {entry["label"] for entry in found.values()} == {"a", "b"}
    assert len({entry["patient"] for entry in found.values()}) == 4
    with pytest.raises(ZooError, match="c.nii: lies in none of the split folders"):
        read_layout(["train/p1/a.nii", "test/p2/b.nii", "c.nii"], VOLUMES)


def test_masks_beside_images_and_in_folders_of_their_own():
    for image, mask in (
        ("p1/scan.nii.gz", "p1/scan_gt.nii"),
        ("P1/SCAN.NII.GZ", "p1/scan_SEG.nii.gz"),
        ("images/p1.nii", "masks/p1.nii"),
        ("images/p1.nii", "labels/p1_mask.nii"),
        ("Case_N006/Images/Case_N006.nii.gz", "Case_N006/Contours/Case_N006.nii.gz"),
        ("train_images/p1.nii", "train_masks/p1.nii"),
        ("train/images/p1.nii", "train/labels/p1.nii"),
    ):
        (entry,) = told([image, mask]).values()
        assert entry["mask"] == mask
    names = ["a.nii", "a_gt.nii", "b_gt.nii"]
    assert read_layout(names, VOLUMES).aside == [
        {"item": "b_gt.nii", "reason": "is named as a mask, and its image is not there"}
    ]
    with pytest.raises(ZooError, match="b_gt.nii: is a mask by its name, and no image has its name"):
        read_layout(["a.nii", "b_gt.nii"], VOLUMES)
    with pytest.raises(ZooError, match="masks: may be masks whose images are missing, or images"):
        read_layout(["masks/a.nii", "masks/b.nii"], VOLUMES)
    with pytest.raises(ZooError, match="a.png: may have the mask"):
        read_layout(["a.png", "a_gt.png", "a_mask.png"], PICTURES)
    assert len(told(["a.jpg", "a.png"], PICTURES)) == 2
    with pytest.raises(ZooError, match="a.jpg: has a mask and the name of a.png; expected one image a mask"):
        read_layout(["a.jpg", "a.png", "a_gt.png"], PICTURES)
    with pytest.raises(ZooError, match="a.nii: has the name of a.nii.gz, a copy or another image"):
        read_layout(["a.nii", "a.nii.gz"], VOLUMES)


def test_files_of_one_person_are_hers():
    names = [
        "patient001_frame01.nii",
        "patient001_frame12.nii",
        "patient002_frame01.nii",
        "007_SA_ED.nii",
        "007_SA_ES.nii",
    ]
    found = told(names)
    assert [found[name]["patient"] for name in names] == ["patient001", "patient001", "patient002", "007", "007"]
    assert [found[name].get("frame") for name in names[:3]] == [1, 12, 1] and found[names[3]]["phase"] == "ED"
    pages = told(["patient1_slice1.png", "patient1_slice2.png", "patient12_slice1.png"], PICTURES)
    assert [entry["patient"] for entry in pages.values()] == ["patient1", "patient1", "patient12"]


def test_long_axis_views_and_cine_series_beside_frames_are_set_aside():
    layout = read_layout(["1/1_SA_ED.nii", "1/1_SA_ES.nii", "1/1_LA_ED.nii", "1/1_SA_CINE.nii"], VOLUMES)
    assert sorted(layout.entries) == ["1/1_SA_ED.nii", "1/1_SA_ES.nii"]
    assert {entry["item"]: entry["reason"] for entry in layout.aside} == {
        "1/1_LA_ED.nii": "a long-axis view beside short-axis ones",
        "1/1_SA_CINE.nii": "a cine series beside files of its frames",
    }
    assert list(told(["1/1_sa_4d.nii"])) == ["1/1_sa_4d.nii"]  # alone it is what there is


def test_what_may_mean_two_things_is_refused_with_both_readings():
    names = ["anna/one.nii", "anna/two.nii", "berta/three.nii"]
    with pytest.raises(ZooError, match="anna: may be one patient with several scans, or a class of several patients"):
        read_layout(names, VOLUMES)
    assert {entry["patient"] for entry in told(names, folders="patients").values()} == {"anna", "berta"}
    as_classes = told(names, folders="classes")
    assert {entry["label"] for entry in as_classes.values()} == {"anna", "berta"}
    assert {entry["patient"] for entry in as_classes.values()} == {"anna-one", "anna-two", "berta-three"}
    # One file a folder is one patient a folder, and a disease is a class
    assert {entry["patient"] for entry in told(["anna/one.nii", "berta/two.nii"]).values()} == {"anna", "berta"}
    diseases = told(["hypertrophic cardiomyopathy/1.nii", "normal/1.nii", "normal/2.nii"])
    assert len({entry["patient"] for entry in diseases.values()}) == 3
    with pytest.raises(ZooError, match="x/a.nii: lies in no class folder|a.nii: lies in no class folder"):
        read_layout(["HCM/1.nii", "a.nii"], VOLUMES)


@pytest.mark.parametrize(
    "image, mask",
    [
        ("1001/sa_ED.nii.gz", "1001/label_sa_ED.nii.gz"),  # UK Biobank
        ("image_000.nii.gz", "mask_000.nii.gz"),
        ("mr_train_1001_image.nii.gz", "mr_train_1001_label.nii.gz"),  # MM-WHS
        ("p0/image.nii.gz", "p0/mask.nii.gz"),
        ("p0/img.nii.gz", "p0/seg.nii.gz"),
        ("p0/cine.nii.gz", "p0/mask.nii.gz"),  # the only image there
        ("images/image_000.png", "masks/mask_000.png"),
        ("p1.nii", "p1_roi.nii"),
        ("p1.nii", "p1_cardiac_seg.nii"),
        ("p1.nii", "p1_segmentation_2.nii"),
        ("sub-01/anat/sub-01_T1w.nii", "sub-01/anat/sub-01_dseg.nii"),
    ],
)
def test_masks_by_words_anywhere_in_their_names(image, mask):
    others = [name.replace("0", "7").replace("1", "8") for name in (image, mask)]
    found = told([image, mask, *others], PICTURES if image.endswith("png") else VOLUMES)
    assert {name: entry["mask"] for name, entry in found.items()} == {image: mask, others[0]: others[1]}


def test_masks_of_one_structure_are_refused():
    for mask in ("p1_mask_lv.nii", "p1_LV_mask.nii", "label_p1_myo.nii"):
        with pytest.raises(ZooError, match="is a mask of .* of p1.nii; expected one mask of all structures"):
            read_layout(["p1.nii", mask], VOLUMES)


def test_derivatives_are_masks_only_by_their_names():
    image = "sub-01/anat/sub-01_T1w.nii.gz"
    smoothed = "derivatives/denoise/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz"
    layout = read_layout([image, smoothed], VOLUMES)
    assert layout.entries[image].mask is None
    assert layout.aside == [{"item": smoothed, "reason": "a derivative that is not named as a mask"}]


def test_a_cine_series_beside_its_frames_needs_no_word():
    names = ["1/sa.nii", "1/sa_ED.nii", "1/label_sa_ED.nii", "1/la_4ch.nii"]
    assert list(told(names)) == ["1/sa_ED.nii"]
