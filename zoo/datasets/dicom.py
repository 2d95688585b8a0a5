"""One DICOM file: its images and where each lies, classic, multi-frame or enhanced."""

from dataclasses import dataclass, field

import numpy as np
import pydicom

from zoo.datasets.content import read_bytes
from zoo.datasets.kinds import is_bare_dicom
from zoo.errors import ZooError

TIMES = ("TriggerTime", "TemporalPositionIdentifier", "AcquisitionTime", "InstanceNumber")
DEFLATED = "1.2.840.10008.1.2.1.99"
LOCALIZERS = ("LOCALIZER", "SCOUT", "SURVEY")
# What is drawn, planned or measured on images and is stored as one: by modality, and by the beginning of its SOP class
NO_IMAGES = ("SEG", "SR", "PR", "KO", "REG", "RWV", "FID", "DOC", "PLAN", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD")
_STORAGE = "1.2.840.10008.5.1.4.1.1."
NO_IMAGE_CLASSES = tuple(_STORAGE + end for end in ("4.2", "9.", "11.", "66", "67", "68.", "88.", "104.", "481."))
COMPONENTS = {"P", "PHASE", "VELOCITY", "R", "REAL", "I", "IMAGINARY"}  # other than the magnitude
# What decodes a transfer syntax that plain pydicom cannot: an extra of this package
_EXTRAS = {"JPEG 2000": "dicom", "JPEG": "dicom-jpeg"}


@dataclass
class Image:
    """One frame of a file, without its pixels.

    Args:
        index: Of the frame in the file.
        position: Of its first pixel, in mm to the patient's left, back and head; `None` if it is not given.
        axes: Along its rows (as columns count) and along its columns; `None` likewise.
        spacing: Of rows and columns in mm.
        thickness: `SpacingBetweenSlices`, else `SliceThickness`, in mm; `None` if neither is given.
        times: What may tell the frames of a cine series apart, by field.
        scale: Slope and intercept.
        location: `SliceLocation`, in mm along the stack; `None` if it is not given.
        kind: `ImageType`, or `FrameType` of an enhanced file, in capitals.
        echo: `EchoTime` in ms, or `None`.
    """

    index: int
    position: np.ndarray | None
    axes: np.ndarray | None
    spacing: tuple[float, float]
    thickness: float | None
    times: dict[str, float]
    scale: tuple[float, float]
    location: float | None = None
    kind: tuple[str, ...] = ()
    echo: float | None = None

    @property
    def is_magnitude(self) -> bool:
        """Whether it is no phase, velocity, real or imaginary image."""
        words = {word for value in self.kind for word in value.replace("_", " ").split()}
        return "M" in self.kind or "MAGNITUDE" in words or not words & COMPONENTS


@dataclass
class File:
    """One DICOM file with images, without its pixels.

    Args:
        path: A `pathlib.Path` or `zipfile.Path`.
        name: Its name relative to the source.
        patient, study, series, uid: The identifiers; empty if they are not given.
        number: `SeriesNumber`.
        title: `SeriesDescription`, else `ProtocolName`.
        shape: Rows and columns.
        inverted: Whether larger numbers are darker.
        images: Its frames.
        padding: The least and the largest stored number that stand for no image at all, or `None`.
    """

    path: object
    name: str
    patient: str
    study: str
    series: str
    uid: str
    number: float
    title: str
    shape: tuple[int, int]
    inverted: bool
    images: list[Image] = field(default_factory=list)
    padding: tuple[int, int] | None = None


class SetAside(ZooError):
    """A file that is in order and yet no image of a stack: a directory, a report, a segmentation, a localizer."""


def read_header(path, name: str | None = None) -> File:
    """Reads all of a DICOM file but its pixels.

    Args:
        path: A `pathlib.Path` or `zipfile.Path`.
        name: Its name relative to the source; the path if `None`.

    Raises:
        SetAside: If it holds no image, or that of a localizer.
        ZooError: If it is no DICOM file, holds colours or a mosaic, or a field that gives the geometry is missing or
            is not what it should be.
    """
    name = name or str(path)
    try:
        with path.open("rb") as file:
            data = read_data(file, stop_before_pixels=True)
    except Exception as error:  # pydicom raises what it stumbles on
        raise _unreadable(path, error) from error
    try:
        return _read(data, path, name)
    except ZooError:
        raise
    except Exception as error:  # values are parsed when they are asked for
        raise _unreadable(path, error) from error


def read_data(file, **options) -> pydicom.Dataset:
    """Reads an open file of DICOM, also one without the preamble and the mark that precede the data.

    Raises:
        ZooError: If it is no DICOM; else what pydicom stumbles on.
    """
    bare = is_bare_dicom(file.read(16))
    file.seek(0)
    data = pydicom.dcmread(file, force=bare, **options)
    if bare and "TransferSyntaxUID" not in data.file_meta:  # nor a header of the file: pydicom found out
        implicit, little = data.original_encoding
        plain = pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
        data.file_meta.TransferSyntaxUID = plain if little else pydicom.uid.ExplicitVRBigEndian
    return data


def _unreadable(path, error: Exception) -> ZooError:
    reason = (" ".join(str(error).split()) or type(error).__name__)[:200].rstrip(": ")
    if isinstance(error, pydicom.errors.InvalidDicomError):  # whose words are for programmers
        reason = "it begins as no DICOM file does"
    return ZooError(f"{path}: no readable DICOM image ({reason})")


def _read(data: pydicom.Dataset, path, name: str) -> File:
    if "DirectoryRecordSequence" in data:
        raise SetAside(f"{path}: is a DICOMDIR, a list of files")
    if not data.get("SOPClassUID") and not data.get("Rows"):
        raise ZooError(f"{path}: no readable DICOM image (nothing says what it is)")
    if not data.get("Rows") or not data.get("Columns"):
        raise SetAside(f"{path}: holds no image ({_class_of(data)})")
    modality = str(data.get("Modality") or "").strip().upper()
    if modality in NO_IMAGES or str(data.get("SOPClassUID") or "").startswith(NO_IMAGE_CLASSES):
        raise SetAside(f"{path}: is made of images and is none itself ({_class_of(data)})")
    kind = _kind(data.get("ImageType"))
    title = str(data.get("SeriesDescription") or data.get("ProtocolName") or "").strip()
    if "MOSAIC" in kind or (0x0019, 0x100A) in data and "SIEMENS" in str(data.get("Manufacturer", "")).upper():
        raise ZooError(f"{path}: is a Siemens mosaic, many slices in one picture; expected one slice an image")
    if any(word in LOCALIZERS for word in kind) or any(word.lower() in title.lower() for word in LOCALIZERS):
        raise SetAside(f"{path}: is of a localizer")
    if (data.get("SamplesPerPixel") or 1) != 1 or not str(
        data.get("PhotometricInterpretation") or "MONOCHROME2"
    ).startswith("MONOCHROME"):
        raise ZooError(f"{path}: is in colours ({data.get('PhotometricInterpretation')}); expected one grey frame")
    if not data.get("SeriesInstanceUID"):
        raise ZooError(f"{path}: missing SeriesInstanceUID; expected an image with its geometry")
    file = File(
        path=path,
        name=name,
        patient=str(data.get("PatientID") or "").strip(),
        study=str(data.get("StudyInstanceUID") or ""),
        series=str(data.SeriesInstanceUID),
        uid=str(data.get("SOPInstanceUID") or ""),
        number=_number(data.get("SeriesNumber")) or 0.0,
        title=title,
        shape=(int(data.Rows), int(data.Columns)),
        inverted=data.get("PhotometricInterpretation") == "MONOCHROME1",
        padding=_padding(data),
    )
    count = int(data.get("NumberOfFrames") or 1)
    shared = _first(data, "SharedFunctionalGroupsSequence")
    frames = list(data.get("PerFrameFunctionalGroupsSequence") or [])
    if frames and len(frames) != count:
        raise ZooError(f"{path}: describes {len(frames)} frames of {count}; expected all of them")
    if not 1 <= count <= 10_000:
        raise ZooError(f"{path}: NumberOfFrames is {count}; expected 1 to 10000")
    for index in range(count):
        groups = [*([frames[index]] if frames else []), *([shared] if shared else [])]
        file.images.append(_image(data, groups, index, count, path))
    return file


def _image(data: pydicom.Dataset, groups: list, index: int, count: int, path) -> Image:
    """One frame: what its own functional group says, else the shared one, else the file."""

    def find(sequence: str, name: str):
        for group in groups:
            if (item := _first(group, sequence)) is not None and item.get(name) is not None:
                return item.get(name)
        return data.get(name)

    def lengths(name: str, value, number: int) -> np.ndarray | None:
        if value is None or value == "" or (value := _list(value)) == []:
            return None
        if len(value) != number or any(_number(part) is None for part in value):
            raise ZooError(f"{path}: {name} has {len(value)} values; expected {number} numbers")
        return np.array([_number(part) for part in value])

    spacing = lengths("PixelSpacing", find("PixelMeasuresSequence", "PixelSpacing"), 2)
    if spacing is None or not (spacing > 0).all():
        raise ZooError(f"{path}: missing PixelSpacing; expected an image with its geometry")
    position = lengths("ImagePositionPatient", find("PlanePositionSequence", "ImagePositionPatient"), 3)
    axes = lengths("ImageOrientationPatient", find("PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    if axes is not None:
        axes = axes.reshape(2, 3)
        if not np.allclose(axes @ axes.T, np.eye(2), atol=0.02):
            raise ZooError(f"{path}: ImageOrientationPatient is no pair of directions; expected unit vectors")
    between = [_number(find("PixelMeasuresSequence", name)) for name in ("SpacingBetweenSlices", "SliceThickness")]
    times = {name: _number(data.get(name)) for name in TIMES} if count == 1 else {}
    for name, sequence, own in (
        ("TriggerTime", "CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
        ("TemporalPositionIdentifier", "FrameContentSequence", "TemporalPositionIndex"),
    ):
        if (value := _number(find(sequence, own))) is not None:  # 0 ms is a time
            times[name] = value
    if count > 1:
        times["InstanceNumber"] = float(index)
    slope, intercept = (
        _number(find("PixelValueTransformationSequence", name)) for name in ("RescaleSlope", "RescaleIntercept")
    )
    echoes = [_number(value) for value in (find("MREchoSequence", "EffectiveEchoTime"), data.get("EchoTime"))]
    return Image(
        index=index,
        position=position,
        axes=axes,
        spacing=(float(spacing[0]), float(spacing[1])),
        thickness=next((value for value in between if value and value > 0), None),
        times={name: times[name] for name in TIMES if times.get(name) is not None},
        scale=(1.0 if slope in (None, 0.0) else slope, intercept or 0.0),
        location=_number(data.get("SliceLocation")) if count == 1 else None,
        kind=_kind(find("MRImageFrameTypeSequence", "FrameType") or data.get("ImageType"))
        + _kind(find("MRImageFrameTypeSequence", "ComplexImageComponent")),
        echo=next((echo for echo in echoes if echo is not None), None),
    )


def _kind(value) -> tuple[str, ...]:
    return tuple(str(word).strip().upper() for word in _list(value))


def _padding(data: pydicom.Dataset) -> tuple[int, int] | None:
    """The stored numbers that pad an image, by `PixelPaddingValue` and, if it is a range, its other end."""
    ends = [_number(data.get(name)) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if ends[0] is None:
        return None
    bits, signed = int(data.get("BitsAllocated") or 16), bool(data.get("PixelRepresentation"))
    low = -(2 ** (bits - 1)) if signed else 0
    ends = sorted(
        int((end - low) % 2**bits + low) for end in ends if end is not None
    )  # its sign is often written wrong
    return ends[0], ends[-1]


def read_pixels(file: File, limit: int | None = None) -> np.ndarray:
    """The frames of a file as they are shown: float32 `(frames, rows, columns)`, slope and intercept applied.

    What pads an image, by its header, is NaN.

    Raises:
        ZooError: If they cannot be decoded; the message names the extra that would.
    """
    import io

    frames, (rows, columns) = len(file.images), file.shape
    if frames * rows * columns > (limit or 2**31):
        raise ZooError(f"{file.path}: {frames} x {rows} x {columns} pixels; expected fewer")
    content = read_bytes(file.path, limit)
    syntax = None
    try:
        data = read_data(io.BytesIO(content))
        syntax = data.file_meta.get("TransferSyntaxUID")
        pixels = data.pixel_array
    except Exception as error:
        told = " ".join(str(error).split())
        if syntax is not None and syntax.is_compressed and ("plugin" in told or "handler" in told or "depend" in told):
            extra = next((extra for word, extra in _EXTRAS.items() if word in syntax.name), "dicom-jpeg")
            raise ZooError(
                f"{file.path}: is compressed as {syntax.name}, which needs another decoder; "
                f"expected `pip install 'cardiac-mri-zoo[{extra}]'`"
            ) from error
        raise _unreadable(file.path, error) from error
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    if pixels.shape != (frames, rows, columns):
        raise ZooError(f"{file.path}: pixels of shape {pixels.shape}; expected one grey frame of {rows}x{columns}")
    slopes, intercepts = (np.float32([image.scale[part] for image in file.images])[:, None, None] for part in (0, 1))
    found = pixels.astype(np.float32) * slopes + intercepts
    if file.padding is not None:
        found[(pixels >= file.padding[0]) & (pixels <= file.padding[1])] = np.nan
    return found


def _class_of(data: pydicom.Dataset) -> str:
    uid = data.get("SOPClassUID")
    return getattr(uid, "name", None) or str(data.get("Modality") or "of no known kind")


def _first(data, name: str):
    sequence = data.get(name)
    return sequence[0] if sequence else None


def _list(value) -> list:
    if value is None:
        return []
    return list(value) if isinstance(value, pydicom.multival.MultiValue | list | tuple) else [value]


def _number(value) -> float | None:
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None
