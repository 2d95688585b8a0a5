import numpy as np
import pytest
from PIL import Image

from zoo import ZooError
from zoo.datasets import build_isic, images, report_text


@pytest.fixture
def isic(tmp_path):
    """Thirty images of twenty lesions, 200x150, whose left part is blue and lies outside the central square."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    lines = ["image_id,lesion_id,dx,label,age"]
    for number in range(30):
        picture = np.random.default_rng(number).integers(100, 140, (150, 200, 3)).astype(np.uint8)
        picture[:, :20] = (0, 0, 255)
        picture[60:90, 80:120] = (80, 20, 20)
        mask = np.zeros((150, 200), np.uint8)
        mask[60:90, 80:120] = 255
        Image.fromarray(picture).save(tmp_path / "images" / f"ISIC_{number:03d}.jpg", quality=95)
        Image.fromarray(mask).save(tmp_path / "masks" / f"ISIC_{number:03d}_segmentation.png")
        malignant = number % 2 == 1
        lines.append(f"ISIC_{number:03d},HAM_{number % 20},{'mel,malignant' if malignant else 'nv,benign'},50")
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_rows_and_splits_by_lesion(isic):
    built = build_isic(isic, progress=False)
    lesions = [set(split["lesion_id"]) for split in built.dataset.values()]
    assert [len(ids) for ids in lesions] == [16, 2, 2] and len(set.union(*lesions)) == 20
    assert sum(split.num_rows for split in built.dataset.values()) == 30
    for split in built.dataset.values():
        names = split.features["label"].names
        assert all(names[row["label"]] == {"mel": "malignant", "nv": "benign"}[row["dx"]] for row in split)


def test_pictures_and_masks(isic):
    train = build_isic(isic, progress=False).dataset["train"]
    pictures, masks = images(train), images(train, "mask")
    assert pictures.shape == (train.num_rows, 64, 64, 3) and set(np.unique(masks)) == {0, 1}
    assert pictures[..., 2].max() < 200  # the blue edge is cropped away
    # 40 x 30 pixels of 150 become 17.1 x 12.8 of 64
    np.testing.assert_allclose(masks.sum(axis=(1, 2, 3)), 17 * 13, atol=18)
    inside = pictures[masks[..., 0] == 1].mean(axis=0)
    np.testing.assert_allclose(inside, [80, 20, 20], atol=6)


def test_masks_are_optional(isic):
    for path in (isic / "masks").iterdir():
        path.unlink()
    (isic / "masks").rmdir()
    assert "mask" not in build_isic(isic, progress=False).dataset["train"].column_names


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda f: (f / "metadata.csv").write_text("image_id,dx\nISIC_007,x\n"), "line 2: diagnosis 'x'; expected one"),
        (lambda f: (f / "metadata.csv").write_text("image_id,dx\n,nv\n"), "line 2: image_id: expected the name of an"),
        (
            lambda f: (f / "more.csv").write_text("image,label\nISIC_007,benign\n"),
            "ISIC_007 is benign; metadata.csv says",
        ),
        (lambda f: (f / "images" / "ISIC_007.jpg").unlink(), "ISIC_007.jpg: not found; metadata.csv names it"),
        (lambda f: (f / "images" / "ISIC_007.jpg").write_bytes(b"x"), "ISIC_007.jpg: no readable picture"),
        (
            lambda f: Image.new("L", (20, 20)).save(f / "masks" / "ISIC_007_segmentation.png"),
            r"ISIC_007_segmentation.png: mask of \(20, 20\) pixels; expected its image's \(200, 150\)",
        ),
        (
            lambda f: (f / "metadata.csv").write_text(
                (f / "metadata.csv").read_text().replace("mel,malignant", "mel,x")
            ),
            "label 'x'; expected one of benign, malignant",
        ),
    ],
)
def test_bad_input(isic, spoil, message):
    spoil(isic)
    with pytest.raises(ZooError, match=message):
        build_isic(isic, progress=False)


def test_skip_bad(isic):
    (isic / "images" / "ISIC_007.jpg").unlink()
    built = build_isic(isic, skip_bad=True, progress=False)
    assert [entry["item"] for entry in built.info["skipped"]] == ["ISIC_007"]
    assert sum(split["num_images"] for split in built.info["splits"].values()) == 29


def test_chosen_labels_keep_their_splits(isic):
    whole, malignant = build_isic(isic, progress=False), build_isic(isic, classes=["malignant"], progress=False)
    assert malignant.dataset["train"].features["label"].names == ["malignant"]
    for name, split in malignant.dataset.items():
        rows = zip(whole.dataset[name]["image_id"], whole.dataset[name]["dx"], strict=True)
        assert list(split["image_id"]) == [image_id for image_id, dx in rows if dx == "mel"]
        assert set(split["label"]) == {0}
    with pytest.raises(ZooError, match="has no 'mel'; expected some of benign, malignant"):
        build_isic(isic, classes=["mel"], progress=False)


def picture(path, number: int, shade: int = 120) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(shade, shade + 40, (60, 80, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path, quality=95)


def mask(path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.zeros((60, 80), np.uint8)
    drawn[20:40, 30:50] = 255
    Image.fromarray(drawn).save(path)


def labels_of(built) -> dict[str, str]:
    return {
        row["image_id"]: split.features["label"].names[row["label"]]
        for split in built.dataset.values()
        for row in split
    }


def test_ham10000_as_it_is_downloaded(tmp_path):
    """https://doi.org/10.7910/DVN/DBW86T: metadata, images in two parts, masks in a folder of their own."""
    names = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    lines = ["lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"]
    for number in range(42):
        image_id, dx = f"ISIC_{24306 + number:07d}", names[number % 7]
        lines.append(f"HAM_{number // 14:07d}{dx},{image_id},{dx},histo,80.0,male,scalp,vidir_modern")
        picture(tmp_path / f"HAM10000_images_part_{1 + number % 2}" / f"{image_id}.jpg", number)
        mask(tmp_path / "HAM10000_segmentations_lesion_tschandl" / f"{image_id}_segmentation.png")
    (tmp_path / "HAM10000_metadata.csv").write_text("\n".join(lines) + "\n")
    built = build_isic(tmp_path, progress=False)
    rows = [row for split in built.dataset.values() for row in split]
    assert len(rows) == 42 and built.info["split_by"] == {"lesion": 42}
    malignant = {row["image_id"] for row in rows if row["dx"] in ("akiec", "bcc", "mel")}
    assert {name for name, label in labels_of(built).items() if label == "malignant"} == malignant
    assert images(built.dataset["train"], "mask").max() == 1
    lesions = [set(split["lesion_id"]) for split in built.dataset.values()]
    assert sum(map(len, lesions)) == len(set.union(*lesions)) == 21


def challenges(folder) -> None:
    """The ground truth of 2018, 2019 and 2020 in one folder, each small; the second image of 2018 is in 2019 too."""
    picture(folder / "ISIC2018_Task3_Training_Input" / "ISIC_0000001.jpg", 1)
    picture(folder / "ISIC2018_Task3_Training_Input" / "ISIC_0000002.jpg", 2)
    (folder / "ISIC2018_Task3_Training_GroundTruth.csv").write_text(
        "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nISIC_0000001,1.0,0.0,0.0,0.0,0.0,0.0,0.0\n"
        "ISIC_0000002,0.0,1.0,0.0,0.0,0.0,0.0,0.0\n"
    )
    (folder / "ISIC2018_Task3_Training_LesionGroupings.csv").write_text(
        "image,lesion_id,diagnosis_confirm_type\nISIC_0000001,HAM_1,histopathology\nISIC_0000002,HAM_2,follow-up\n"
    )
    truth, about = ["image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"], ["image,age_approx,anatom_site_general,lesion_id,sex"]
    for number, column in ((2, 1), (11, 3), (12, 7), (13, 4)):
        image_id = f"ISIC_{number:07d}" + ("_downsampled" if number == 13 else "")
        if number != 2:
            picture(folder / "ISIC_2019_Training_Input" / f"{image_id}.jpg", number)
        truth.append(f"{image_id},{','.join('1.0' if column == place else '0.0' for place in range(9))}")
        about.append(f"{image_id},55.0,anterior torso,{'BCN_1' if number < 13 and number > 2 else ''},female")
    (folder / "ISIC_2019_Training_GroundTruth.csv").write_text("\n".join(truth) + "\n")
    (folder / "ISIC_2019_Training_Metadata.csv").write_text("\n".join(about) + "\n")
    head = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target"
    lines = [head]
    for number in range(20, 40):
        melanoma = number in (20, 21)
        picture(folder / "train" / f"ISIC_{number:07d}.jpg", number)
        lines.append(
            f"ISIC_{number:07d},IP_{number // 4},male,45.0,torso,{'melanoma' if melanoma else 'unknown'},"
            f"{'malignant' if melanoma else 'benign'},{int(melanoma)}"
        )
    (folder / "ISIC_2020_Training_GroundTruth.csv").write_text("\n".join(lines) + "\n")


def test_challenges_of_three_years_together(tmp_path):
    challenges(tmp_path)
    built = build_isic(tmp_path, progress=False)
    found = labels_of(built)
    assert len(found) == 25
    malignant = {1, 11, 12, 20, 21}  # melanoma, actinic keratosis (AK) and squamous cells (SCC) of 2019, two of 2020
    assert {name for name, label in found.items() if label == "malignant"} == {f"ISIC_{n:07d}" for n in malignant}
    assert built.info["split_by"] == {"lesion": 4, "image": 1, "patient": 20}
    rows = {row["image_id"]: row for split in built.dataset.values() for row in split}
    assert rows["ISIC_0000002"]["lesion_id"] == "HAM_2" and rows["ISIC_0000011"]["dx"] == "akiec"
    assert rows["ISIC_0000013_downsampled"]["lesion_id"] == "image ISIC_0000013_downsampled"
    assert rows["ISIC_0000020"]["lesion_id"] == "patient IP_5"
    groups = [set(split["lesion_id"]) for split in built.dataset.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))

    # A patient who has both is in one split, whichever label is asked for
    split_of = {row["image_id"]: name for name, split in built.dataset.items() for row in split}
    for label in ("benign", "malignant"):
        part = build_isic(tmp_path, classes=[label], progress=False)
        for name, split in part.dataset.items():
            assert all(split_of[image_id] == name for image_id in split["image_id"])


def test_undersampling_takes_all_of_the_rarer_label_and_as_many_of_the_other(tmp_path):
    challenges(tmp_path)
    built = build_isic(tmp_path, undersample=True, progress=False)
    found = labels_of(built)
    assert sorted(found.values()) == ["benign"] * 5 + ["malignant"] * 5 and built.info["undersampled"]
    assert found == labels_of(build_isic(tmp_path, undersample=True, progress=False))
    assert found != labels_of(build_isic(tmp_path, undersample=True, seed=1, progress=False))
    malignant = build_isic(tmp_path, undersample=True, classes=["malignant"], progress=False)
    assert labels_of(malignant).items() <= found.items()


def test_the_challenge_of_2016(tmp_path):
    """Part 1 has masks and no labels, part 3 labels in a table without a header."""
    for number in range(12):
        picture(tmp_path / "ISBI2016_ISIC_Part1_Training_Data" / f"ISIC_{number:07d}.jpg", number)
        mask(tmp_path / "ISBI2016_ISIC_Part1_Training_GroundTruth" / f"ISIC_{number:07d}_Segmentation.png")
    built = build_isic(tmp_path, progress=False)
    assert "label" not in built.dataset["train"].column_names and built.info["split_by"] == {"image": 12}
    assert images(built.dataset["train"], "mask").max() == 1
    with pytest.raises(ZooError, match="has no labels; expected a table with malignant and benign"):
        build_isic(tmp_path, classes=["malignant"], progress=False)
    lines = [f"ISIC_{number:07d},{'malignant' if number % 3 == 0 else 'benign'}" for number in range(12)]
    (tmp_path / "ISBI2016_ISIC_Part3_Training_GroundTruth.csv").write_text("\n".join(lines) + "\n")
    assert sorted(labels_of(build_isic(tmp_path, progress=False)).values()).count("malignant") == 4


def test_nothing_and_twice_the_same_are_told(tmp_path):
    with pytest.raises(ZooError, match="no labelled image; expected HAM10000's or a challenge's tables"):
        build_isic(tmp_path, progress=False)
    challenges(tmp_path)
    picture(tmp_path / "again" / "ISIC_0000020.jpg", 20)
    with pytest.raises(ZooError, match="ISIC_0000020.jpg: its name is that of .* too"):
        build_isic(tmp_path, progress=False)


def test_tables_with_semicolons_and_endings_and_what_they_leave_out(tmp_path):
    lines = ["image;benign_malignant"] + [f"I{i}.JPG;{'benign malignant'.split()[i % 2]}" for i in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    for number in range(8):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (70, 70, 3), dtype=np.uint8)).save(
            tmp_path / f"I{number}.JPG"
        )
    built = build_isic(tmp_path, progress=False)
    assert sum(split.num_rows for split in built.dataset.values()) == 6
    report = report_text(built.info)
    assert "class: by the table t.csv" in report
    assert "set aside: I6.JPG and 1 more: no table has a line for it" in report
