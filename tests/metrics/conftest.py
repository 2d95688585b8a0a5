"""The dataset that the tests of evaluations share."""

import datasets
import pytest
from metric_fakes import make_split

from zoo.datasets import BuiltDataset


@pytest.fixture(scope="session")
def data() -> BuiltDataset:
    sizes = {"train": range(100, 140), "validation": range(10), "test": range(50, 60)}
    splits = datasets.DatasetDict(
        {name: make_split(patients, 30 if name == "train" else 12) for name, patients in sizes.items()}
    )
    info = {
        "name": "noise",
        "preset": "noise-32",
        "fingerprint": "0" * 64,
        "splits": {name: {"patient_ids": sorted(set(split["patient_id"]))} for name, split in splits.items()},
        "duplicates": [],
    }
    return BuiltDataset(splits, info)
