"""ISIC: dermoscopic images of HAM10000, malignant and benign, with lesion masks where they are at hand."""

import os

import datasets
import numpy as np
from PIL import Image

from zoo import png
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.classes import chosen
from zoo.datasets.pictures import content_hash, is_binary_foreground, read_picture, square
from zoo.datasets.presets import get_preset
from zoo.datasets.schema import SPLITS
from zoo.datasets.sources import open_source, read_all
from zoo.datasets.splits import FRACTIONS, find_duplicates, split_groups
from zoo.datasets.tables import read_csv
from zoo.errors import ZooError
from zoo.sources import ISIC

LAYOUT = "metadata.csv (image_id, lesion_id, dx, label) and images/*.jpg"
LABELS = ["benign", "malignant"]


def build_isic(
    source: str | os.PathLike,
    preset: str = "isic-64",
    *,
    classes: list[str] | None = None,
    skip_bad: bool = False,
    num_proc: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> BuiltDataset:
    """Builds dermoscopic images in colour: the central square, resized with antialiasing.

    Args:
        source: The folder or zip file with `metadata.csv`, `images/` and optionally `masks/*_segmentation.png`, which
            become a `mask` column of 0 and 1.
        preset: `isic-64`.
        classes: The labels to take, such as `["malignant"]`; `None` takes both.
        skip_bad: Leaves unusable images out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Images read at the same time.
        seed: Of the division 80/10/10 into `train`, `validation` and `test` by lesion within each label; lesions with
            an identical image share a split.
        progress: Shows a progress bar.

    Raises:
        ZooError: If a class is unknown, or the metadata or an image is missing or unusable; the message names file and
            field.
    """
    preset = get_preset(preset, "isic")
    names = chosen(classes, LABELS, source)
    root = open_source(source, LAYOUT)
    entries = [entry for entry in read_metadata(root) if entry["label"] not in LABELS or entry["label"] in names]
    has_masks = (root / "masks").is_dir()

    def read(entry):
        path = root / "images" / f"{entry['image_id']}.jpg"
        if not path.exists():
            raise ZooError(f"{path}: not found; metadata.csv names it")
        if entry["label"] not in LABELS:
            raise ZooError(f"{root / 'metadata.csv'}: label {entry['label']!r}; expected one of {', '.join(LABELS)}")
        picture = read_picture(path, preset.channels)
        row = {
            "image": png.encode(square(picture, preset.size, preset.crop)),
            "label": names.index(entry["label"]),
            "dx": entry["dx"],
            "lesion_id": entry["lesion_id"],
            "image_id": entry["image_id"],
        }
        if has_masks:
            row["mask"] = png.encode(lesion_mask(root / "masks", entry["image_id"], picture.size, preset))
        return content_hash(picture), row

    items = {entry["image_id"]: entry for entry in entries}
    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    pictures, skipped = read_all(read, items, title=f"ISIC to {preset.name}", **how)

    contents, labels = {}, {}
    for content, row in pictures.values():
        contents.setdefault(row["lesion_id"], []).append(content)
        labels[row["lesion_id"]] = row["label"]
    duplicates = find_duplicates(contents)
    split_of = split_groups(labels, FRACTIONS, seed, together=duplicates)
    rows = {split: [] for split in SPLITS}
    for _, row in pictures.values():
        rows[split_of[row["lesion_id"]]].append(row)

    features = {
        "image": datasets.Image(),
        **({"mask": datasets.Image()} if has_masks else {}),
        "label": datasets.ClassLabel(names=names),
        "dx": datasets.Value("string"),
        "lesion_id": datasets.Value("string"),
        "image_id": datasets.Value("string"),
    }
    info = {
        "name": "ISIC",
        "preset": preset.name,
        "seed": seed,
        "duplicates": duplicates,
        "skipped": skipped,
        "license": ISIC.license,
        "citation": ISIC.citation,
        "preprocessing": {
            "size": preset.size,
            "channels": preset.channels,
            "crop": "largest central square",
            "images": "bilinear, antialiased",
            "masks": "nearest neighbour",
        },
    }
    return assemble(rows, datasets.Features(features), info)


def read_metadata(root) -> list[dict[str, str]]:
    """The lines of `metadata.csv`.

    Raises:
        ZooError: If the file or one of its columns is missing, or an image is named twice.
    """
    return read_csv(root / "metadata.csv", ("image_id", "lesion_id", "dx", "label"), LAYOUT)


def lesion_mask(folder, image_id: str, image_size: tuple[int, int], preset) -> np.ndarray | None:
    """The mask of an image as stored: uint8 `(size, size)` of 0 and 1, or `None` if there is no file.

    Raises:
        ZooError: If its size is not the image's.
    """
    path = folder / f"{image_id}_segmentation.png"
    if not path.exists():
        return None
    mask = Image.fromarray(is_binary_foreground(np.asarray(read_picture(path, 1))).astype(np.uint8))
    if mask.size != image_size:
        raise ZooError(f"{path}: mask of {mask.size} pixels; expected its image's {image_size}")
    return square(mask, preset.size, preset.crop, nearest=True)
