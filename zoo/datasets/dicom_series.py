"""DICOM files as stacks: which belong together, checked once, before anything is stacked."""

import re
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from zoo.datasets.dicom import TIMES, File, Image, read_pixels
from zoo.datasets.orientation import to_patient
from zoo.datasets.volume import Volume
from zoo.errors import ZooError

SAME_ANGLE = np.cos(np.radians(1))
SAME_PLACE = 0.1  # mm
ANONYMOUS = ("anon", "anonymous", "anonymi[sz]ed", "unknown", "none", "null", "patient", "test", "deidentified", "xxx")

Item = tuple[File, Image]


def person_of(file: File) -> str:
    """Whose a file is: the PatientID; where it is blank or a word for nobody, the first folder, else the study.

    Returns:
        The id after `id:`, `folder:` or `study:`.
    """
    word = "".join(letter for letter in file.patient.lower() if letter.isalpha() or letter.isdigit())
    blank = not word.strip("0") or re.fullmatch(rf"({'|'.join(ANONYMOUS)})[0x]*", word)
    if not blank:
        return f"id:{file.patient}"
    first, slash, _ = file.name.partition("/")
    return f"folder:{first}" if slash else f"study:{file.study or file.series}"


def stacks_of(files: list[File], name: str) -> tuple[dict[str, list[Item]], list[dict]]:
    """Divides the files of one patient into the stacks to read, one a study.

    A series has one plane, shape and spacing; series of single slices in parallel planes, as some scanners store a cine
    stack, are one stack. The stack of most places is taken; others are set aside.

    Args:
        files: Of one patient.
        name: Of the patient, for messages.

    Returns:
        The images of each stack by its name, and what is set aside.

    Raises:
        ZooError: If a series holds several planes, sizes or spacings, or two stacks are as long in different planes.
    """
    stacks, aside = {}, []
    studies = defaultdict(list)
    for file in {file.uid or file.name: file for file in sorted(files, key=lambda file: file.name)}.values():
        studies[file.study].append(file)
    if doubled := len(files) - sum(map(len, studies.values())):
        aside.append({"item": name, "reason": f"{doubled} files are copies of others, by their SOPInstanceUID"})
    for members in studies.values():
        series = defaultdict(list)
        for file in members:
            series[file.series].append(file)
        pieces = []
        for mates in sorted(series.values(), key=lambda mates: (mates[0].number, mates[0].name)):
            items = [(file, image) for file in mates for image in file.images]
            check_geometry(items, mates[0].name)
            pieces.append(items)
        joined = []
        for piece in pieces:  # slices of one stack that are series of their own
            home = next((stack for stack in joined if _continues(stack, piece)), None)
            home.extend(piece) if home is not None else joined.append(list(piece))
        joined.sort(key=lambda stack: -len(places(stack)))
        best = joined[0]
        for other in joined[1:]:
            here, there = (len(places(stack)) for stack in (best, other))
            if here == there and not _parallel(best, other):
                one, two = (stack[0][0].title or stack[0][0].name for stack in (best, other))
                raise ZooError(
                    f"{name}: the series {one!r} and {two!r} have {here} slices each, in different planes; "
                    "expected one of them to be the longer stack"
                )
            reason = f"a series of {there} slices beside the stack of {here} that is taken"
            aside.append({"item": other[0][0].name, "reason": reason})
        stacks[best[0][0].name] = best
    return stacks, aside


def check_geometry(items: list[Item], name: str) -> None:
    """Makes sure that the images of a series can be one stack.

    Raises:
        ZooError: If they differ in shape, spacing or plane; the message names them.
    """
    shapes = sorted({file.shape for file, _ in items})
    if len(shapes) > 1:
        raise ZooError(f"{name}: slices of shapes {shapes}; expected one shape in a series")
    first = items[0][1]
    spacings = sorted({image.spacing for _, image in items})
    if not np.allclose(spacings, first.spacing, rtol=0.01):
        raise ZooError(f"{name}: pixels of {spacings[0]} and of {spacings[-1]} mm; expected one spacing in a series")
    if len({image.axes is None for _, image in items}) > 1 or len({image.position is None for _, image in items}) > 1:
        raise ZooError(f"{name}: some images have a position in space and some have none; expected it of all")
    if not _parallel(items, items):
        planes = "images in different planes, as of a localizer"
        raise ZooError(f"{name}: {planes}; expected parallel slices in a series")
    if len(people := sorted({file.patient for file, _ in items})) > 1:
        raise ZooError(f"{name}: a series of {len(people)} PatientIDs; expected one patient in a series")
    if len({file.inverted for file, _ in items}) > 1:
        raise ZooError(f"{name}: MONOCHROME1 and MONOCHROME2; expected one of them in a series")


def _parallel(stack: list[Item], other: list[Item]) -> bool:
    axes = stack[0][1].axes
    if axes is None:
        return all(image.axes is None for _, image in other)
    return all(image.axes is not None and (axes * image.axes).sum(axis=1).min() > SAME_ANGLE for _, image in other)


def _continues(stack: list[Item], piece: list[Item]) -> bool:
    """Whether a series of a single place lies beside a stack, aligned with it, and has as many frames."""
    if any(image.position is None or image.axes is None for _, image in (stack[0], piece[0])):
        return False
    if piece[0][0].shape != stack[0][0].shape or not _parallel(stack, piece):
        return False
    if not np.allclose(piece[0][1].spacing, stack[0][1].spacing, rtol=0.01):
        return False
    here, there = places(piece), places(stack)
    frames = len(stack) / len(there)
    if len(here) != 1 or len({file.series for file, _ in stack}) != len(there) or len(piece) != frames:
        return False
    between = piece[0][1].position - stack[0][1].position
    return bool(np.abs(stack[0][1].axes @ between).max() < 2 and np.abs(np.array(there) - here[0]).min() > 1)


def places(items: list[Item]) -> list[float]:
    """Where the slices of a stack lie along its normal in mm, in order; one of 0 if it is not known."""
    if any(image.position is None or image.axes is None for _, image in items):
        numbers = {image.times.get("InstanceNumber", 0.0) for _, image in items}
        return sorted(numbers)
    found = []
    for distance in sorted(distance_of(image) for _, image in items):
        if not found or distance - found[-1] > SAME_PLACE:
            found.append(distance)
    return found


def distance_of(image: Image) -> float:
    """How far an image lies along its normal in mm."""
    return float(np.cross(*image.axes) @ image.position)


def to_volume(
    items: list[Item], name: str, limit: int | None = None, read: Callable[[File], np.ndarray] | None = None
) -> Volume:
    """Stacks the images of one stack, `(frames, slices, height, width)` if it has several at each place.

    Slices are ordered by position, and frames by the first of TriggerTime, TemporalPositionIdentifier, AcquisitionTime
    and InstanceNumber that tells those of every place apart. The distance of the slices is that of their positions.

    Args:
        items: From `stacks_of`.
        name: For the error message.
        limit: The most bytes of a file.
        read: Gives the frames of a file, such as masks to be stacked in the same way; `read_pixels` if `None`.

    Raises:
        ZooError: If places have different numbers of frames, or a file cannot be decoded.
    """
    notes, first = [], items[0][1]
    located = first.position is not None and first.axes is not None
    where = places(items)
    at = [[] for _ in where]
    for item in items:
        value = distance_of(item[1]) if located else item[1].times.get("InstanceNumber", 0.0)
        at[int(np.abs(np.array(where) - value).argmin())].append(item)
    if not located and len(where) < len(items):  # neither places nor numbers: nothing tells how they lie
        at = [[item] for item in items]
    counts = sorted({len(group) for group in at})
    if len(counts) > 1:
        raise ZooError(f"{name}: {counts[0]} to {counts[-1]} images at one place; expected as many at each")
    if not located and len(items) > 1:
        by = "InstanceNumber" if len(where) > 1 else "the names of their files"
        notes.append(f"images have no position in space: ordered by {by}")
    if counts[0] > 1:
        key = _time_key(at, name)
        notes.append(f"{counts[0]} frames at {len(at)} places, ordered by {key}")
        at = [sorted(group, key=lambda item: item[1].times[key]) for group in at]
    pixels = {}
    for file, _ in items:
        if file.name not in pixels:
            pixels[file.name] = read_pixels(file, limit) if read is None else read(file)
    voxels = np.stack([np.stack([pixels[file.name][image.index] for file, image in group]) for group in at], axis=1)
    if items[0][0].inverted and read is None:
        voxels = voxels.max() - voxels
    thickness = first.thickness
    if located and len(where) > 1:
        steps = np.diff(where)
        thickness = float(np.median(steps))
        if steps.max() - steps.min() > max(SAME_PLACE, 0.05 * thickness):
            notes.append(f"slices lie {steps.min():.3g} to {steps.max():.3g} mm apart, as if some were missing")
        elif first.thickness and abs(first.thickness - thickness) > 0.01 * thickness:
            notes.append(
                f"slices lie {thickness:.3g} mm apart by their positions; the header says {first.thickness:.3g}"
            )
    if thickness is None:
        thickness = 1.0
        notes.append("distance of the slices unknown: 1 mm is put down")
    affine = None
    if first.axes is not None:
        lead = at[0][0][1]
        origin = lead.position if lead.position is not None else np.zeros(3)
        affine = np.eye(4)
        # Columns count along the first direction, rows along the second; DICOM's axes run to the left, back and head
        affine[:3, 0], affine[:3, 1] = first.axes[0] * first.spacing[1], first.axes[1] * first.spacing[0]
        affine[:3, 2], affine[:3, 3] = np.cross(*first.axes) * thickness, origin
        affine[:2] *= -1
    array = voxels.transpose(3, 2, 1, 0)  # (column, row, slice, frame)
    spacing = (first.spacing[1], first.spacing[0], thickness)
    return to_patient(array if array.shape[3] > 1 else array[..., 0], affine, spacing, name, notes, stack=2)


def _time_key(at: list[list[Item]], name: str) -> str:
    for key in TIMES:
        if all(len({image.times.get(key) for _, image in group} - {None}) == len(group) for group in at):
            return key
    raise ZooError(
        f"{name}: {len(at[0])} images at one place that no time or number tells apart; expected a cine series"
    )
