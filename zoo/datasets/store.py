"""Writing a built dataset as a folder that is also a Hub dataset repo, and reading it back."""

import json
import os
from pathlib import Path

import datasets
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from zoo.datasets.built import BuiltDataset
from zoo.datasets.card import dataset_card
from zoo.errors import ZooError
from zoo.files import atomic_folder

INFO_FILE = "zoo_dataset.json"


def data_file(split: str) -> str:
    """Where a split lies in the folder, after the Hub's own naming."""
    return f"data/{split}-00000-of-00001.parquet"


def save(built: BuiltDataset, output_dir: str | os.PathLike) -> Path:
    """Writes `data/<split>-….parquet` with embedded images, the dataset card `README.md` and `zoo_dataset.json`.

    The folder is whole or absent. Plain `datasets.load_dataset(output_dir)` reads it too.
    """
    with atomic_folder(output_dir) as folder:
        (folder / "data").mkdir()
        for split, data in built.dataset.items():
            data.to_parquet(folder / data_file(split))
        (folder / INFO_FILE).write_text(json.dumps(built.info, indent=1) + "\n")
        (folder / "README.md").write_text(dataset_card(built.info, {s: data_file(s) for s in built.dataset}))
    return Path(output_dir)


def load(path_or_id: str | os.PathLike, *, revision: str | None = None, token: str | None = None) -> BuiltDataset:
    """Reads what `save` wrote, from a folder or from a Hub dataset repo.

    Raises:
        ZooError: If there is no such folder or repo, or it was not written by `save`.
    """
    folder = Path(path_or_id)
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(str(path_or_id), repo_type="dataset", revision=revision, token=token))
        except (HfHubHTTPError, HFValidationError, OSError) as error:
            raise ZooError(f"{path_or_id}: no dataset folder, nor a dataset repo on the Hub that can be read") from error
    if not (folder / INFO_FILE).is_file():
        raise ZooError(f"{path_or_id}: has no {INFO_FILE}; expected a folder written by `cardiac-zoo data`")
    info = json.loads((folder / INFO_FILE).read_text())
    files = {split: str(folder / data_file(split)) for split in info["splits"]}
    for file in files.values():
        if not os.path.isfile(file):
            raise ZooError(f"{file}: not found; {INFO_FILE} names its split")
    return BuiltDataset(datasets.load_dataset("parquet", data_files=files), info)


def push(
    built_or_folder: BuiltDataset | str | os.PathLike, repo_id: str, *, private: bool | None = None, token: str | None = None
) -> str:
    """Uploads a built dataset, or a folder written by `save`, to the Hub as one commit.

    Returns:
        The address of the commit.
    """
    raise NotImplementedError
