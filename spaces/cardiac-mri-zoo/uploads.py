"""Reading what a visitor uploads: known by its content, bounded in size, and nothing but the uploaded file itself."""

import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from zoo.datasets.dicom import read_dicom, to_volume
from zoo.datasets.nifti import Volume, read_nifti
from zoo.datasets.pictures import read_picture
from zoo.datasets.resample import intensity_window
from zoo.datasets.volumes import PERCENTILES
from zoo.errors import ZooError

MAX_BYTES = 20 * 2**20
MAX_UNPACKED = 96 * 2**20
MAX_SIDE = 4096  # pixels
MIN_SIDE = 16
KINDS = "a PNG, a JPEG, a NIfTI volume (.nii, .nii.gz) or a single DICOM image"
MAX_SLICES = 40
DEFLATED = "1.2.840.10008.1.2.1.99"
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


def read_stack(path: str, uploads: Path) -> Stack:
    """Reads an uploaded file.

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
    data = file.read_bytes()
    try:
        for kind, head in (("PNG", b"\x89PNG\r\n\x1a\n"), ("JPEG", b"\xff\xd8\xff")):
            if data.startswith(head):
                return _read_picture(file, data, kind)
        if data[128:132] == b"DICM":
            return _from_volume("DICOM", _read_dicom(file))
        head = _unpack(data, 352) if data.startswith(b"\x1f\x8b") else data
        if head[344:348] in (b"n+1\0", b"ni1\0"):
            return _from_volume("NIfTI", _read_nifti(file, data))
    except ZooError as error:
        raise ZooError(str(error).replace(str(file), "upload")) from error
    raise ZooError(f"upload: expected {KINDS}, this is none of them")


def _read_picture(file: Path, data: bytes, kind: str) -> Stack:
    try:
        size = Image.open(io.BytesIO(data)).size  # the header alone
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ZooError(f"upload: a damaged {kind}") from error
    _check_sides(size)
    pixels = np.asarray(read_picture(file, 1), dtype=np.float32)
    return Stack(_windowed(pixels)[None], None, 1.0, f"{kind} of {size[0]} × {size[1]} pixels")


def _read_dicom(file: Path) -> Volume:
    try:
        if read_file_meta_info(file).TransferSyntaxUID == DEFLATED:  # would be unpacked before its size is known
            raise ZooError("upload: deflated DICOM is not read; save it without compression")
        header = pydicom.dcmread(file, stop_before_pixels=True)
        _check_sides((int(header.Columns), int(header.Rows)))
        if int(header.get("NumberOfFrames") or 1) > 1:
            raise ZooError("upload: expected a DICOM image of one frame")
    except (InvalidDicomError, OSError, EOFError, ValueError, AttributeError, KeyError) as error:
        if isinstance(error, ZooError):
            raise
        raise ZooError("upload: no readable DICOM image") from error
    volume = to_volume([read_dicom(file)], "upload")
    volume.check_image("upload")
    return volume


def _read_nifti(file: Path, data: bytes) -> Volume:
    if data.startswith(b"\x1f\x8b"):
        _unpack(data, MAX_UNPACKED, whole=True)
    volume = read_nifti(file, (2, 3, 4), reorient=True)
    if volume.voxels.dtype.kind not in "iuf":
        raise ZooError("upload: expected one number a voxel")
    if volume.voxels.ndim == 4:  # a cine series: its first frame
        volume = Volume(volume.voxels[0], volume.spacing, volume.thickness)
    _check_sides(volume.voxels.shape[:0:-1])
    volume.check_image("upload")
    return volume


def _unpack(data: bytes, limit: int, whole: bool = False) -> bytes:
    """The first `limit` bytes of gzipped data; if it is to be whole, more are refused before they are unpacked."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise ZooError("upload: a damaged .gz file") from error
    if whole and not unpacker.eof:
        raise ZooError(f"upload: expected at most {limit >> 20} MB unpacked, and a whole .gz file")
    return found


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
