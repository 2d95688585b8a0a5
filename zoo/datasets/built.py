"""A built dataset: the splits, and what is to be known about them."""

import hashlib
from dataclasses import dataclass

import datasets
import numpy as np

from zoo import png
from zoo.datasets.presets import PRESETS
from zoo.errors import ZooError


@dataclass
class BuiltDataset:
    """Splits with their provenance.

    Args:
        dataset: The splits `train`, `validation` and `test`, those that the source has.
        info: What `zoo_dataset.json` holds: name, preset, fingerprint, seed, splits, duplicates, skipped, license,
            citation, preprocessing.
    """

    dataset: datasets.DatasetDict
    info: dict

    def describe(self, split: str) -> dict:
        """What `metrics.json` says of a split that something was measured on: its patients too, where it has any."""
        splits = self.info["splits"]
        entry = {key: self.info[key] for key in ("name", "preset", "fingerprint")} | {"split": split}
        if "patient_ids" in splits[split]:
            ids = {name: about["patient_ids"] for name, about in splits.items()}
            entry |= {"patient_ids": ids, "n_patients": len(ids[split])}
        return entry | {"n_images": len(self.dataset[split])}


def assemble(rows: dict[str, list[dict]], features: datasets.Features, info: dict) -> BuiltDataset:
    """Makes the splits out of rows and completes `info` with their counts and the fingerprint.

    Empty splits are left out.

    Raises:
        ZooError: If there is no training image.
    """
    rows = {split: split_rows for split, split_rows in rows.items() if split_rows}
    if "train" not in rows:
        raise ZooError(f"{info['name']}: no image is left for the train split")
    dataset = datasets.DatasetDict(
        {
            split: datasets.Dataset.from_dict({key: [row[key] for row in rows[split]] for key in features}, features)
            for split in rows
        }
    )
    splits = {}
    for split in rows:
        splits[split] = {"num_images": len(rows[split])}
        if "patient_id" in features:
            splits[split]["patient_ids"] = sorted({row["patient_id"] for row in rows[split]})
    return BuiltDataset(dataset, {**info, "fingerprint": fingerprint(rows), "splits": splits})


def fingerprint(rows: dict[str, list[dict]]) -> str:
    """SHA-256 over every row's split, plain columns and decoded pixels, so that the PNG encoder plays no part."""
    digest = hashlib.sha256()
    for split, split_rows in rows.items():
        for row in split_rows:
            pixels = {key: png.decode(cell) for key, cell in row.items() if isinstance(cell, dict)}
            plain = {key: cell for key, cell in row.items() if key not in pixels}
            digest.update(repr((split, sorted(plain.items()))).encode())
            for key in sorted(pixels):
                digest.update(f"{key}{pixels[key].shape}".encode() + pixels[key].tobytes())
    return digest.hexdigest()


def images(split: datasets.Dataset, column: str = "image") -> np.ndarray:
    """The pictures of a split: uint8 `(n, height, width, channels)`.

    Args:
        split: One split of a built dataset.
        column: `"image"`, or `"mask"` for labels.

    Raises:
        ZooError: If there is no such column, or a row of it is empty (cine frames between ED and ES have no mask).
    """
    if column not in split.column_names:
        raise ZooError(f"column {column!r}: the dataset has {', '.join(split.column_names)}")
    pictures = split[column][:]
    if any(picture is None for picture in pictures):
        raise ZooError(f"column {column!r}: {sum(p is None for p in pictures)} of {len(pictures)} rows are empty")
    array = np.stack([np.asarray(picture) for picture in pictures])
    return array if array.ndim == 4 else array[..., None]


def check_compatible(built: BuiltDataset, size: int, channels: int) -> None:
    """Makes sure that a dataset's images are what a model takes.

    Raises:
        ZooError: If height, width or channels differ; the message names the presets that would fit.
    """
    width, height = (first := next(iter(built.dataset.values()))[0]["image"]).size
    found = len(first.getbands())
    if (height, width, found) == (size, size, channels):
        return
    fitting = [preset.name for preset in PRESETS.values() if (preset.size, preset.channels) == (size, channels)]
    raise ZooError(
        f"dataset {built.info['preset']}: images of {height}x{width} pixels and {found} channel(s); the model expects "
        f"{size}x{size} and {channels}, as the preset {' or '.join(fitting) or 'folder with --size'} has"
    )
