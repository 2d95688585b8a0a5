"""NIfTI 1 and 2, in one file or two, and Analyze 7.5: voxels, units and axes by the header."""

import io
import zipfile
import zlib

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.fileholders import FileHolder
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from zoo.datasets.content import read_bytes, unpacked
from zoo.datasets.orientation import angle_between, to_patient
from zoo.datasets.volume import Volume
from zoo.errors import ZooError

_UNREADABLE = (zlib.error, zipfile.BadZipFile, ImageFileError, WrapStructError, HeaderDataError)
MILLIMETRES = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
ANALYZE_UNITS = {"cm": 10.0, "m": 1000.0, "um": 0.001}  # mm else
SECOND_FILE = {b"ni1\0": nibabel.Nifti1Pair, b"ni2\0": nibabel.Nifti2Pair}
ONE_FILE = {b"n+1\0": nibabel.Nifti1Image, b"n+2\0": nibabel.Nifti2Image}


def image_class(head: bytes):
    """The class of nibabel for a file that begins so (540 bytes suffice), or `None` if it is no NIfTI or Analyze."""
    size = {head[:4][::step] for step in (1, -1)}
    if (348).to_bytes(4, "little") in size:
        magic = head[344:348]
        return {**ONE_FILE, **SECOND_FILE}.get(magic, nibabel.AnalyzeImage if len(head) >= 348 else None)
    if (540).to_bytes(4, "little") in size:
        return {**ONE_FILE, **SECOND_FILE}.get(head[4:8])
    return None


def is_pair(head: bytes) -> bool:
    """Whether the voxels of a file that begins so lie in another one, `NAME.img` beside `NAME.hdr`."""
    return image_class(head) in (*SECOND_FILE.values(), nibabel.AnalyzeImage)


def read_nifti(path, dimensions: tuple[int, ...] = (3,), *, second=None, limit: int | None = None) -> Volume:
    """Reads a NIfTI file and turns it to the patient's axes (`zoo.datasets.orientation`).

    The axes are those of the sform if its code is above 0, else of the qform, else unknown; where they or `pixdim`
    disagree by more than 1° or 1 %, the volume's notes say so. Lengths are in the header's units, mm if it names none.
    An sform of unit steps beside another `pixdim`, as ACDC's files have it, knows directions but no lengths.

    Args:
        path: A `pathlib.Path` or `zipfile.Path` of a `.nii` or `.hdr`, gzipped or not.
        dimensions: The numbers of dimensions that are accepted; a 2D image becomes one slice.
        second: The path of the voxels, `.img`, where they lie in a file of their own.
        limit: The most bytes that it may unpack to.

    Raises:
        ZooError: If the file is truncated or no NIfTI, holds colours or complex numbers, has other dimensions or no
            positive spacing.
    """
    try:
        data = unpacked(read_bytes(path, limit), path, limit)
        kind = image_class(data)
        if kind is None:
            raise ZooError(f"{path}: truncated or no NIfTI (no header of one); expected a readable volume")
        if is_pair(data) and second is None:
            raise ZooError(f"{path}: its voxels lie in another file; expected NAME.img beside NAME.hdr")
        body = data if second is None else unpacked(read_bytes(second, limit), second, limit)
        header = kind.header_class.from_fileobj(
            io.BytesIO(data), check=False
        )  # nibabel would make spacings of 0 into 1
        dtype, shape = header.get_data_dtype(), header.get_data_shape()
        if dtype.kind not in "iuf":
            what = "complex numbers" if dtype.kind == "c" else "colours"
            raise ZooError(f"{path}: holds {what}; expected one number a voxel")
        if min(shape, default=0) < 1:
            raise ZooError(f"{path}: shape {shape}; expected at least one voxel")
        pixdim = [float(zoom) for zoom in header.get_zooms()]
        promised = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if promised > len(body) - int(header.get_data_offset()):
            raise ZooError(
                f"{path}: truncated or no NIfTI ({promised} bytes of voxels are promised); expected a readable volume"
            )
        holders = {"header": FileHolder(fileobj=io.BytesIO(data)), "image": FileHolder(fileobj=io.BytesIO(body))}
        nifti = kind.from_file_map(holders if second is not None else {**holders, "header": holders["image"]})
        voxels = np.asanyarray(nifti.dataobj)
    except ZooError:
        raise
    except (*_UNREADABLE, OSError, EOFError, ValueError, OverflowError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ZooError(f"{path}: truncated or no NIfTI ({reason}); expected a readable volume") from error
    while voxels.ndim > max(dimensions) and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim not in dimensions:
        raise ZooError(f"{path}: shape {voxels.shape}; expected {' or '.join(map(str, dimensions))} dimensions")
    voxels = voxels[..., None] if voxels.ndim == 2 else voxels
    zooms = [*pixdim, 1.0, 1.0][:3] if len(shape) > 2 else [*pixdim, 1.0][:3]
    if not all(0 < zoom < float("inf") for zoom in zooms):
        raise ZooError(f"{path}: pixdim is {zooms}; expected positive spacings in mm")
    affine, spacing, notes = geometry(nifti.header, zooms, flat=len(shape) == 2)
    return to_patient(voxels, affine, spacing, path, notes)


def geometry(header, pixdim: list[float], flat: bool) -> tuple[np.ndarray | None, np.ndarray, list[str]]:
    """Affine and spacing of a header in mm, and what is to be said of them.

    Args:
        header: Of a NIfTI; Analyze has no axes, and a unit of its own.
        pixdim: Of the three axes, positive.
        flat: Whether it is of a single slice, whose third axis need not be given.
    """
    notes, pixdim = [], np.asarray(pixdim)
    if not hasattr(header, "get_qform"):
        unit = bytes(header["vox_units"]).split(b"\0")[0].decode("latin-1").strip().lower()
        scale = ANALYZE_UNITS.get(unit, 1.0)
        if scale != 1:
            notes.append(f"lengths are in units of {unit}: turned into mm")
        return None, pixdim * scale, notes
    try:
        unit = header.get_xyzt_units()[0]
    except KeyError:
        unit = "unknown"
        notes.append("its unit of length is none that NIfTI knows: taken for mm")
    scale = MILLIMETRES[unit]
    if scale != 1:
        notes.append(f"lengths are in units of {unit}: turned into mm")
    forms = {}
    for name, read in (("sform", header.get_sform), ("qform", header.get_qform)):
        if header[f"{name}_code"] <= 0:
            continue
        try:
            matrix = np.array(read(), dtype=float)
        except (HeaderDataError, ValueError):
            matrix = np.full((4, 4), np.nan)
        if flat and np.isfinite(matrix).all() and not np.linalg.norm(matrix[:3, 2]) > 0:
            matrix[:3, 2] = np.cross(*(matrix[:3, axis] / pixdim[axis] for axis in (0, 1)))
        if np.isfinite(matrix).all() and abs(np.linalg.det(matrix[:3, :3])) > 1e-12:
            forms[name] = matrix
        else:
            notes.append(f"its {name} is no affine and is left out")
    if not forms:
        return None, pixdim * scale, notes
    name = next(iter(forms))
    affine = forms[name]
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    if np.allclose(sides, 1) and not np.allclose(pixdim, 1, rtol=0.01):
        notes.append(f"its {name} knows directions alone: lengths are those of pixdim")
        affine = affine * np.array([*pixdim, 1.0])
    elif not np.allclose(sides[: 2 if flat else 3], pixdim[: 2 if flat else 3], rtol=0.01):
        notes.append(f"{name} and pixdim disagree by more than 1 %: lengths are those of the {name}")
    if len(forms) == 2:
        other = forms["qform"]
        if (apart := angle_between(forms["sform"], other)) > 1:
            notes.append(f"sform and qform disagree by {apart:.0f}°: axes are those of the sform")
        lengths = [np.linalg.norm(form[:3, :3], axis=0) for form in forms.values()]
        if not np.allclose(*lengths, rtol=0.01) and not np.allclose(lengths[0], 1):
            notes.append("sform and qform disagree by more than 1 %: lengths are those of the sform")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    spacing = np.where(np.isclose(spacing, pixdim, rtol=1e-4), pixdim, spacing)  # not what rounding made of it
    affine = affine.copy()
    affine[:3] *= scale
    return affine, spacing * scale, notes
