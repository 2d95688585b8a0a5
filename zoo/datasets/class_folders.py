"""Folders of pictures, one a class: MedNIST, and whatever the user has."""

import os
from pathlib import PurePosixPath

import datasets

from zoo import png
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.pictures import ENDINGS, content_hash, read_mask, read_picture, square
from zoo.datasets.presets import get_preset
from zoo.datasets.schema import SPLITS
from zoo.datasets.sources import find_files, open_source, read_all
from zoo.datasets.splits import FRACTIONS, find_duplicates, split_groups
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
    files = find_files(open_source(source, "class folders such as Hand/*.jpeg"), ENDINGS)
    if not files or any(len(PurePosixPath(name).parts) == 1 for name in files):
        raise ZooError(f"{source}: no MedNIST; expected class folders such as Hand/*.jpeg")
    folders = sorted({PurePosixPath(name).parts[0] for name in files})
    classes = check_classes(classes, folders, source)
    files = {name: path for name, path in files.items() if PurePosixPath(name).parts[0] in classes}
    info = {
        "name": "MedNIST",
        "preset": preset.name,
        "seed": seed,
        "license": MEDNIST.license,
        "citation": MEDNIST.citation,
    }
    look = {"size": preset.size, "channels": preset.channels, "crop": preset.crop}
    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    return build_pictures(files, info, title=f"MedNIST to {preset.name}", **look, **how)


def check_classes(classes: list[str] | None, known: list[str], source: str | os.PathLike) -> list[str]:
    """The classes that are asked for, in the order of the known ones; all of them where `classes` is `None`.

    Raises:
        ZooError: If one is unknown.
    """
    if unknown := sorted(set(classes or []) - set(known)):
        raise ZooError(f"classes: {source} has no {unknown[0]!r}; expected some of {', '.join(known)}")
    return [name for name in known if classes is None or name in classes]


def build_pictures(
    files: dict, info: dict, *, size: int, channels: int, crop: int | None = None, masks: dict | None = None, **how
) -> BuiltDataset:
    """Builds a dataset of pictures, with a `label` where all of them lie in class folders.

    Args:
        files: Paths by their name relative to the source; the first folder in the name is the class.
        info: Name, preset, seed, license and citation.
        size: Side of the stored pictures.
        channels: 1 for grey, 3 for colour.
        crop: Side in pixels of the central square that is resized; `None` takes the largest one.
        masks: The path of each file's mask, if there are masks.
        **how: Source, title, num_proc, skip_bad and progress, for `read_all`.

    Raises:
        ZooError: If a picture or mask is unusable, or some lie in class folders and some do not.
    """
    folder = {name: parts[0] if len(parts := PurePosixPath(name).parts) > 1 else None for name in files}
    classes = sorted(set(folder.values()) - {None})
    if classes and None in folder.values():
        loose = next(name for name in files if folder[name] is None)
        raise ZooError(f"{loose}: lies beside class folders ({', '.join(classes[:5])}); expected all pictures in them")

    def read(name):
        path = files[name]
        picture = read_picture(path, channels)
        try:
            row = {"image": png.encode(square(picture, size, crop))}
        except ZooError as error:
            raise ZooError(f"{path}: {error}") from error
        if masks:
            mask = read_mask(masks[name])
            if mask.size != picture.size:
                raise ZooError(f"{masks[name]}: mask of {mask.size} pixels; expected its image's {picture.size}")
            row["mask"] = png.encode(square(mask, size, crop, nearest=True))
        return content_hash(picture), row

    pictures, skipped = read_all(read, {name: name for name in files}, **how)
    duplicates = find_duplicates({name: [content] for name, (content, _) in pictures.items()})
    split_of = split_groups({name: folder[name] for name in pictures}, FRACTIONS, info["seed"], together=duplicates)

    features = datasets.Features({"image": datasets.Image(), **({"mask": datasets.Image()} if masks else {})})
    if classes:
        features["label"] = datasets.ClassLabel(names=classes)
    rows = {split: [] for split in SPLITS}
    for name, (_, row) in pictures.items():
        if classes:
            row["label"] = classes.index(folder[name])
        rows[split_of[name]].append(row)
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
    }
    return assemble(rows, features, info)
