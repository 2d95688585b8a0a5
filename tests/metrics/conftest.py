"""The dataset that the tests of evaluations share."""

import datasets
import pytest
import torch
from metric_fakes import make_split
from safetensors.torch import save_file

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


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    """A folder with weights, as one of a model whose pipeline is given."""
    folder = tmp_path_factory.mktemp("models") / "noise-32"
    (folder / "network").mkdir(parents=True)
    save_file({"weight": torch.ones(250_000)}, folder / "network" / "weights.safetensors")
    return folder


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")
