"""ACDC as downloaded: patients' folders, `Info.cfg`, frames, masks and cine series."""

import os
import re
from dataclasses import dataclass

import numpy as np

from zoo.datasets.content import read_text
from zoo.datasets.kinds import check_no_twins
from zoo.datasets.masks import laid_on
from zoo.datasets.nifti import read_nifti
from zoo.datasets.schema import PATHOLOGIES
from zoo.datasets.sources import open_source
from zoo.datasets.volume import Volume
from zoo.errors import ZooError

INFO_FILE = "Info.cfg"
LAYOUT = "training/patientNNN/{Info.cfg, patientNNN_frameFF.nii.gz, patientNNN_frameFF_gt.nii.gz} and testing/ alike"


@dataclass
class PatientInfo:
    """`Info.cfg`: frame numbers of end-diastole and end-systole (from 1), group, height in cm, weight in kg."""

    ed: int
    es: int
    pathology: str
    height: float
    weight: float


def find_patients(source: str | os.PathLike) -> dict[str, list]:
    """The patients' folders of a download, by official split.

    Args:
        source: A folder or zip file; `training/` may lie up to two folders deep, as in the official `ACDC/database/`.

    Returns:
        `training` and `testing`, each a sorted list of `pathlib.Path`s (`zipfile.Path`s for a zip).

    Raises:
        ZooError: If there is no such source or no `training/patientNNN` in it, or a patient is in both.
    """
    level = [open_source(source, LAYOUT)]
    for _ in range(3):
        for folder in level:
            if training := _patient_folders(folder / "training"):
                testing = _patient_folders(folder / "testing")
                if both := {patient.name for patient in training} & {patient.name for patient in testing}:
                    raise ZooError(f"{source}: {min(both)} is in training/ and in testing/; expected it in one of them")
                return {"training": training, "testing": testing}
        level = [child for folder in level for child in folder.iterdir() if child.is_dir()]
    raise ZooError(f"{source}: no ACDC patients found; expected {LAYOUT}")


def _patient_folders(folder) -> list:
    if not folder.is_dir():
        return []
    found = [child for child in folder.iterdir() if re.fullmatch(r"patient\d+", child.name) and child.is_dir()]
    return sorted(found, key=lambda child: child.name)


def read_info(folder) -> PatientInfo:
    """Reads a patient's `Info.cfg`.

    Raises:
        ZooError: If the file is missing, or a field is missing or is not what it should be; the message names them.
    """
    path = folder / INFO_FILE
    if not path.exists():
        raise ZooError(f"{path}: not found; expected the fields ED, ES, Group, Height, Weight")
    lines = read_text(path).splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if missing := [name for name in ("ED", "ES", "Group", "Height", "Weight") if not fields.get(name)]:
        raise ZooError(f"{path}: missing {', '.join(missing)}; expected lines such as 'ED: 1'")

    def positive(name, kind, expected):
        try:
            value = kind(fields[name])
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise ZooError(f"{path}: {name} is {fields[name]!r}; expected {expected}")
        return value

    if fields["Group"] not in PATHOLOGIES:
        raise ZooError(f"{path}: Group is {fields['Group']!r}; expected one of {', '.join(PATHOLOGIES)}")
    return PatientInfo(
        ed=positive("ED", int, "a frame number from 1"),
        es=positive("ES", int, "a frame number from 1"),
        pathology=fields["Group"],
        height=positive("Height", float, "a height in cm"),
        weight=positive("Weight", float, "a weight in kg"),
    )


def read_frames(folder, info: PatientInfo) -> tuple[dict[int, Volume], dict[int, np.ndarray]]:
    """Reads the frames of ED and ES and their masks.

    Returns:
        Volumes and masks (uint8 `(slices, height, width)` of 0 to 3) by frame number; no masks if the folder has none.

    Raises:
        ZooError: If a file is missing, unusable or of another shape than its siblings.
    """
    frames, masks = {}, {}
    for frame in (info.ed, info.es):
        stem = f"{folder.name}_frame{frame:02d}"
        path = _find(folder, stem)
        if path is None:
            raise ZooError(f"{folder}/{stem}.nii.gz: not found; Info.cfg says ED is {info.ed} and ES is {info.es}")
        frames[frame] = read_nifti(path)
        frames[frame].check_image(path)
        if frames[frame].voxels.shape != frames[info.ed].voxels.shape:
            shapes = [frames[number].voxels.T.shape for number in (frame, info.ed)]
            raise ZooError(f"{path}: shape {shapes[0]}; expected {shapes[1]}, as of frame {info.ed}")
        if mask_path := _find(folder, f"{stem}_gt"):
            masks[frame] = _read_mask(mask_path, frames[frame])
    if masks and masks.keys() != frames.keys():
        frame = min(frames.keys() - masks.keys())
        raise ZooError(f"{folder}/{folder.name}_frame{frame:02d}_gt.nii.gz: not found; expected masks of ED and ES")
    return frames, masks


def read_cine(folder, info: PatientInfo, like: Volume) -> dict[int, Volume] | None:
    """The frames of `patientNNN_4d.nii.gz`, numbered from 1, or `None` if it is not there.

    Raises:
        ZooError: If the series is unusable, ends before ED or ES, or its frames are not of the shape of `like`.
    """
    path = _find(folder, f"{folder.name}_4d")
    if path is None:
        return None
    series = read_nifti(path, dimensions=(4,))
    series.check_image(path)
    if len(series.voxels) < max(info.ed, info.es):
        raise ZooError(f"{path}: {len(series.voxels)} frames; Info.cfg says ED is {info.ed} and ES is {info.es}")
    if series.voxels.shape[1:] != like.voxels.shape:
        raise ZooError(f"{path}: shape {series.voxels.T.shape}; expected {like.voxels.T.shape} and time")
    return {i + 1: series.frame(i) for i in range(series.num_frames)}


def _find(folder, stem: str):
    wanted = [f"{stem}{ending}".lower() for ending in (".nii.gz", ".nii")]
    found = {str(path): path for path in folder.iterdir() if path.name.lower() in wanted}
    check_no_twins(sorted(found))
    return next(iter(found.values()), None)


def _read_mask(path, image: Volume) -> np.ndarray:
    mask = laid_on(read_nifti(path), image, path)
    voxels = mask.voxels
    labels = np.unique(voxels)
    if not np.isin(labels, [0, 1, 2, 3]).all():
        raise ZooError(f"{path}: mask has the values {labels[:6].tolist()}; expected 0 to 3")
    return voxels.astype(np.uint8)
