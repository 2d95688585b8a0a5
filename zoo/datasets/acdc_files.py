"""Reading ACDC's files: `Info.cfg`, frames, masks and cine series, from a folder or straight from a zip."""

import gzip
import os
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from zoo.errors import ZooError

PATHOLOGIES = ["NOR", "MINF", "DCM", "HCM", "RV"]
LAYOUT = "training/patientNNN/{Info.cfg, patientNNN_frameFF.nii.gz, patientNNN_frameFF_gt.nii.gz}, testing/ alike"


@dataclass
class Volume:
    """Frames of a short-axis stack in the usual view: anterior on top, the right ventricle on the left.

    Args:
        voxels: `(slices, height, width)`, or `(frames, slices, height, width)` of a cine series.
        spacing: Row and column spacing in mm.
        thickness: Distance of the slices in mm.
    """

    voxels: np.ndarray
    spacing: tuple[float, float]
    thickness: float


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
        `training` and `testing`, each a sorted list of paths (of `zipfile.Path`s for a zip).

    Raises:
        ZooError: If there is no such source or no `training/patientNNN` in it.
    """
    path = Path(source)
    if not path.exists():
        raise ZooError(f"{path}: not found; expected a folder or zip with {LAYOUT}")
    if path.is_dir():
        root = path
    else:
        try:
            root = zipfile.Path(zipfile.ZipFile(path))
        except (zipfile.BadZipFile, OSError) as error:
            raise ZooError(f"{path}: not a folder or zip file ({error}); expected one with {LAYOUT}") from error
    level = [root]
    for _ in range(3):
        for folder in level:
            training = _patient_folders(folder / "training")
            if training:
                return {"training": training, "testing": _patient_folders(folder / "testing")}
        level = [child for folder in level for child in folder.iterdir() if child.is_dir()]
    raise ZooError(f"{path}: no ACDC patients found; expected {LAYOUT}")


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
    path = folder / "Info.cfg"
    if not path.exists():
        raise ZooError(f"{path}: not found; expected the fields ED, ES, Group, Height, Weight")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    missing = [name for name in ("ED", "ES", "Group", "Height", "Weight") if not fields.get(name)]
    if missing:
        raise ZooError(f"{path}: missing {', '.join(missing)}; expected lines such as 'ED: 1'")

    def number(name, kind, expected):
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
        ed=number("ED", int, "a frame number from 1"),
        es=number("ES", int, "a frame number from 1"),
        pathology=fields["Group"],
        height=number("Height", float, "a height in cm"),
        weight=number("Weight", float, "a weight in kg"),
    )


def find_nifti(folder, stem: str):
    """The path of `stem` with the ending `.nii.gz` or `.nii`, or `None`."""
    return next((path for ending in (".nii.gz", ".nii") if (path := folder / (stem + ending)).exists()), None)


def read_volume(path, dimensions: int = 3) -> Volume:
    """Reads a NIfTI of ACDC's orientation, whose first two axes point to the patient's left and back.

    Spacing is the header's `pixdim`: ACDC's qform code is 0 and its sform a unit matrix that says nothing.

    Raises:
        ZooError: If the file is truncated or no NIfTI, has another number of dimensions, no positive spacing, values
            that are not finite, or is constant.
    """
    try:
        data = path.read_bytes()
        nifti = nibabel.Nifti1Image.from_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        voxels = np.asanyarray(nifti.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, ImageFileError) as error:
        raise ZooError(
            f"{path}: truncated or no NIfTI ({str(error).splitlines()[0]}); expected a readable volume"
        ) from error
    zooms = [float(zoom) for zoom in nifti.header.get_zooms()]
    if voxels.ndim != dimensions:
        raise ZooError(f"{path}: shape {voxels.shape}; expected {dimensions} dimensions")
    if not all(0 < zoom < float("inf") for zoom in zooms[:3]):
        raise ZooError(f"{path}: pixdim is {zooms[:3]}; expected three positive spacings in mm")
    if not np.isfinite(voxels).all():
        raise ZooError(f"{path}: has NaN or infinite values; expected finite intensities")
    return Volume(voxels.T, (zooms[1], zooms[0]), zooms[2])


def read_image(path, dimensions: int = 3) -> Volume:
    """`read_volume`, refusing a constant one."""
    volume = read_volume(path, dimensions)
    if volume.voxels.min() == volume.voxels.max():
        raise ZooError(f"{path}: all values are {volume.voxels.flat[0]}; expected an image")
    return volume


def read_mask(path, image: Volume) -> np.ndarray:
    """Reads the mask of `image`: uint8 `(slices, height, width)` of 0 background, 1 RV, 2 myocardium, 3 LV.

    Raises:
        ZooError: If its shape is not the image's or it holds other labels.
    """
    voxels = read_volume(path).voxels
    if voxels.shape != image.voxels.shape:
        raise ZooError(f"{path}: mask of shape {voxels.T.shape}; expected its image's {image.voxels.T.shape}")
    labels = np.unique(voxels)
    if not np.isin(labels, [0, 1, 2, 3]).all():
        raise ZooError(f"{path}: mask has the values {labels[:6].tolist()}; expected 0 to 3")
    return voxels.astype(np.uint8)
