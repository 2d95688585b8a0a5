"""Volumes in millimetres, and NIfTI files read as such."""

import gzip
import hashlib
import zipfile
import zlib
from dataclasses import dataclass

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from zoo.errors import ZooError

_UNREADABLE = (zlib.error, zipfile.BadZipFile, ImageFileError, WrapStructError, HeaderDataError)


@dataclass
class Volume:
    """A stack of slices.

    Args:
        voxels: `(slices, height, width)`, or `(frames, slices, height, width)` of a cine series.
        spacing: Row and column spacing in mm.
        thickness: Distance of the slices in mm.
    """

    voxels: np.ndarray
    spacing: tuple[float, float]
    thickness: float

    def check_image(self, path) -> None:
        """Raises a `ZooError` that names `path` if the values are not finite or all the same."""
        if not np.isfinite(self.voxels).all():
            raise ZooError(f"{path}: has NaN or infinite values; expected finite intensities")
        if self.voxels.min() == self.voxels.max():
            raise ZooError(f"{path}: all values are {self.voxels.flat[0]}; expected an image")

    def content_hashes(self) -> set[bytes]:
        """SHA-256 of every slice as float32, without the constant ones, which are alike in everybody."""
        slices = (np.ascontiguousarray(image, dtype=np.float32) for image in self.voxels)
        return {hashlib.sha256(image.tobytes()).digest() for image in slices if image.min() < image.max()}


def read_nifti(path, dimensions: tuple[int, ...] = (3,), reorient: bool = False) -> Volume:
    """Reads a NIfTI file; the first axis of the file runs along the columns of the result, the second along its rows.

    Spacing is the header's `pixdim`, since the affine of ACDC's files says nothing (qform code 0, unit sform).

    Args:
        path: A `pathlib.Path` or `zipfile.Path` of a `.nii` or `.nii.gz`.
        dimensions: The numbers of dimensions that are accepted; a 2D image becomes one slice.
        reorient: Mirrors the in-plane axes so that they run to the patient's left, back and feet, as viewers show
            them and ACDC stores them. A file whose qform and sform codes are both 0 stays as it is.

    Raises:
        ZooError: If the file is truncated or no NIfTI, or has other dimensions or no positive spacing.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        header = nibabel.Nifti1Header(data[:348], check=False)  # unchecked, since nibabel makes spacings of 0 into 1
        nifti = nibabel.Nifti1Image.from_bytes(data)
        voxels = np.asanyarray(nifti.dataobj)
    except (*_UNREADABLE, OSError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ZooError(f"{path}: truncated or no NIfTI ({reason}); expected a readable volume") from error
    if voxels.ndim not in dimensions:
        raise ZooError(f"{path}: shape {voxels.shape}; expected {' or '.join(map(str, dimensions))} dimensions")
    zooms = [float(zoom) for zoom in (*header.get_zooms(), 1.0)[:3]]
    if not all(0 < zoom < float("inf") for zoom in zooms):
        raise ZooError(f"{path}: pixdim is {zooms}; expected positive spacings in mm")
    if reorient and (nifti.header["qform_code"] or nifti.header["sform_code"]):
        codes = nibabel.aff2axcodes(nifti.affine)[:2]
        voxels = voxels[tuple(slice(None, None, -1 if code in ("R", "A", "S") else 1) for code in codes)]
    voxels = voxels.T if voxels.ndim > 2 else voxels.T[None]
    return Volume(voxels, (zooms[1], zooms[0]), zooms[2])
