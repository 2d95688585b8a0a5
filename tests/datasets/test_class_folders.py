import numpy as np
import pytest
from PIL import Image

from zoo import ZooError
from zoo.datasets import build_mednist, images


@pytest.fixture
def mednist(tmp_path):
    """Two classes of twenty pictures, 64x64; the hands have a bright square, 21 to 42, in the dark."""
    noise = np.random.default_rng(0)
    for name, brightness in (("Hand", 200), ("Chest", 90)):
        (tmp_path / "MedNIST" / name).mkdir(parents=True)
        for number in range(20):
            picture = noise.integers(0, 20, (64, 64)).astype(np.uint8)
            picture[21:43, 21:43] = brightness
            Image.fromarray(picture).save(tmp_path / "MedNIST" / name / f"{number:06d}.png")
    return tmp_path / "MedNIST"


def test_rows(mednist):
    built = build_mednist(mednist, progress=False)
    assert {name: split.num_rows for name, split in built.dataset.items()} == {"train": 32, "validation": 4, "test": 4}
    assert built.dataset["train"].features["label"].names == ["Chest", "Hand"]
    for split in built.dataset.values():
        assert np.bincount(split["label"]).tolist() == [split.num_rows // 2] * 2
        brightness = images(split)[:, 10:22, 10:22].mean(axis=(1, 2, 3))
        np.testing.assert_allclose(brightness, np.where(np.array(split["label"]) == 1, 200, 90), atol=2)


def test_pictures_are_cropped_to_45_and_resized_to_32(mednist):
    picture = images(build_mednist(mednist, progress=False).dataset["train"])[0, ..., 0]
    assert picture.shape == (32, 32)
    row = picture[16].astype(int)
    bright = np.flatnonzero(row > row.max() / 2)
    # The crop begins at 9, so the square runs from (21 - 9) / 45 * 32 = 8.5 to (43 - 9) / 45 * 32 = 24.2
    assert (bright[0], bright[-1]) == (8, 23)


def test_identical_pictures_share_a_split(mednist):
    for number in range(5):
        (mednist / "Hand" / f"copy{number}.png").write_bytes((mednist / "Hand" / f"{number:06d}.png").read_bytes())
    with Image.open(mednist / "Hand" / "000000.png") as picture:
        picture.save(mednist / "Hand" / "copy0.bmp")  # in another format, too
    for seed in range(4):
        built = build_mednist(mednist, seed=seed, progress=False)
        assert len(built.info["duplicates"]) == 5
        assert built.info["duplicates"][0] == ["Hand/000000.png", "Hand/copy0.bmp", "Hand/copy0.png"]
        sets = [{picture.tobytes() for picture in images(split)} for split in built.dataset.values()]
        assert not sets[0] & sets[1] and not sets[0] & sets[2] and not sets[1] & sets[2]


def test_bad_pictures_are_named_or_skipped(mednist):
    (mednist / "Hand" / "000003.png").write_bytes(b"no picture")
    Image.new("L", (40, 64)).save(mednist / "Hand" / "000004.png")
    with pytest.raises(ZooError, match="000003.png: no readable picture"):
        build_mednist(mednist, progress=False)
    skipped = build_mednist(mednist, skip_bad=True, progress=False).info["skipped"]
    assert [entry["item"] for entry in skipped] == ["Hand/000003.png", "Hand/000004.png"]
    assert skipped[1]["reason"].endswith("000004.png: picture of 40x64 pixels; expected at least 45x45")


def test_sources_that_are_not_mednist(mednist, tmp_path):
    with pytest.raises(ZooError, match="expected class folders such as Hand"):
        build_mednist(mednist / "Hand", progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ZooError, match="expected class folders such as Hand"):
        build_mednist(tmp_path / "empty", progress=False)
    Image.new("L", (64, 64)).save(mednist / "loose.png")
    with pytest.raises(ZooError, match="expected class folders such as Hand"):
        build_mednist(mednist, progress=False)


def test_chosen_classes_keep_their_splits(mednist):
    whole, hands = build_mednist(mednist, progress=False), build_mednist(mednist, classes=["Hand"], progress=False)
    assert hands.dataset["train"].features["label"].names == ["Hand"]
    for name, split in hands.dataset.items():
        expected = images(whole.dataset[name])[np.array(whole.dataset[name]["label"]) == 1]
        np.testing.assert_array_equal(images(split), expected)
    with pytest.raises(ZooError, match=r"classes: .* has no 'Foot'; expected some of Chest, Hand"):
        build_mednist(mednist, classes=["Foot"], progress=False)
