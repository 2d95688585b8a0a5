"""The user's own folder: pictures, NIfTI volumes or DICOM series."""

import os
import re
from pathlib import Path

from zoo.datasets.built import BuiltDataset
from zoo.datasets.class_folders import build_pictures
from zoo.datasets.pictures import ENDINGS
from zoo.datasets.sources import find_files, open_source
from zoo.datasets.volumes import build_volumes
from zoo.errors import ZooError

LAYOUT = "pictures (.png, .jpg, …), NIfTI volumes (.nii, .nii.gz) or DICOM series (.dcm), one kind only"


def build_folder(
    source: str | os.PathLike,
    *,
    size: int = 64,
    channels: int = 1,
    spacing: float | None = None,
    skip_bad: bool = False,
    num_proc: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> BuiltDataset:
    """Builds a dataset from any folder or zip file of pictures, NIfTI volumes (2D or 3D) or DICOM series.

    Pictures in class folders get a `label`, and identical ones share a split. Volumes become their slices, windowed
    between the volume's 0.5 and 99.5 percentiles and divided by patient: of NIfTI the first folder below the source, or
    the file itself if there is none; of DICOM the PatientID, which is not stored: patients get numbers.

    Pictures and NIfTI volumes may have masks: of `NAME.png` the file `NAME_gt.png` beside it, of `NAME.nii.gz`
    `NAME_gt.nii.gz`, as ACDC has them and `cardiac-zoo generate --with-masks` writes them.

    Args:
        source: The folder or zip file.
        size: Side of the stored images in pixels.
        channels: 1 for grey, 3 for colour, which only pictures have.
        spacing: Pixel side of the stored grid in mm, around the image centre, for volumes; `None` fits the largest
            central square into `size`.
        skip_bad: Leaves unusable files out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Files read at the same time.
        seed: Of the division 80/10/10 into `train`, `validation` and `test`.
        progress: Shows a progress bar.

    Raises:
        ZooError: If the source holds no or several kinds of files, masks of some images alone, or an unusable file.
    """
    if size < 1 or channels not in (1, 3) or (spacing is not None and not 0 < spacing < float("inf")):
        raise ZooError(f"size {size}, channels {channels}, spacing {spacing}: expected size > 0, 1 or 3, mm > 0")
    files = find_files(open_source(source, LAYOUT))
    kinds = {name: kind for name, path in files.items() if (kind := kind_of(path))}
    if len(set(kinds.values())) != 1:
        raise ZooError(
            f"{source}: holds {' and '.join(sorted(set(kinds.values()))) or 'nothing usable'}; expected {LAYOUT}"
        )
    files, kind = {name: files[name] for name in kinds}, next(iter(kinds.values()))
    masks = {}
    if kind != "DICOM":
        masks = {name: files.pop(mask_name(name)) for name in kinds if mask_name(name) in files}
    if masks and (without := sorted(files.keys() - masks.keys())):
        raise ZooError(f"{without[0]}: has no {mask_name(without[0])}; expected masks of all images or of none")
    info = {
        "name": Path(source).resolve().stem,
        "preset": f"folder-{size}",
        "seed": seed,
        "license": "unknown",
        "citation": "",
    }
    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    how["title"] = f"{kind} to {size} pixels"
    if kind == "pictures":
        if spacing is not None:
            raise ZooError(f"{source}: pictures have no millimetres; expected no spacing")
        return build_pictures(files, info, size=size, channels=channels, masks=masks, **how)
    if channels != 1:
        raise ZooError(f"{source}: {kind} is grey; expected 1 channel")
    return build_volumes(files, kind, info, size=size, spacing=spacing, masks=masks, **how)


def mask_name(name: str) -> str:
    """What the mask of a picture or NIfTI file is called, `NAME_gt.png` or `NAME_gt.nii.gz`."""
    return re.sub(r"(\.nii)?\.\w+$", r"_gt\g<0>", name)


def kind_of(path) -> str | None:
    """`"pictures"`, `"NIfTI"` or `"DICOM"` by a file's ending, or without one by DICOM's mark; `None` for others."""
    name = path.name.lower()
    if name.endswith(ENDINGS):
        return "pictures"
    if name.endswith((".nii", ".nii.gz")):
        return "NIfTI"
    if name.endswith((".dcm", ".ima")):
        return "DICOM"
    if "." not in name:
        with path.open("rb") as file:
            return "DICOM" if file.read(132)[128:] == b"DICM" else None
    return None
