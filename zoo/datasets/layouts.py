"""What the names of a folder's files say: which are masks, of whom, of which class, split, phase and frame.

Known layouts: nnU-Net and Decathlon (`imagesTr`, `labelsTr`, `imagesTs`), BIDS (`sub-01/…`, masks in `derivatives`),
`train/val/test`, class folders, `images` beside `masks`, masks beside their images (`NAME_gt`), ACDC, M&Ms, EMIDEC.
Names alone are read here; what may mean two things is refused, and both are named.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from zoo.datasets.names import CINE, FRAME, LONG_AXIS, PHASE, SHORT_AXIS, base_of, last_of, place_of
from zoo.datasets.pairing import pair_masks
from zoo.datasets.people import assign_people
from zoo.errors import ZooError


@dataclass
class Entry:
    """One image: its file, its mask's and what their names say; `None` where they say nothing."""

    name: str
    patient: str | None = None
    split: str | None = None
    label: str | None = None
    mask: str | None = None
    phase: str | None = None
    frame: int | None = None


@dataclass
class Layout:
    """The images of a folder, by which rules they were told apart, and what is set aside."""

    entries: dict[str, Entry]
    rules: dict[str, str] = field(default_factory=dict)
    aside: list[dict] = field(default_factory=list)


def read_layout(names: list[str], kind: str, folders: str | None = None) -> Layout:
    """Tells the roles of files by their names.

    Args:
        names: Relative to the source, with `/`.
        kind: `"pictures"`, `"NIfTI"` or `"MHD/NRRD"`.
        folders: What folders are that may be either, `"patients"` or `"classes"`.

    Raises:
        ZooError: If a name may mean two things; the message names both.
    """
    places = {name: place_of(name) for name in names}
    layout = Layout({})
    masks = pair_masks(names, places, kind, layout.aside, layout.rules)
    images = [name for name in names if name not in masks and name not in {entry["item"] for entry in layout.aside}]
    layout.entries = {name: Entry(name, split=places[name].split) for name in images}
    for mask, image in masks.items():
        if image in layout.entries:
            layout.entries[image].mask = mask
    _set_aside_views(layout)
    assign_people(layout.entries, places, layout.rules, kind, folders)
    for entry in layout.entries.values():
        stem = last_of(entry.name)
        words = [*places[entry.name].rest, stem]
        phases = {found.group(1).upper() for word in words if (found := PHASE.search(word))}
        entry.phase = phases.pop() if len(phases) == 1 else None
        entry.frame = int(found.group(1)) if (found := FRAME.search(stem)) else None
    if any(entry.phase for entry in layout.entries.values()):
        layout.rules["phase"] = "ED or ES in the names"
    splits = {entry.split for entry in layout.entries.values()}
    if splits != {None}:
        layout.rules["split"] = "folders named after splits"
        if None in splits:
            lost = next(name for name, entry in layout.entries.items() if entry.split is None)
            raise ZooError(f"{lost}: lies in none of the split folders; expected it in train, validation or test")
    return layout


def _set_aside_views(layout: Layout) -> None:
    """Long-axis views beside short-axis ones, and cine series beside files of their frames."""
    groups = defaultdict(list)
    for name in layout.entries:
        groups[(str(PurePosixPath(name).parent), base_of(last_of(name)))].append(name)
    for members in groups.values():
        stems = {name: last_of(name) for name in members}
        short = any(SHORT_AXIS.search(stem) for stem in stems.values())
        framed = {stem for stem in stems.values() if FRAME.search(stem) or PHASE.search(stem)}
        series = {PHASE.sub("", FRAME.sub("", stem)) for stem in framed}
        for name, stem in stems.items():
            reason = None
            if short and LONG_AXIS.search(stem):
                reason = "a long-axis view beside short-axis ones"
            elif framed and stem not in framed and (stem in series or CINE.search(stem)):
                reason = "a cine series beside files of its frames"
            if reason:
                layout.aside.append({"item": name, "reason": reason})
                del layout.entries[name]
