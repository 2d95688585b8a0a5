"""Folders of pictures, one a class: MedNIST, and whatever the user has."""

import os
from dataclasses import replace
from pathlib import PurePosixPath

import datasets
import numpy as np

from zoo import png
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.classes import chosen, one_spelling, respelled
from zoo.datasets.kinds import ENDINGS, PICTURES
from zoo.datasets.label_maps import is_label_map
from zoo.datasets.layouts import Entry, Layout
from zoo.datasets.pictures import content_hash, read_masks, read_pages, square
from zoo.datasets.presets import get_preset
from zoo.datasets.report import make_report
from zoo.datasets.schema import SPLITS
from zoo.datasets.sources import find_files, open_source, read_all
from zoo.datasets.splits import divide, find_duplicates
from zoo.errors import ZooError
from zoo.sources import MEDNIST


def build_mednist(
    source: str | os.PathLike,
    preset: str = "mednist-32",
    *,
    classes: list[str] | None = None,
    skip_bad: bool = False,
    num_proc: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> BuiltDataset:
    """Builds MedNIST's radiographs as in the Granada study (2025): grey, centre crop of 45 pixels, resized to 32.

    Args:
        source: The folder or zip file that holds the class folders, `Hand/` for one.
        preset: `mednist-32`.
        classes: The class folders to take, such as `["Hand"]`; `None` takes all.
        skip_bad: Leaves unreadable pictures out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Pictures read at the same time.
        seed: Of the division 80/10/10 into `train`, `validation` and `test` within each class; identical
            pictures share a split.
        progress: Shows a progress bar.

    Raises:
        ZooError: If there are no class folders, one that is asked for is not among them, or a picture is unusable.
    """
    preset = get_preset(preset, "mednist")
    files = find_files(open_source(source, "class folders such as Hand/*.jpeg"), ENDINGS[PICTURES])
    if not files or any(len(PurePosixPath(name).parts) == 1 for name in files):
        raise ZooError(f"{source}: no MedNIST; expected class folders such as Hand/*.jpeg")
    folders = sorted({PurePosixPath(name).parts[0] for name in files})
    classes = chosen(classes, folders, source)
    files = {name: path for name, path in files.items() if PurePosixPath(name).parts[0] in classes}
    entries = {name: Entry(name, label=PurePosixPath(name).parts[0]) for name in files}
    info = {
        "name": "MedNIST",
        "preset": preset.name,
        "seed": seed,
        "license": MEDNIST.license,
        "citation": MEDNIST.citation,
    }
    look = {"size": preset.size, "channels": preset.channels, "crop": preset.crop}
    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    layout = Layout(entries, {"class": "the folder"})
    return build_pictures(files, info, title=f"MedNIST to {preset.name}", layout=layout, **look, **how)


def build_pictures(
    files: dict,
    info: dict,
    *,
    size: int,
    channels: int,
    crop: int | None = None,
    layout: Layout,
    masks: dict[str, str] | None = None,
    classes: list[str] | None = None,
    **how,
) -> BuiltDataset:
    """Builds a dataset of pictures, with a `label` where all of them lie in class folders.

    Every page of a file is a picture. Pages of a file, files of a patient and identical pictures share a split.

    Args:
        files: Paths by their name relative to the source.
        info: Name, preset, seed, license and citation.
        size: Side of the stored pictures.
        channels: 1 for grey, 3 for colour.
        crop: Side in pixels of the central square that is resized; `None` takes the largest one.
        layout: Class, patient and split of each picture.
        masks: The name of each picture's mask, if there are masks.
        classes: The labels to take; `None` takes all.
        **how: Source, title, num_proc, skip_bad and progress, for `read_all`.

    Raises:
        ZooError: If a picture or mask is unusable, or a class is unknown.
    """
    entries, masks = layout.entries, masks or {}
    words = {entry.label for entry in entries.values() if entry.label}
    name_of = one_spelling(words)
    entries = {name: replace(entry, label=name_of.get(entry.label)) for name, entry in entries.items()}
    names = sorted(set(name_of.values()))
    if classes is not None:
        names = chosen(classes, names, how["source"])
        entries = {name: entry for name, entry in entries.items() if entry.label in names}
    has_people = bool(entries) and all(entry.patient for entry in entries.values())

    def read(name):
        path = files[name]
        pages = read_pages(path, channels)
        labels = read_masks(files[masks[name]]) if name in masks else [None] * len(pages)
        if len(labels) != len(pages):
            raise ZooError(f"{files[masks[name]]}: mask of {len(labels)} pages; expected its image's {len(pages)}")
        rows = []
        for picture, mask in zip(pages, labels, strict=True):
            try:
                row = {"image": png.encode(square(picture, size, crop))}
            except ZooError as error:
                raise ZooError(f"{path}: {error}") from error
            if masks:
                if mask is not None and mask.size != picture.size:
                    where = files[masks[name]]
                    raise ZooError(f"{where}: mask of {mask.size} pixels; expected its image's {picture.size}")
                row["mask"] = None if mask is None else png.encode(square(mask, size, crop, nearest=True))
            rows.append(row)
        notes = [f"has {len(pages)} pages, each a picture"] if len(pages) > 1 else []
        if any(mask is not None and mask.getextrema()[1] == 255 for mask in labels):
            notes.append("the label 255 of its mask is kept beside others")
        if name not in masks and all(is_label_map(np.asarray(page)) for page in pages):
            notes.append("has few different values, as a mask has")
        return [content_hash(picture) for picture in pages], rows, notes

    pictures, skipped = read_all(read, {name: name for name in entries}, **how)
    duplicates = find_duplicates({name: contents for name, (contents, *_) in pictures.items()})
    duplicates, skipped = _untangled(duplicates, entries, pictures, skipped)
    together = duplicates
    if has_people:
        of = {name: [("content", *each) for each in pictures[name][0]] for name in pictures}
        together = find_duplicates({name: [*of[name], ("patient", entries[name].patient)] for name in pictures})
    split_of = divide({name: (entries[name].split, entries[name].label) for name in pictures}, together, info["seed"])

    features = datasets.Features({"image": datasets.Image(), **({"mask": datasets.Image()} if masks else {})})
    if names:
        features["label"] = datasets.ClassLabel(names=names)
    if has_people:
        features["patient_id"] = datasets.Value("string")
    rows = {split: [] for split in SPLITS}
    for name, (_, pages, _) in pictures.items():
        for row in pages:
            if names:
                row["label"] = names.index(entries[name].label)
            if has_people:
                row["patient_id"] = entries[name].patient
            rows[split_of[name]].append(row)
    notes = [(name, note) for name, (*_, notes) in pictures.items() for note in notes]
    notes += [("class", sentence) for sentence in respelled(words)]
    info = info | {
        "duplicates": duplicates,
        "skipped": skipped,
        "preprocessing": {
            "size": size,
            "channels": channels,
            "crop": crop or "largest central square",
            "images": "bilinear, antialiased",
            **({"masks": "nearest neighbour"} if masks else {}),
        },
        "report": make_report(rows, layout.rules, layout.aside, notes),
    }
    return assemble(rows, features, info)


def _untangled(duplicates: list[list[str]], entries: dict, pictures: dict, skipped: list[dict]) -> tuple[list, list]:
    """Leaves pictures out that are also in the test split of a divided source."""
    for group in duplicates:
        if tested := [name for name in group if entries[name].split == "test"]:
            for name in sorted(set(group) - set(tested)):
                del pictures[name]
                skipped = [*skipped, {"item": name, "reason": f"same image as {tested[0]} of the test split"}]
    return duplicates, skipped
