"""Reading what a visitor uploads: known by its content, bounded in size, and nothing but the uploaded file itself."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.filereader import read_file_meta_info

from zoo.datasets.content import read_bytes, unpacked
from zoo.datasets.dicom import DEFLATED, read_header
from zoo.datasets.dicom_series import to_volume
from zoo.datasets.kinds import DICOM, NIFTI, PICTURES, kind_of
from zoo.datasets.nifti import read_nifti
from zoo.datasets.pictures import read_picture
from zoo.datasets.resample import intensity_window
from zoo.datasets.scans import PERCENTILES
from zoo.datasets.volume import Volume
from zoo.errors import ZooError

MAX_BYTES = 20 * 2**20
MAX_UNPACKED = 96 * 2**20
MAX_SIDE = 4096  # pixels
MIN_SIDE = 16
MAX_SLICES = 40
KINDS = "a PNG, a JPEG, a NIfTI volume (.nii, .nii.gz) or a single DICOM image"
MIN_SPACING, MAX_SPACING = 0.1, 20.0  # mm, of a pixel


@dataclass(frozen=True)
class Slice:
    """One slice.

    Args:
        pixels (`np.ndarray` of shape `(height, width)`): float32 in [0, 1].
        spacing (`(float, float)`): Of rows and columns in mm.
    """

    pixels: np.ndarray
    spacing: tuple[float, float]


@dataclass(frozen=True)
class Stack:
    """The slices of one file, or generated images one after the other.

    Args:
        voxels (`np.ndarray` of shape `(slices, height, width)`): float32 in [0, 1].
        spacing (`(float, float)`, *optional*): Of rows and columns in mm; a picture does not tell it.
        thickness (`float`): Of a slice, in mm.
        words (`str`): What it is and where it comes from.
    """

    voxels: np.ndarray
    spacing: tuple[float, float] | None
    thickness: float
    words: str


def read_slice(path: str, uploads: Path) -> Stack:
    """Reads the slices of an uploaded file, one or a stack of them.

    Args:
        path (`str`): The file.
        uploads (`Path`): The folder that it must lie in.

    Raises:
        ZooError: If the file lies elsewhere, is too large, unreadable or of another kind, or has too many slices.
    """
    file = Path(path).resolve()
    if not file.is_relative_to(uploads.resolve()) or not file.is_file():
        raise ZooError("upload: expected a file that you have uploaded")
    if file.stat().st_size > MAX_BYTES:
        raise ZooError(f"upload: expected at most {MAX_BYTES >> 20} MB, got {file.stat().st_size >> 20} MB")
    try:
        kind, data = kind_of(file), file.read_bytes()
        for name, head in (("PNG", b"\x89PNG"), ("JPEG", b"\xff\xd8\xff")):
            if kind == PICTURES and data.startswith(head):
                return _read_picture(file, name)
        if kind == DICOM:
            return _from_volume("DICOM", _read_dicom(file))
        unpacked(read_bytes(file, MAX_BYTES), file, MAX_UNPACKED)  # a .gz that is damaged or too large is told as such
        if kind == NIFTI:
            return _from_volume("NIfTI", _read_nifti(file))
    except ZooError as error:
        raise ZooError(str(error).replace(str(file), "upload")) from error
    raise ZooError(f"upload: expected {KINDS}, this is none of them")


def _read_picture(file: Path, kind: str) -> Stack:
    try:
        with Image.open(file) as picture:
            size = picture.size  # the header alone
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ZooError(f"upload: a damaged {kind}") from error
    _check_sides(size)
    pixels = np.asarray(read_picture(file, 1, MAX_BYTES), dtype=np.float32)
    return Stack(_windowed(pixels)[None], None, 1.0, f"{kind} of {size[0]} × {size[1]} pixels")


def _read_dicom(file: Path) -> Volume:
    try:
        syntax = read_file_meta_info(file).get("TransferSyntaxUID")
    except Exception as error:  # pydicom raises what it stumbles on
        raise ZooError("upload: no readable DICOM image") from error
    if syntax == DEFLATED:  # would be unpacked before its size is known
        raise ZooError("upload: deflated DICOM is not read; save it without compression")
    header = read_header(file, "upload")
    _check_sides(header.shape[::-1])
    if len(header.images) > 1:
        raise ZooError("upload: expected a DICOM image of one frame")
    volume = to_volume([(header, header.images[0])], "upload", MAX_UNPACKED)
    volume.check_image("upload")
    return volume


def _read_nifti(file: Path) -> Volume:
    volume = read_nifti(file, (2, 3, 4), limit=MAX_UNPACKED).frame(0)  # of a cine series the first frame
    _check_sides(volume.voxels.shape[:0:-1])
    volume.check_image("upload")
    return volume


def _from_volume(kind: str, volume: Volume) -> Stack:
    count = len(volume.voxels)
    if count > MAX_SLICES:
        raise ZooError(f"upload: expected at most {MAX_SLICES} slices, got {count}")
    if not all(MIN_SPACING <= side <= MAX_SPACING for side in volume.spacing):
        raise ZooError(f"upload: pixels of {volume.spacing[0]:g} mm; expected {MIN_SPACING} to {MAX_SPACING} mm")
    where = f" of {count} slices" if count > 1 else ""
    sides = " × ".join(f"{side:.3g}" for side in volume.spacing)
    words = f"{kind}{where}, pixels of {sides} mm"
    return Stack(_windowed(volume.voxels), volume.spacing, float(volume.thickness or 1.0), words)


def _windowed(voxels: np.ndarray) -> np.ndarray:
    """Between the percentiles that datasets are windowed by."""
    try:
        return intensity_window(voxels, PERCENTILES)
    except ValueError as error:
        raise ZooError("upload: all of it has the same brightness; expected an image with contrast") from error


def _check_sides(size: tuple[int, int]) -> None:
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in size):
        raise ZooError(f"upload: {size[0]} × {size[1]} pixels; expected {MIN_SIDE} to {MAX_SIDE} a side")
