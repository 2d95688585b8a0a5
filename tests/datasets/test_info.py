"""The schema of `zoo_dataset.json`: what it accepts, and what it refuses in which words, when read and when written."""

import copy
import json
import re
from pathlib import Path

import pytest

from zoo import ZooError
from zoo.datasets import BuiltDataset, build_phantom, load, save
from zoo.datasets.info import check_info

DATA = Path(__file__).resolve().parents[2] / "outputs/data"
NAN = float("nan")


@pytest.fixture(scope="module")
def built():
    return build_phantom(num_patients=15, progress=False)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("seed", NAN, "seed: expected"),
        ("seed", "0", "seed: expected a valid integer, got '0'"),
        ("license", 4, "license: expected a valid string, got 4"),
        ("fingerprint", "abc", "fingerprint: "),
        ("fingerprint", None, "fingerprint: is missing"),
        ("splits", ["train"], "splits: expected a valid dictionary, got ['train']"),
        ("splits", {}, "splits: "),
        ("splits.../secret", {"num_images": 1}, "splits.../secret: expected 'train', 'validation' or 'test'"),
        ("splits.train.num_images", None, "splits.train.num_images: is missing"),
        ("splits.train.num_images", 1.5, "splits.train.num_images: expected a valid integer, got 1.5"),
        ("splits.train.num_images", 0, "splits.train.num_images: expected greater than 0, got 0"),
        ("splits.train.patient_ids", "p1", "splits.train.patient_ids: expected a valid list, got 'p1'"),
        ("splits.train.patients", [], "splits.train.patients: unknown"),
        ("duplicates", ["p1"], "duplicates.0: expected a valid list, got 'p1'"),
        ("skipped", [{"item": "a"}], "skipped.0.reason: is missing"),
        ("skipped", [{"reason": "a"}], "skipped.0: expected either item or patient_id"),
        ("preprocessing.spacing_mm", float("inf"), "preprocessing.spacing_mm: expected a finite number, got inf"),
        ("ids", "both", "ids: expected 'kept' or 'hashed', got 'both'"),
        ("note", [1.0, NAN], "note.1: expected a finite number, got nan"),
        ("report", {"images": 3}, "report.rules: is missing"),
    ],
)
def test_what_is_refused(built, tmp_path, path, value, words):
    info = copy.deepcopy(built.info)
    *parents, last = path.split(".", 1) if ".../" in path else path.split(".")
    place = info
    for part in parents:
        place = place[part]
    if words.endswith("is missing") and value is None:
        del place[last]
    else:
        place[last] = value
    with pytest.raises(ZooError, match=f"^zoo_dataset.json: {re.escape(words)}") as error:
        save(BuiltDataset(built.dataset, info), tmp_path / "out")
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()
    folder = save(built, tmp_path / "read")
    (folder / "zoo_dataset.json").write_text(json.dumps(info))
    with pytest.raises(ZooError, match=f"read/zoo_dataset.json: {re.escape(words)}"):
        load(folder)


def test_a_patient_lies_in_one_split(built):
    info = copy.deepcopy(built.info)
    patient = info["splits"]["train"]["patient_ids"][0]
    info["splits"]["test"]["patient_ids"].append(patient)
    with pytest.raises(ZooError, match=f"splits: expected a patient in one of them, {patient} is in test too"):
        check_info(info)


def test_the_counts_are_those_of_the_files(built, tmp_path):
    folder = save(built, tmp_path / "out")
    info = json.loads((folder / "zoo_dataset.json").read_text())
    info["splits"]["test"]["num_images"] += 1
    (folder / "zoo_dataset.json").write_text(json.dumps(info))
    count = len(built.dataset["test"])
    told = f"test-00000-of-00001.parquet: {count} images; zoo_dataset.json has {count + 1}"
    with pytest.raises(ZooError, match=told):
        load(folder)


def test_further_notes_may_join(built, tmp_path):
    info = built.info | {"built_by": "an older version", "sizes": (1, 2)}
    folder = save(BuiltDataset(built.dataset, info), tmp_path / "out")
    assert load(folder).info == info | {"sizes": [1, 2]}


@pytest.mark.parametrize("folder", ["acdc-64", "acdc-128"])
def test_datasets_of_earlier_versions_load(folder):
    if not (DATA / folder / "zoo_dataset.json").is_file():
        pytest.skip(f"needs the ACDC dataset in outputs/data/{folder}")
    assert load(DATA / folder).info["name"] == "ACDC"
