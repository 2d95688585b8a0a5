"""Writing a built dataset as a folder that is laid out as a Hub dataset repo, and reading it back."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import datasets

from zoo.datasets.built import BuiltDataset
from zoo.datasets.card import dataset_card
from zoo.datasets.info import INFO_FILE, check_info, read_info
from zoo.errors import ZooError
from zoo.files import atomic_folder


def data_file(split: str) -> str:
    """Where a split lies in the folder, after the Hub's own naming."""
    return f"data/{split}-00000-of-00001.parquet"


def save(built: BuiltDataset, output_dir: str | os.PathLike) -> Path:
    """Writes `data/<split>-….parquet` with embedded images, the dataset card `README.md` and `zoo_dataset.json`.

    The folder is whole or absent. Plain `datasets.load_dataset(output_dir)` reads it too.

    Raises:
        ZooError: As `check_info` does, or if a split holds more or fewer images than the information says; nothing is
            written then.
    """
    content = json.dumps(built.info, indent=1, ensure_ascii=False)
    check_info(json.loads(content))  # tuples are lists by now
    _check_counts(built, {split: split for split in built.info["splits"]})
    with atomic_folder(output_dir) as folder, _quiet():
        (folder / "data").mkdir()
        for split, data in built.dataset.items():
            data.to_parquet(folder / data_file(split))
        (folder / INFO_FILE).write_text(content + "\n", encoding="utf-8")
        card = dataset_card(built.dataset, built.info, {split: data_file(split) for split in built.dataset})
        (folder / "README.md").write_text(card, encoding="utf-8")
    return Path(output_dir)


def load(folder: str | os.PathLike) -> BuiltDataset:
    """Reads what `save` wrote. Of a dataset repo on the Hub, `zoo.hub.datasets.load` does.

    Raises:
        ZooError: If there is no such folder, or it was not written by `save`, or its parts do not fit together.
    """
    folder = Path(folder)
    info = read_info(folder)
    files = {split: str(folder / data_file(split)) for split in info["splits"]}
    if missing := [file for file in files.values() if not os.path.isfile(file)]:
        raise ZooError(f"{missing[0]}: not found; expected it since {INFO_FILE} names its split")
    with _quiet():
        try:
            built = BuiltDataset(datasets.load_dataset("parquet", data_files=files), info)
        except datasets.exceptions.DatasetGenerationError as error:
            raise ZooError(f"{folder}/data: unreadable; expected whole Parquet files") from error
    _check_counts(built, files)
    return built


def _check_counts(built: BuiltDataset, names: dict[str, str]) -> None:
    """Raises `ZooError` if a split does not hold as many images as the information says."""
    for split, about in built.info["splits"].items():
        if len(built.dataset[split]) != about["num_images"]:
            found = f"{len(built.dataset[split])} images"
            raise ZooError(f"{names[split]}: {found}; {INFO_FILE} has {about['num_images']}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars that `datasets` shows for every file."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
