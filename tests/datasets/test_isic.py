import numpy as np
import pytest
from PIL import Image

from zoo import ZooError
from zoo.datasets import build_isic, images


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
        (lambda f: (f / "metadata.csv").unlink(), "metadata.csv: not found; expected metadata.csv"),
        (lambda f: (f / "metadata.csv").write_text("image_id,dx\n"), "metadata.csv: missing column lesion_id, label"),
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
