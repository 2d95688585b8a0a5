"""A patient's scans as rows: which frames, where the heart is, and slices on one grid."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from zoo import png
from zoo.datasets.label_maps import unknown_labels
from zoo.datasets.masks import labels_of
from zoo.datasets.placement import Segmenter, basal_first, cavity_size, mask_center, motion_center, segmented
from zoo.datasets.resample import intensity_window, resample_slice
from zoo.datasets.schema import PHASES, slice_level
from zoo.datasets.volume import Volume
from zoo.errors import ZooError

PERCENTILES = (0.5, 99.5)


@dataclass
class Scan:
    """One file or DICOM stack of a patient.

    Args:
        name: Of the file relative to the source, for messages.
        patient: Whose it is.
        load: Reads the image and its mask, or `None`.
        mask: Name of the mask, for messages.
        split: The official one; `None` if the source is undivided.
        pathology: As the source words it.
        phase: `"ED"` or `"ES"`, of a scan of one frame.
        frame: Its number from 1, likewise.
        phases: Of a cine series, the phase of each frame that is to be taken, by number.
        columns: What else is known, by column.
    """

    name: str
    patient: str
    load: Callable[[], tuple[Volume, Volume | None]]
    mask: str | None = None
    split: str | None = None
    pathology: str | None = None
    phase: str | None = None
    frame: int | None = None
    phases: dict[int, str | None] | None = None
    columns: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """How slices are stored.

    Args:
        size: Side in pixels.
        spacing: Pixel side in mm; `None` fits the largest square of each slice into `size`.
        percentiles: Of the volume, which become 0 and 255.
        center: `"masks"`, `"segmenter"`, `"motion"` or `"image"`; `None` takes the first of them that the data allow.
        segment: Labels slices; see `zoo.datasets.placement`.
        predict: Gives images without a mask the segmenter's.
        frames: Of cine series: `"all"`, `"ed-es"`, or numbers from 1; `None` takes those that are named or have masks,
            else all.
        phases: Which of `ED` and `ES` to keep; `None` keeps all frames.
        mask_labels: The label of the zoo (0 to 3) of each value of the masks; `None` leaves them as they are.
    """

    size: int
    spacing: float | None = None
    percentiles: tuple[float, float] = PERCENTILES
    center: str | None = None
    segment: Segmenter | None = None
    predict: bool = False
    frames: str | list[int] | None = None
    phases: list[str] | None = None
    mask_labels: dict[int, int] | None = None


@dataclass
class Frame:
    """One stack at one time."""

    scan: Scan
    volume: Volume
    mask: np.ndarray | None = None
    number: int | None = None
    phase: str | None = None
    predicted: bool = False
    of_cine: bool = False


@dataclass
class Patient:
    """A patient's rows, the hashes of the slices that they come from, and what is to be said.

    `center` is how the heart was found and how far that lies from the middle of the image in mm.
    """

    rows: list[dict]
    hashes: set[bytes]
    notes: list[tuple[str, str]]
    skipped: list[tuple[str, str]]
    center: tuple[str, float] | None = None


def read_patient(scans: list[Scan], look: Look, skip_bad: bool = False) -> Patient:
    """Reads a patient's scans into rows, without the columns that the builder fills in.

    Args:
        scans: Of one patient.
        look: How to store them.
        skip_bad: Leaves unusable scans out, if another one is left.

    Raises:
        ZooError: If a scan is unusable; the message names it.
    """
    found = Patient([], set(), [], [])
    frames = []
    for scan in scans:
        try:
            chosen, notes = frames_of(scan, look)
        except ZooError as error:
            if not skip_bad or len(scans) == 1:
                raise
            found.skipped.append((scan.name, str(error)))
            continue
        frames += chosen
        found.notes += [(scan.name, note) for note in notes]
    if not frames:
        raise ZooError(f"{scans[0].name}: no frame is left of the phases {', '.join(look.phases or PHASES)}")
    for frame in frames:
        found.hashes |= frame.volume.content_hashes()
    for frame, (how, center), first_is_basal in _placed(frames, look):
        middle = [(side - 1) / 2 for side in frame.volume.voxels.shape[1:]]
        offset = np.hypot(*(np.subtract(center, middle) * frame.volume.spacing))
        found.center = (how, float(offset))
        try:
            slices = slice_rows(frame.volume, look, center, frame.mask, first_is_basal)
        except ValueError as error:
            raise ZooError(f"{frame.scan.name}: {error}; expected an image with contrast") from error
        common = {"frame": frame.number, "phase": frame.phase, "predicted": frame.predicted}
        found.rows += [frame.scan.columns | common | row for row in slices]
    return found


def check_spellings(scans: list[Scan]) -> None:
    """Makes sure that no two patients' names differ in case alone.

    Raises:
        ZooError: If two do; the message names files of both.
    """
    spellings = defaultdict(dict)
    for scan in scans:
        spellings[scan.patient.casefold()].setdefault(scan.patient, scan.name)
    if alike := next((dict(sorted(names.items())) for names in spellings.values() if len(names) > 1), None):
        where, told = " and ".join(alike.values()), " and ".join(alike)
        raise ZooError(f"{where}: may be of one patient or of two, by names {told}; expected one spelling")


def frames_of(scan: Scan, look: Look) -> tuple[list[Frame], list[str]]:
    """The frames of a scan that are to be stored, and what its reader has to say.

    Raises:
        ZooError: If the scan is unusable, or the frames that are asked for cannot be told.
    """
    volume, mask = scan.load()
    volume.check_image(scan.name)
    labels = None if mask is None else labels_of(mask, volume, look.mask_labels, scan.mask or scan.name)
    notes = volume.notes + ([] if labels is None else unknown_labels(labels))
    if volume.num_frames == 1:
        frames = [Frame(scan, volume.frame(0), None if labels is None else labels[0], scan.frame, scan.phase)]
        if scan.phases:
            frames[0].number, phase = next(iter(scan.phases.items()))
            frames[0].phase = phase or scan.phase
        frames = _asked_of_a_stack(frames[0], look)
    else:
        frames = _frames_of_cine(scan, volume, labels, look)
    if look.predict and look.segment is not None:
        for frame in frames:
            if frame.mask is None:
                cine = volume.num_frames > 1
                around = motion_center(list(volume.voxels), volume.spacing) if cine else None
                found = segmented(frame.volume, look.percentiles, look.segment, around)
                frame.mask, frame.predicted = found, True
    if look.phases:
        if all(frame.phase is None for frame in frames):
            raise ZooError(f"{scan.name}: its phase is unknown; expected ED or ES in names, in --labels or by --frames")
        frames = [frame for frame in frames if frame.phase in look.phases]
    return frames, notes


def _asked_of_a_stack(frame: Frame, look: Look) -> list[Frame]:
    """The frame of a scan of one, if it is among those that are asked for.

    Raises:
        ZooError: If it is not known which one it is.
    """
    if look.frames == "ed-es" and frame.phase is None:
        raise ZooError(f"{frame.scan.name}: ED and ES are unknown; expected them in names or in --labels")
    if look.frames in (None, "all", "ed-es") or (frame.number or 1) in look.frames:
        return [frame]
    if frame.number is None:
        raise ZooError(f"{frame.scan.name}: has 1 frame; expected --frames 1, or none")
    return []


def _frames_of_cine(scan: Scan, volume: Volume, labels: np.ndarray | None, look: Look) -> list[Frame]:
    count = volume.num_frames
    if scan.phases and max(scan.phases) > count:
        raise ZooError(f"{scan.name}: has {count} frames; expected frame {max(scan.phases)} among them")
    # A cine series is labelled at some frames; what is empty elsewhere is no mask
    marked = [] if labels is None else [index for index in range(count) if labels[index].any()]
    phases = dict(scan.phases or {})
    if not phases and (len(marked) > 1 or (look.frames == "ed-es" and look.segment is not None)):
        if len(marked) > 1:
            masks = {index: labels[index] for index in marked}
        else:
            around = motion_center(list(volume.voxels), volume.spacing)
            masks = {i: segmented(volume.frame(i), look.percentiles, look.segment, around) for i in range(count)}
        sizes = {index: cavity_size(found) for index, found in masks.items()}
        if max(sizes.values()) > min(sizes.values()):
            phases = {max(sizes, key=sizes.get) + 1: "ED", min(sizes, key=sizes.get) + 1: "ES"}
    if look.frames == "all":
        numbers = list(range(1, count + 1))
    elif look.frames == "ed-es":
        if sorted(filter(None, phases.values())) != PHASES:
            raise ZooError(f"{scan.name}: ED and ES are unknown; expected masks of both, --segment or --labels")
        numbers = [number for number, phase in phases.items() if phase]
    elif look.frames:
        numbers = look.frames
        if max(numbers) > count or min(numbers) < 1:
            raise ZooError(f"{scan.name}: has {count} frames; expected --frames from 1 to {count}")
    elif scan.phases:
        numbers = list(scan.phases)
    else:
        numbers = [index + 1 for index in marked] or list(range(1, count + 1))
    return [
        Frame(
            scan,
            volume.frame(number - 1),
            labels[number - 1] if number - 1 in marked else None,
            number,
            phases.get(number),
            of_cine=True,
        )
        for number in sorted(set(numbers))
    ]


def _placed(frames: list[Frame], look: Look) -> Iterator[tuple[Frame, tuple[str, tuple[float, float]], bool]]:
    """Each frame, its centre, and whether its first slice is basal: alike in all frames of one heartbeat."""
    beats: list[list[Frame]] = []
    for frame in frames:
        beat = next((beat for beat in beats if all(_is_one_beat(frame, other) for other in beat)), None)
        beat.append(frame) if beat is not None else beats.append([frame])
    of_beat = [
        (_center(beat, look), basal_first([frame.mask for frame in beat if frame.mask is not None])) for beat in beats
    ]
    for frame in frames:
        index = next(index for index, beat in enumerate(beats) if any(frame is other for other in beat))
        yield frame, *of_beat[index]


def _is_one_beat(frame: Frame, other: Frame) -> bool:
    """Whether two frames are of one file, or of files of one grid and one frame each, which names tell apart."""
    if frame.scan is other.scan:
        return True
    if frame.of_cine or other.of_cine or (frame.phase is not None and frame.phase == other.phase):
        return False
    told = [
        None not in pair and pair[0] != pair[1] for pair in ((frame.phase, other.phase), (frame.number, other.number))
    ]
    return any(told) and frame.volume.spacing == other.volume.spacing and frame.volume.lies_on(other.volume) is None


def _center(frames: list[Frame], look: Look) -> tuple[str, tuple[float, float]]:
    """How the heart was found, and its row and column in frames of one grid."""
    height, width = frames[0].volume.voxels.shape[1:]
    middle = ((height - 1) / 2, (width - 1) / 2)
    if look.center is None and look.spacing is None:  # all of the slice is kept
        return "image", middle
    voxels, spacing = [frame.volume.voxels for frame in frames], frames[0].volume.spacing
    moving = motion_center(voxels, spacing) if len(frames) > 1 else None
    ways = {
        "masks": lambda: _of_masks([frame.mask for frame in frames if frame.mask is not None]),
        "segmenter": lambda: (
            look.segment
            and _of_masks([segmented(frame.volume, look.percentiles, look.segment, moving) for frame in frames])
        ),
        "motion": lambda: moving,
        "image": lambda: middle,
    }
    for how in [look.center] if look.center else ways:
        if (found := ways[how]()) is not None:
            return how, found
    raise ZooError(f"{frames[0].scan.name}: no heart is found by its {look.center}; expected another --center")


def _of_masks(masks: list[np.ndarray]) -> tuple[float, float] | None:
    return mask_center(masks) if any(mask.any() for mask in masks) else None


def slice_rows(
    volume: Volume, look: Look, center: tuple[float, float], mask: np.ndarray | None, first_is_basal: bool = True
) -> list[dict]:
    """One row a slice, in the stack's order, without the columns that are the patient's.

    Args:
        volume: The frame.
        look: Size, spacing and intensity window.
        center: Row and column index that becomes the centre.
        mask: `(slices, height, width)`, or `None`.
        first_is_basal: Whether the first slice is the one nearest the base.

    Raises:
        ValueError: If the volume has no contrast within the percentiles.
    """
    voxels = intensity_window(volume.voxels, look.percentiles)
    count, height, width = voxels.shape
    new_spacing = look.spacing or min(height * volume.spacing[0], width * volume.spacing[1]) / look.size
    grid = {"size": look.size, "new_spacing": new_spacing, "center": center}
    rows = []
    for index in range(count):
        image = resample_slice(voxels[index], volume.spacing, **grid)
        label = None if mask is None else resample_slice(mask[index], volume.spacing, **grid, order=0)
        row = {
            "image": png.encode(png.to_uint8(image)),
            "mask": png.encode(label),
            "slice_index": index,
            "num_slices": count,
            "slice_level": slice_level(index if first_is_basal else count - 1 - index, count),
            "pixel_spacing": [new_spacing, new_spacing],
            "original_spacing": list(volume.spacing),
            "slice_thickness": volume.thickness,
        }
        rows.append(row)
    return rows
