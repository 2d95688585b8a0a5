"""Reading DICOM series: files are grouped by their headers, slices ordered by position."""

import io
from collections import defaultdict

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from zoo.datasets.nifti import Volume
from zoo.errors import ZooError


def read_dicom(path) -> pydicom.Dataset:
    """Reads one grey, single-frame DICOM image, pixels included.

    Raises:
        ZooError: If the file is no such image, or a field that gives the geometry is missing.
    """
    try:
        header = pydicom.dcmread(io.BytesIO(path.read_bytes()))
        shape = header.pixel_array.shape  # decoded here, in the thread that reads the file, and kept by pydicom
    except (InvalidDicomError, OSError, EOFError, ValueError, AttributeError, RuntimeError, KeyError) as error:
        raise ZooError(f"{path}: no readable DICOM image ({str(error).splitlines()[0]})") from error
    if missing := [name for name in ("SeriesInstanceUID", "PixelSpacing") if name not in header]:
        raise ZooError(f"{path}: missing {', '.join(missing)}; expected an image with its geometry")
    if len(shape) != 2:
        raise ZooError(f"{path}: pixels of shape {shape}; expected one grey frame")
    return header


def group_series(headers: dict[str, pydicom.Dataset]) -> list[list[str]]:
    """Names of the files of each series (SeriesInstanceUID), in the order of their slices."""
    series = defaultdict(list)
    for name, header in headers.items():
        series[str(header.SeriesInstanceUID)].append(name)
    return [sorted(names, key=lambda name: (_position(headers[name]), name)) for names in series.values()]


def _position(header: pydicom.Dataset) -> tuple[float, int]:
    """Where a slice lies along the normal of its plane (mm), then its number: cine frames share a position."""
    position, axes = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    along = 0.0
    if position and axes:
        along = float(np.dot(np.cross(axes[:3], axes[3:]).astype(float), np.asarray(position, dtype=float)))
    return round(along, 3), int(header.get("InstanceNumber") or 0)


def to_volume(headers: list[pydicom.Dataset], name: str) -> Volume:
    """Stacks a series; rescale slope and intercept are applied, MONOCHROME1 is inverted.

    Args:
        headers: The slices in their order.
        name: Of the series, for the error message.

    Raises:
        ZooError: If the slices are not of one shape.
    """
    shapes = {header.pixel_array.shape for header in headers}
    if len(shapes) > 1:
        raise ZooError(f"{name}: slices of shapes {sorted(shapes)}; expected one shape in a series")
    voxels = np.stack(
        [
            header.pixel_array.astype(np.float32) * float(header.get("RescaleSlope", 1))
            + float(header.get("RescaleIntercept", 0))
            for header in headers
        ]
    )
    first = headers[0]
    if first.get("PhotometricInterpretation") == "MONOCHROME1":
        voxels = voxels.max() - voxels
    rows, columns = (float(spacing) for spacing in first.PixelSpacing)
    thickness = float(first.get("SpacingBetweenSlices") or first.get("SliceThickness") or 1)
    return Volume(voxels, (rows, columns), thickness)
