"""MetaImage and NRRD, read by SimpleITK, which is an optional dependency."""

import re
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np

from zoo.datasets.content import MOST, head_of, read_bytes
from zoo.datasets.orientation import to_patient
from zoo.datasets.volume import Volume
from zoo.errors import ZooError

# Lengths of a header, as NRRD's `space units` and `units` and MetaImage's `DistanceUnits` have them, in mm
MILLIMETRES = {
    **dict.fromkeys(("", "mm", "millimeter", "millimetre", "millimeters", "millimetres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimetre", "centimeters", "centimetres"), 10.0),
    **dict.fromkeys(("m", "meter", "metre", "meters", "metres"), 1000.0),
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "micron", "microns", "micrometer", "micrometre"), 0.001),
}
TIMES = {"s", "sec", "second", "seconds", "ms", "msec", "millisecond", "milliseconds"}
TO_RAS = np.array([-1.0, -1.0, 1.0])  # ITK's axes run to the left, back and head


def read_itk(
    path, dimensions: tuple[int, ...] = (2, 3), *, files: dict | None = None, limit: int | None = None
) -> Volume:
    """Reads an `.mhd`, `.mha`, `.nrrd` or `.nhdr` and turns it to the patient's axes.

    Args:
        path: A `pathlib.Path` or `zipfile.Path`.
        dimensions: The numbers of dimensions that are accepted.
        files: Files that may lie beside it, by their names; where a header names one, it is read and no other.
        limit: The most bytes of voxels.

    Raises:
        ZooError: If SimpleITK is not installed, the file is unreadable, holds colours, is too large, or names voxels
            outside its own folder.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise ZooError(f"{path}: reading it takes SimpleITK; expected `pip install 'cardiac-mri-zoo[itk]'`") from error
    head = head_of(path, 8192)
    beside = data_file(head, path)
    with tempfile.TemporaryDirectory() as folder:  # SimpleITK reads by name, and what a header names must lie beside it
        copy = Path(folder) / f"image{PurePosixPath(path.name).suffix.lower()}"
        copy.write_bytes(read_bytes(path, limit))
        if beside is not None:
            others = {PurePosixPath(name).name.lower(): other for name, other in (files or {}).items()}
            found = others.get(beside.lower())  # Windows does not mind the case
            if found is None and (path.parent / beside).is_file():
                found = path.parent / beside
            if found is None:
                raise ZooError(f"{path}: its voxels are said to lie in {beside}; expected that file beside it")
            (Path(folder) / beside).write_bytes(read_bytes(found, limit))
        try:
            reader = SimpleITK.ImageFileReader()
            reader.SetFileName(str(copy))
            reader.ReadImageInformation()
            components, size = reader.GetNumberOfComponents(), reader.GetSize()
            if components != 1 or "complex" in SimpleITK.GetPixelIDValueAsString(reader.GetPixelID()):
                raise ZooError(f"{path}: holds {components} numbers a voxel; expected one")
            if int(np.prod(size, dtype=object)) * 2 > (limit or MOST):
                raise ZooError(f"{path}: is of {' x '.join(map(str, size))} voxels; expected fewer")
            image = reader.Execute()
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise ZooError(f"{path}: no readable MetaImage or NRRD ({lines[-1].replace(folder, '')})") from error
    voxels = SimpleITK.GetArrayFromImage(image).T  # (i, j, k, …)
    if voxels.ndim not in dimensions:
        raise ZooError(f"{path}: shape {voxels.shape}; expected {' or '.join(map(str, dimensions))} dimensions")
    axes = min(voxels.ndim, 3)
    matrix = np.eye(4)
    directions = np.array(image.GetDirection()).reshape(voxels.ndim, voxels.ndim)[:axes, :axes]
    unit, scale = unit_of(head, path)
    spacing = np.array([*image.GetSpacing()[:axes], 1.0][:3]) * np.where(np.arange(3) < axes, scale, 1.0)
    matrix[:axes, :axes] = directions
    matrix[:3, :3] = TO_RAS[:, None] * matrix[:3, :3] * spacing
    matrix[:axes, 3] = TO_RAS[:axes] * image.GetOrigin()[:axes] * scale
    if not ((spacing > 0) & np.isfinite(spacing)).all() or not np.isfinite(matrix).all():
        raise ZooError(f"{path}: spacing {spacing.tolist()}; expected positive mm")
    notes = [f"lengths are in units of {unit}: turned into mm"] if scale != 1 else []
    if not re.search(rb"ElementSpacing|ElementSize|spacings:|space directions:", head):
        notes.append("its header gives no spacing: 1 mm is put down")
    oriented = re.search(rb"TransformMatrix|Orientation|Rotation|space directions", head)
    voxels = voxels if voxels.ndim > 2 else voxels[..., None]
    return to_patient(voxels, matrix if oriented else None, spacing, path, notes)


def data_file(head: bytes, path) -> str | None:
    """The name of the file that a header's voxels lie in, or `None` if they follow it.

    Raises:
        ZooError: If it lies in another folder, or there are several.
    """
    found = re.search(rb"^\s*(?:ElementDataFile\s*=|data ?file:)[ \t]*([^\r\n]*)", head, re.MULTILINE | re.IGNORECASE)
    name = found.group(1).decode(errors="replace").strip() if found else "LOCAL"
    if name.upper() == "LOCAL":
        return None
    if not re.fullmatch(r"[\w .()+-]+", name) or name.startswith(".") or name.upper().startswith("LIST") or "%" in name:
        raise ZooError(f"{path}: its voxels are said to lie in {name!r}; expected one file in its own folder")
    return name


def unit_of(head: bytes, path) -> tuple[str, float]:
    """The unit of length of a header and its mm; 1 where it names none.

    Raises:
        ZooError: If it is none that is known, or there are several.
    """
    fields = {}
    for line in re.split(rb"\r?\n", head):
        if not line:  # voxels follow a NRRD's header
            break
        if b":=" in line:  # a key of the user's own
            continue
        name, _, value = line.decode("utf-8", errors="replace").replace("=", ":", 1).partition(":")
        fields[name.strip().lower()] = value.strip()
    told = fields.get("space units") or fields.get("units") or fields.get("distanceunits") or ""
    words = re.findall(r'"([^"]*)"', told) if '"' in told else [told]
    units = {word.strip() for word in words if word.strip().lower() not in TIMES | {"", "?", "unknown", "none"}} or {""}
    known = {MILLIMETRES.get(unit.lower()) for unit in units}
    if None in known or len(known) > 1:
        raise ZooError(f"{path}: lengths in units of {', '.join(sorted(units))}; expected mm, cm, m or um alone")
    return min(units), known.pop()
