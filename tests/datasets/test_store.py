import json
import shutil

import datasets
import numpy as np
import pytest
from huggingface_hub import DatasetCard

from zoo import ZooError
from zoo.datasets import build_acdc, build_phantom, images, load, save


@pytest.fixture(scope="module")
def built():
    return build_phantom(num_patients=15, progress=False)


@pytest.fixture
def folder(built, tmp_path):
    return save(built, tmp_path / "phantom")


def same(found: datasets.DatasetDict, expected: datasets.DatasetDict) -> None:
    assert list(found) == list(expected)
    for split in expected:
        assert found[split].features == expected[split].features
        for column in ("image", "mask"):
            np.testing.assert_array_equal(images(found[split], column), images(expected[split], column))
        plain = [name for name in expected[split].column_names if name not in ("image", "mask")]
        assert found[split].select_columns(plain)[:] == expected[split].select_columns(plain)[:]


def test_round_trip(built, folder):
    loaded = load(folder)
    assert loaded.info == json.loads((folder / "zoo_dataset.json").read_text()) == built.info
    same(loaded.dataset, built.dataset)


def test_plain_load_dataset_reads_it_anywhere(built, folder, tmp_path):
    shutil.move(folder, tmp_path / "elsewhere")  # images are embedded and not paths
    same(datasets.load_dataset(str(tmp_path / "elsewhere")), built.dataset)


def test_streaming(built, folder):
    row = next(iter(datasets.load_dataset(str(folder), split="validation", streaming=True)))
    assert row["patient_id"] == built.dataset["validation"][0]["patient_id"]
    np.testing.assert_array_equal(np.asarray(row["image"]), images(built.dataset["validation"])[0, ..., 0])


def test_files(folder):
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "README.md",
        *(f"data/{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")),
        "zoo_dataset.json",
    ]


def test_saving_again_replaces_the_folder_at_once(built, folder):
    (folder / "stale.txt").touch()
    save(built, folder)
    assert not (folder / "stale.txt").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["phantom"]


def test_card_of_acdc_cites_licenses_and_counts(acdc, tmp_path):
    folder = acdc / "training" / "patient001"
    shutil.copytree(folder, acdc / "testing" / "patient199")
    for path in (acdc / "testing" / "patient199").iterdir():
        path.rename(path.with_name(path.name.replace("patient001", "patient199")))
    built = build_acdc(acdc, progress=False)
    card = DatasetCard.load(save(built, tmp_path / "acdc") / "README.md")
    head = card.data.to_dict()
    assert head["license"] == "cc-by-nc-sa-4.0" and head["pretty_name"] == "ACDC (acdc-64)"
    files = {entry["split"]: entry["path"] for entry in head["configs"][0]["data_files"]}
    assert files["train"] == "data/train-00000-of-00001.parquet" and set(files) == {"train", "validation", "test"}
    assert "Bernard" in card.text and "10.1109/TMI.2018.2837502" in card.text
    splits = built.info["splits"]
    assert f"| train | {splits['train']['num_images']} | {len(splits['train']['patient_ids'])} |" in card.text
    assert "| test | 36 | 3 | 0 | 1 | 0 | 2 | 0 |" in card.text  # NOR, MINF, DCM, HCM, RV
    assert all(patient in card.text for split in splits.values() for patient in split["patient_ids"])
    assert "the same images: patient001, patient199" in card.text
    assert "left out: patient001" in card.text and built.info["fingerprint"] in card.text


def test_folders_that_are_no_dataset(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ZooError, match="empty: no readable zoo_dataset.json; expected what `cardiac-zoo data` writes"):
        load(tmp_path / "empty")
    (tmp_path / "empty" / "zoo_dataset.json").write_text("{")
    with pytest.raises(ZooError, match="no readable zoo_dataset.json"):
        load(tmp_path / "empty")
    with pytest.raises(ZooError, match="nowhere/at/all: no readable zoo_dataset.json"):
        load("nowhere/at/all")
    (folder / "data" / "test-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(ZooError, match="phantom/data: unreadable"):
        load(folder)
    (folder / "data" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(ZooError, match="test-00000-of-00001.parquet: not found"):
        load(folder)
