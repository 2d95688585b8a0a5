"""DICOM files as stacks: which belong together, checked once, before anything is stacked."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np

from zoo.datasets.dicom import TIMES, File, Image, read_pixels
from zoo.datasets.orientation import to_patient
from zoo.datasets.volume import Volume
from zoo.errors import ZooError

SAME_ANGLE = np.cos(np.radians(1))
SAME_PLACE = 0.1  # mm

Item = tuple[File, Image]


def stacks_of(files: list[File], name: str) -> tuple[dict[str, list[Item]], list[dict]]:
    """Divides the files of one patient into the stacks to read, one a study.

    A series has one plane, shape and spacing, and one contrast: phase and velocity images and further echoes at the
    places of others are no frames of theirs. Series of single slices in parallel planes, as some scanners store a cine
    stack, are one stack. The stack of most places is taken, of magnitudes before others; others are set aside.

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
    kept = without_copies(files)
    for file in kept:
        studies[file.study].append(file)
    if doubled := len(files) - len(kept):
        aside.append({"item": name, "reason": f"{doubled} files are copies of others, by their SOPInstanceUID"})
    for members in studies.values():
        series = defaultdict(list)
        for file in members:
            series[file.series].append(file)
        pieces = []
        for mates in sorted(series.values(), key=lambda mates: (mates[0].number, mates[0].name)):
            items = [(file, image) for file in mates for image in file.images]
            check_geometry(items, mates[0].name)
            pieces += contrasts_of(items)
        joined = []
        for piece in pieces:  # slices of one stack that are series of their own
            home = next((stack for stack in joined if _continues(stack, piece)), None)
            home.extend(piece) if home is not None else joined.append(list(piece))
        joined.sort(key=lambda stack: (-len(places(stack)), not stack[0][1].is_magnitude))
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
            if other[0][0].series == best[0][0].series:
                reason = f"{_contrast(other)}, beside those of the same series that are taken, {_contrast(best)}"
            aside.append({"item": other[0][0].name, "reason": reason})
        stacks[best[0][0].name] = best
    return stacks, aside


def without_copies(files: list[File]) -> list[File]:
    """Files in the order of their names, without those that are another one again: its UID, its places and its pixels.

    The UID alone says nothing, since some programs that take names out give one to all files.
    """
    kept, ordered = [], sorted(files, key=lambda file: file.name)
    shared = {uid for uid, count in Counter(file.uid for file in files).items() if uid and count > 1}
    known = set()
    for file in ordered:
        if file.uid in shared:
            places = repr([(image.position, image.axes, image.location, image.times) for image in file.images])
            content = file.uid, file.series, places, hashlib.sha256(read_pixels(file).tobytes()).digest()
            if content in known:
                continue
            known.add(content)
        kept.append(file)
    return kept


def contrasts_of(items: list[Item]) -> list[list[Item]]:
    """Divides a series by kind of image and echo, where several of them lie at one place, magnitudes first."""
    at, kind = _by_place(items), "kind"
    if way_of_places(items) == "InstanceNumber":  # nothing says what lies at one place
        at, kind = [items], "is_magnitude"
    tells = [
        name for name in (kind, "echo") if any(len({getattr(image, name) for _, image in each}) > 1 for each in at)
    ]
    found = defaultdict(list)
    for file, image in items:
        found[tuple(getattr(image, name) for name in tells)].append((file, image))
    return sorted(found.values(), key=lambda members: (not members[0][1].is_magnitude, members[0][1].echo or 0.0))


def _contrast(items: list[Item]) -> str:
    """What tells the images of a series from others of it: `"images of M FFE, echo 2 ms"`."""
    image = items[0][1]
    said = [" ".join(image.kind)] if image.kind else []
    said += [f"echo {image.echo:g} ms"] if image.echo is not None else []
    return f"images of {', '.join(said) or 'no kind'}"


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
    if piece[0][1].is_magnitude != stack[0][1].is_magnitude:
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
    """Where the slices of a stack lie along its normal in mm, in order; else the numbers of the images."""
    key = way_of_places(items)
    distances = sorted({_place(image, key) for _, image in items})
    if key == "InstanceNumber":
        return distances
    found = []
    for distance in distances:
        if not found or distance - found[-1] > SAME_PLACE:
            found.append(distance)
    return found


def way_of_places(items: list[Item]) -> str:
    """The field that says where slices lie: their positions, else their `SliceLocation`, else their numbers."""
    locations = {image.location for _, image in items}
    located = None not in locations
    if any(image.position is None or image.axes is None for _, image in items):
        return "SliceLocation" if located and len(locations) > 1 else "InstanceNumber"
    if located and len(locations) > 1 and np.ptp([image.position for _, image in items], axis=0).max() < SAME_PLACE:
        return "SliceLocation"  # a position that was made the same in all
    return "ImagePositionPatient"


def _place(image: Image, key: str) -> float:
    if key == "ImagePositionPatient":
        return float(np.cross(*image.axes) @ image.position)
    return image.location if key == "SliceLocation" else image.times.get("InstanceNumber", 0.0)


def _by_place(items: list[Item]) -> list[list[Item]]:
    """The images at each of the places, in order."""
    where, key = np.array(places(items)), way_of_places(items)
    at = [[] for _ in where]
    for item in items:
        at[int(np.abs(where - _place(item[1], key)).argmin())].append(item)
    return at


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
    way = way_of_places(items)
    located = way != "InstanceNumber"
    where, at = places(items), _by_place(items)
    if not located and len(where) < len(items):  # neither places nor numbers: nothing tells how they lie
        at = [[item] for item in items]
    if not located or len(at) == 1:
        _check_no_cine(items, name)
    counts = sorted({len(group) for group in at})
    if len(counts) > 1:
        raise ZooError(f"{name}: {counts[0]} to {counts[-1]} images at one place; expected as many at each")
    if not located and len(items) > 1:
        by = "InstanceNumber" if len(where) > 1 else "the names of their files"
        notes.append(f"images have no position in space: ordered by {by}")
    if way == "SliceLocation":
        notes.append(
            "positions in space are missing or all the same: places are by SliceLocation, whose direction is not known"
        )
    if counts[0] > 1:
        key = _time_key(at, name)
        notes.append(f"{counts[0]} frames at {len(at)} places, ordered by {key}")
        at = [sorted(group, key=lambda item: item[1].times[key]) for group in at]
    pixels = {}
    for file, _ in items:
        if file.name not in pixels:
            pixels[file.name] = read_pixels(file, limit) if read is None else read(file)
    if any(file.padding is not None for file, _ in items) and read is None:
        pixels, padded = _without_padding(pixels, items[0][0].inverted)
        notes += ["what pads its images, by PixelPaddingValue, is made their darkest value"] if padded else []
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


def _without_padding(pixels: dict[str, np.ndarray], inverted: bool) -> tuple[dict[str, np.ndarray], bool]:
    """The frames of all files, NaN replaced by what is darkest in any of them, and whether there was any."""
    known = [values[~np.isnan(values)] for values in pixels.values()]
    ends = [(values.max() if inverted else values.min()) for values in known if values.size]
    dark = (max(ends) if inverted else min(ends)) if ends else 0.0
    padded = any(values.size < pixels[name].size for name, values in zip(pixels, known, strict=True))
    return {
        name: np.nan_to_num(values, nan=dark, posinf=np.inf, neginf=-np.inf) for name, values in pixels.items()
    }, padded


def _check_no_cine(items: list[Item], name: str) -> None:
    """Makes sure that images whose places are not known are slices, by times that do not come again and again.

    Raises:
        ZooError: If they are frames.
    """
    for key in TIMES[:2]:
        counts = Counter(image.times.get(key) for _, image in items)
        if len(counts) > 1 and None not in counts and set(counts.values()) != {1} and len(set(counts.values())) == 1:
            raise ZooError(
                f"{name}: {len(counts)} values of {key}, each of {counts.popitem()[1]} images, as of a cine series; "
                "expected ImagePositionPatient and ImageOrientationPatient, or SliceLocation"
            )


def _time_key(at: list[list[Item]], name: str) -> str:
    for key in TIMES:
        if all(len({image.times.get(key) for _, image in group} - {None}) == len(group) for group in at):
            return key
    raise ZooError(
        f"{name}: {len(at[0])} images at one place that no time or number tells apart; expected a cine series"
    )
