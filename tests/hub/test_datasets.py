"""Datasets to and from a Hub."""

import json

import pytest

from zoo.datasets import build_phantom, save
from zoo.errors import ZooError
from zoo.hub.datasets import load, push


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(build_phantom(num_patients=15, progress=False), tmp_path_factory.mktemp("data") / "phantom")


def test_what_is_no_dataset(tmp_path):
    with pytest.raises(ZooError, match="no readable zoo_dataset.json"):
        push(tmp_path / "empty.", "zoo/x")
    with pytest.raises(ZooError, match="nowhere/at/all: neither a dataset folder nor a readable dataset repo"):
        load("nowhere/at/all")


def test_push_and_load_from_a_hub(folder, hub):
    output = hub.python(f"""
import datasets, json, numpy as np, zoo.datasets as d, zoo.hub.datasets as h
from huggingface_hub import HfApi
first = h.push({str(folder)!r}, "zoo/phantom", private=True)
built = d.load({str(folder)!r})
h.push(built, "zoo/phantom")  # again, from memory
loaded = h.load("zoo/phantom")
assert loaded.info == built.info
assert (d.images(loaded.dataset["test"]) == d.images(built.dataset["test"])).all()
plain = datasets.load_dataset("zoo/phantom")
assert (d.images(plain["test"], "mask") == d.images(built.dataset["test"], "mask")).all()
row = next(iter(datasets.load_dataset("zoo/phantom", split="train", streaming=True)))
assert row["patient_id"] == built.dataset["train"][0]["patient_id"]
print(json.dumps([len(HfApi().list_repo_commits("zoo/phantom", repo_type="dataset")),
                  sorted(HfApi().list_repo_files("zoo/phantom", repo_type="dataset"))]))
""")
    commits, files = json.loads(output.splitlines()[-1])
    assert commits == 2  # the repo's first and the upload; what is there already is not sent again
    assert {"README.md", "zoo_dataset.json", "data/train-00000-of-00001.parquet"} <= set(files)
