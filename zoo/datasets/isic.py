"""ISIC: dermoscopic images, malignant and benign, with lesion masks where they are at hand."""

import hashlib
import os
from collections import Counter
from pathlib import PurePosixPath

import datasets
import numpy as np
from PIL import Image

from zoo import png
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.classes import chosen
from zoo.datasets.isic_tables import LABELS, Entry, read_tables
from zoo.datasets.pictures import content_hash, is_binary_foreground, read_picture, square
from zoo.datasets.presets import get_preset
from zoo.datasets.report import make_report
from zoo.datasets.schema import SPLITS
from zoo.datasets.sources import find_files, open_source, read_all
from zoo.datasets.splits import FRACTIONS, find_duplicates, split_groups
from zoo.errors import ZooError
from zoo.sources import ISIC

LAYOUT = "HAM10000's or a challenge's tables (*.csv), images (*.jpg) and masks (*_segmentation.png)"
PICTURES, MASK = (".jpg", ".jpeg", ".png"), "_segmentation"  # the ending of a mask's name


def build_isic(
    source: str | os.PathLike,
    preset: str = "isic-64",
    *,
    classes: list[str] | None = None,
    undersample: bool = False,
    skip_bad: bool = False,
    num_proc: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> BuiltDataset:
    """Builds dermoscopic images in colour: the central square, resized with antialiasing.

    Read are downloads as they come, one or several in a folder: HAM10000 (`HAM10000_metadata.csv`, its image folders,
    `*_segmentation.png`), the ground truth of the challenges of 2018 (task 3), 2019 and 2020 with their image folders,
    that of 2016 (part 3), its masks (part 1) even without a table, and the zoo's own layout (`metadata.csv`, `images/`,
    `masks/`). Masks become a column `mask` of 0 and 1. Malignant are mel, bcc, akiec and scc.

    Args:
        source: The folder or zip file.
        preset: `isic-64`.
        classes: The labels to take, such as `["malignant"]`; `None` takes both.
        undersample: Takes all images of the rarer label, and as many of the other one, drawn by the seed.
        skip_bad: Leaves unusable images out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Images read at the same time.
        seed: Of the division 80/10/10 into `train`, `validation` and `test` within each label: by lesion where a table
            knows it, else by patient, else by image, which `info["split_by"]` counts. What has an identical image
            shares a split.
        progress: Shows a progress bar.

    Raises:
        ZooError: If a class is unknown, or the tables or an image are missing or unusable; the message names file and
            field.
    """
    preset = get_preset(preset, "isic")
    files = find_files(open_source(source, LAYOUT))
    images, masks = _pictures(files)
    entries = read_tables(files)
    if not entries and masks:  # the masks of 2016, of which nothing else is known
        entries = {name: Entry(name, "a mask") for name in sorted(masks)}
    if not entries:
        raise ZooError(f"{source}: no labelled image; expected {LAYOUT}")
    aside = [
        {"item": PurePosixPath(path.name).name, "reason": "no table has a line for it"}
        for name, path in images.items()
        if name not in entries
    ]
    labelled = all(entry.label for entry in entries.values())
    if not labelled and (classes or undersample):
        raise ZooError(f"classes, undersample: {source} has no labels; expected a table with malignant and benign")
    names = chosen(classes, LABELS, source) if labelled else []
    if undersample:
        entries = undersampled(entries, seed)
    split_of = _split_labels(entries)
    entries = {name: entry for name, entry in entries.items() if not labelled or entry.label in names}

    def read(entry: Entry):
        if entry.image_id not in images:
            raise ZooError(f"{source}: {entry.image_id}.jpg: not found; {entry.table} names it")
        picture = read_picture(images[entry.image_id], preset.channels)
        row = {
            "image": png.encode(square(picture, preset.size, preset.crop)),
            "dx": entry.dx,
            "lesion_id": entry.group,
            "image_id": entry.image_id,
        }
        if labelled:
            row["label"] = names.index(entry.label)
        if masks:
            mask = masks.get(entry.image_id)
            row["mask"] = png.encode(None if mask is None else lesion_mask(mask, picture.size, preset))
        return content_hash(picture), row

    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    pictures, skipped = read_all(read, entries, title=f"ISIC to {preset.name}", **how)

    contents = {}
    for content, row in pictures.values():
        contents.setdefault(row["lesion_id"], []).append(content)
    duplicates = find_duplicates(contents)
    split_of = split_groups(split_of, FRACTIONS, seed, together=duplicates)
    rows = {split: [] for split in SPLITS}
    for _, row in pictures.values():
        rows[split_of[row["lesion_id"]]].append(row)

    features = {
        "image": datasets.Image(),
        **({"mask": datasets.Image()} if masks else {}),
        **({"label": datasets.ClassLabel(names=names)} if labelled else {}),
        "dx": datasets.Value("string"),
        "lesion_id": datasets.Value("string"),  # or the patient or image, and says so
        "image_id": datasets.Value("string"),
    }
    info = {
        "name": "ISIC",
        "preset": preset.name,
        "seed": seed,
        "split_by": dict(Counter(entry.grouped_by for entry in entries.values())),
        **({"undersampled": True} if undersample else {}),
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
        "report": make_report(rows, _rules(entries, labelled, bool(masks)), aside, []),
    }
    return assemble(rows, datasets.Features(features), info)


def _rules(entries: dict[str, Entry], labelled: bool, has_masks: bool) -> dict[str, str]:
    """By what classes and masks were told, for the report."""
    tables = ", ".join(sorted({entry.table for entry in entries.values()}))
    return {
        **({"class": f"the table {tables}"} if labelled else {}),
        **({"mask": f"files named after their image, with {MASK}"} if has_masks else {}),
    }


def undersampled(entries: dict[str, Entry], seed: int) -> dict[str, Entry]:
    """All images of the rarer label and as many of the other, in the order of a hash of the seed and their name."""
    counts = Counter(entry.label for entry in entries.values())
    order = sorted(entries, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    kept = set()
    for label in LABELS:
        kept |= set([name for name in order if entries[name].label == label][: min(counts[label] for label in LABELS)])
    return {name: entry for name, entry in entries.items() if name in kept}


def _split_labels(entries: dict[str, Entry]) -> dict[str, str]:
    """The label of each group, by which splits are stratified: malignant if one of its images is."""
    labels = {}
    for entry in entries.values():
        labels[entry.group] = max(labels.get(entry.group, ""), entry.label or "")
    return labels


def _pictures(files: dict) -> tuple[dict, dict]:
    """The images and the masks among some files, by image id.

    Raises:
        ZooError: If two files have one name.
    """
    images, masks = {}, {}
    for name, path in files.items():
        stem, ending = PurePosixPath(name).stem, PurePosixPath(name).suffix.lower()
        if ending not in PICTURES:
            continue
        is_mask = stem.lower().endswith(MASK)
        found, key = (masks, stem[: -len(MASK)]) if is_mask else (images, stem)
        if key in found:
            raise ZooError(f"{path}: its name is that of {found[key]} too; expected one file an image")
        found[key] = path
    return images, masks


def lesion_mask(path, image_size: tuple[int, int], preset) -> np.ndarray:
    """A mask as stored: uint8 `(size, size)` of 0 and 1.

    Raises:
        ZooError: If its size is not the image's.
    """
    mask = Image.fromarray(is_binary_foreground(np.asarray(read_picture(path, 1))).astype(np.uint8))
    if mask.size != image_size:
        raise ZooError(f"{path}: mask of {mask.size} pixels; expected its image's {image_size}")
    return square(mask, preset.size, preset.crop, nearest=True)
