"""What the names of a folder's files say: which are masks, of whom, of which class, split, phase and frame.

Known layouts: nnU-Net and Decathlon (`imagesTr`, `labelsTr`, `imagesTs`), BIDS (`sub-01/…`, masks in `derivatives`),
`train/val/test`, class folders, `images` beside `masks`, masks beside their images (`NAME_gt`), ACDC, M&Ms, EMIDEC.
Names alone are read here; what may mean two things is refused, and both are named.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from zoo.datasets.classes import is_class
from zoo.datasets.kinds import PICTURES, stem_of
from zoo.errors import ZooError

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "tr", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "valset"), "validation"),
    **dict.fromkeys(("test", "testing", "ts", "testset"), "test"),
}
IMAGE_WORDS = {"images", "image", "imgs", "img"}
MASK_WORDS = {
    "labels",
    "label",
    "masks",
    "mask",
    "segmentations",
    "segmentation",
    "seg",
    "segs",
    "gt",
    "gts",
    "contours",
}
MASK_WORDS |= {"groundtruth", "groundtruths", "annotations", "annotation", "derivatives"}
PLAIN_WORDS = {"data", "dataset", "database", "nifti", "nii", "dicom", "dcm", "scans", "volumes", "raw", "anat", "func"}
PLAIN_WORDS |= {
    "labeled",
    "unlabeled",
    "labelled",
    "unlabelled",
    "opendataset",
    "sa",
    "sax",
    "cine",
    "mri",
    "cmr",
    "heart",
}
MASK_ENDING = re.compile(r"[_\-. ](gt|masks?|seg|segmentation|labels?|ground_?truth|dseg|manual)$", re.IGNORECASE)
ROLES = r"images?|imgs?|labels?|masks?|segmentations?|gt"
CHANNEL = re.compile(r"_(\d{4})$")
PERSON = r"(?:patient|subject|subj|sub|case|pat|pid)[-_ ]?[a-z]{0,2}\d+"
LONG_AXIS = re.compile(r"(^|[_\-. ])(la|lax|2ch|3ch|4ch)(?=[_\-. ]|$)", re.IGNORECASE)
SHORT_AXIS = re.compile(r"(^|[_\-. ])(sa|sax)(?=[_\-. ]|$)", re.IGNORECASE)
CINE = re.compile(r"[_\-. ](4d|cine)(?=[_\-. ]|$)", re.IGNORECASE)
FRAME = re.compile(r"[_\-. ](?:frame|fr|time)[_\-]?(\d+)(?=[_\-. ]|$)", re.IGNORECASE)
PHASE = re.compile(r"(?:^|[_\-. ])(ED|ES)(?=[_\-. ]|$)", re.IGNORECASE)
NO_PERSON = re.compile(r"(group|class|grade|stage|site|cent|vendor|label|fold|batch|cohort|type|cat)", re.IGNORECASE)


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


@dataclass
class _Place:
    """What a file's folders say."""

    role: str | None
    split: str | None
    rest: tuple[str, ...]  # folders that are neither


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
    masks = _pair(names, places, kind, layout)
    images = [name for name in names if name not in masks and name not in {entry["item"] for entry in layout.aside}]
    layout.entries = {name: Entry(name, split=places[name].split) for name in images}
    for mask, image in masks.items():
        if image in layout.entries:
            layout.entries[image].mask = mask
    _set_aside_views(layout)
    _assign_people(layout, places, kind, folders)
    for entry in layout.entries.values():
        stem = stem_of(entry.name)
        words = [*places[entry.name].rest, PurePosixPath(stem).name]
        phases = {found.group(1).upper() for word in words if (found := PHASE.search(word))}
        entry.phase = phases.pop() if len(phases) == 1 else None
        entry.frame = int(found.group(1)) if (found := FRAME.search(PurePosixPath(stem).name)) else None
    if any(entry.phase for entry in layout.entries.values()):
        layout.rules["phase"] = "ED or ES in the names"
    splits = {entry.split for entry in layout.entries.values()}
    if splits != {None}:
        layout.rules["split"] = "folders named after splits"
        if None in splits:
            lost = next(name for name, entry in layout.entries.items() if entry.split is None)
            raise ZooError(f"{lost}: lies in none of the split folders; expected it in train, validation or test")
    return layout


def place_of(name: str) -> _Place:
    """Role and split of a file by its folders, and the folders that say something else."""
    role, split, rest = None, None, []
    for word in PurePosixPath(name).parts[:-1]:
        low = word.lower()
        parts = re.fullmatch(rf"({ROLES})[_-]?(tr|ts|val|train|test|training|testing|validation)", low)
        turned = re.fullmatch(rf"(train|training|val|validation|test|testing)[_-]({ROLES})", low)
        if parts or turned:
            kind, of = parts.groups() if parts else turned.groups()[::-1]
            role, split = "image" if kind in IMAGE_WORDS else "mask", SPLIT_WORDS[of]
        elif low in MASK_WORDS:
            role = "mask"
        elif low in IMAGE_WORDS:
            role = role or "image"
        elif low in SPLIT_WORDS and split is None:
            split = SPLIT_WORDS[low]
        elif low not in PLAIN_WORDS:
            rest.append(word)
    return _Place(role, split, tuple(rest))


def _pair(names: list[str], places: dict[str, _Place], kind: str, layout: Layout) -> dict[str, str]:
    """The image of each mask."""

    def key(name: str, stem: str) -> tuple:
        place = places[name]
        return (
            place.split,
            *(word.lower() for word in place.rest if not word.lower().startswith("ses-")),
            stem.lower(),
        )

    images, candidates = {}, []
    known = {name: PurePosixPath(stem_of(name)).name for name in names}
    in_mask_folders = [name for name in names if places[name].role == "mask"]
    if in_mask_folders and len(in_mask_folders) == len(names):
        folder = PurePosixPath(in_mask_folders[0]).parent
        raise ZooError(f"{folder}: may be masks whose images are missing, or images; expected images in another folder")
    twins = defaultdict(list)
    for name in names:
        if name in in_mask_folders:
            candidates.append(name)
            continue
        stem = known[name]
        if (channel := CHANNEL.search(stem)) and places[name].role == "image" and places[name].split:
            stem = stem[: channel.start()]
            if channel.group(1) != "0000":
                layout.aside.append({"item": name, "reason": "another channel than the first, _0000"})
                continue
        twins[key(name, stem)].append(name)
    for same, members in twins.items():
        if len(members) > 1 and kind != PICTURES:  # NAME.nii beside NAME.nii.gz
            raise ZooError(f"{members[0]}: has the name of {members[1]}, a copy or another image; expected one of them")
        images[same] = members[0]

    def image_of(same: tuple) -> str | None:
        if len(members := twins.get(same, [])) > 1:
            raise ZooError(f"{members[0]}: has a mask and the name of {members[1]}; expected one image a mask")
        return images.get(same)

    masks = {}
    for same, name in list(images.items()):
        stem = known[name]
        ending = MASK_ENDING.search(stem)
        if ending is None:
            continue
        partner = image_of((*same[:-1], same[-1][: -len(ending.group())]))
        if partner is not None:
            _take(masks, name, partner)
        elif any(MASK_ENDING.search(other) is None for other in known.values()):
            layout.aside.append({"item": name, "reason": "is named as a mask, and its image is not there"})
    if masks:
        layout.rules["mask"] = "files named after their image with an ending such as _gt"
    for name in candidates:
        stem = known[name]
        stems = [stem] + ([MASK_ENDING.sub("", stem)] if MASK_ENDING.search(stem) else [])
        partner = next((image for each in stems if (image := image_of(key(name, each)))), None)
        partner = partner or _bids_partner(name, images)
        if partner is None:
            layout.aside.append({"item": name, "reason": "lies in a folder of masks, and its image is not there"})
        else:
            _take(masks, name, partner)
            layout.rules["mask"] = "folders named after masks, files as their images"
    return masks


def _take(masks: dict[str, str], mask: str, image: str) -> None:
    if other := next((name for name, of in masks.items() if of == image), None):
        raise ZooError(f"{image}: may have the mask {other} or {mask}; expected one")
    masks[mask] = image


def _bids_partner(name: str, images: dict) -> str | None:
    """The image of a BIDS derivative: the one whose entities (`sub-01`, `ses-1`, …) the mask's name has too."""
    entities = set(re.findall(r"[a-z]+-[a-zA-Z0-9]+", PurePosixPath(name).name))
    if not any(entity.startswith("sub-") for entity in entities):
        return None
    fitting = []
    for image in images.values():
        own = set(re.findall(r"[a-z]+-[a-zA-Z0-9]+", PurePosixPath(image).name))
        if own and own <= entities:
            fitting.append(image)
    return fitting[0] if len(fitting) == 1 else None


def _set_aside_views(layout: Layout) -> None:
    """Long-axis views beside short-axis ones, and cine series beside files of their frames."""
    groups = defaultdict(list)
    for name in layout.entries:
        groups[(str(PurePosixPath(name).parent), base_of(PurePosixPath(stem_of(name)).name))].append(name)
    for members in groups.values():
        stems = {name: PurePosixPath(stem_of(name)).name for name in members}
        short = any(SHORT_AXIS.search(stem) for stem in stems.values())
        framed = any(FRAME.search(stem) or PHASE.search(stem) for stem in stems.values())
        for name, stem in stems.items():
            reason = None
            if short and LONG_AXIS.search(stem):
                reason = "a long-axis view beside short-axis ones"
            elif framed and CINE.search(stem) and not FRAME.search(stem) and not PHASE.search(stem):
                reason = "a cine series beside files of its frames"
            if reason:
                layout.aside.append({"item": name, "reason": reason})
                del layout.entries[name]


def base_of(stem: str) -> str:
    """A file's name without what tells a person's files apart: frame, phase, view."""
    for pattern in (FRAME, PHASE, LONG_AXIS, SHORT_AXIS, CINE):
        stem = pattern.sub("", stem)
    return stem.strip("_-. ") or "image"


def _assign_people(layout: Layout, places: dict[str, _Place], kind: str, folders: str | None) -> None:
    """Patient and class of every image, in place."""
    entries = layout.entries
    rests = {name: places[name].rest for name in entries}
    if kind != PICTURES:
        rests = {name: tuple(word for word in rest if not _is_time(word)) for name, rest in rests.items()}
    used = Counter()
    for name, entry in entries.items():
        stem = PurePosixPath(stem_of(name)).name
        person = next((word for word in rests[name] if _is_person(word, kind)), None)
        if person is not None:
            before = rests[name][: rests[name].index(person)]
            entry.patient, used["the folder named after a patient"] = person, 1
        elif found := re.match(PERSON, stem, re.IGNORECASE):
            before, entry.patient, used["the name that files begin with"] = rests[name], found.group(), 1
        else:
            before = rests[name]
            entry.label = next((word for word in before if is_class(word)), None)
            continue
        entry.label = next(iter(before), None)
    unsure = [name for name, entry in entries.items() if entry.patient is None]
    loose = [name for name in unsure if not rests[name]]
    foldered = [name for name in unsure if rests[name]]
    if kind == PICTURES:
        if loose and (foldered or any(entry.label for entry in entries.values())):
            classes = sorted({rests[name][0] for name in entries if rests[name]})
            raise ZooError(
                f"{loose[0]}: lies beside class folders ({', '.join(classes[:5])}); expected all pictures in them"
            )
        for name in foldered:
            if folders == "patients":
                entries[name].patient, entries[name].label = rests[name][-1], (rests[name][:-1] or (None,))[0]
            else:
                entries[name].label = rests[name][0]
        if foldered and folders != "patients":
            layout.rules["class"] = "the folder"
    else:
        for name in loose:
            entries[name].patient, used["the file's name"] = base_of(_plain_stem(name, places[name])), 1
        _assign_folders(
            [name for name in foldered if entries[name].label is None], entries, rests, folders, used, places
        )
        for name in foldered:
            if entries[name].patient is None:  # in a folder of a known class
                inner = rests[name][rests[name].index(entries[name].label) + 1 :]
                base = base_of(_plain_stem(name, places[name]))
                # 1.nii of HCM/ and 1.nii of NOR/ are two people
                entries[name].patient = inner[0] if inner else f"{entries[name].label}-{base}"
                used["the folder in a class folder" if inner else "the file's name in a class folder"] = 1
    if used:
        layout.rules["patient"] = ", or ".join(used)
    if any(entry.label for entry in entries.values()):
        layout.rules.setdefault("class", "the folder above a patient's, or one named after a class")
        if lost := next((name for name, entry in entries.items() if entry.label is None), None):
            raise ZooError(f"{lost}: lies in no class folder, and others do; expected all or none of them")


def _assign_folders(names, entries, rests, folders, used, places) -> None:
    """Volumes in folders that bear no name of a patient and none of a class."""
    members = defaultdict(list)
    for name in names:
        members[rests[name]].append(name)
    splits = defaultdict(set)
    for name in names:
        splits[rests[name][0]].add(places[name].split)
    if folders is None and any(len(found) > 1 for found in splits.values()):
        folders = "classes"  # no patient lies in train and in test
    several = [
        each for each in members.values() if len({base_of(_plain_stem(name, places[name])) for name in each}) > 1
    ]
    deep = [each for each in members if len(each) > 1]
    if folders is None and (several or deep):
        name = several[0][0] if several else members[deep[0]][0]
        folder = PurePosixPath(name).parent
        raise ZooError(
            f"{folder}: may be one patient with several scans, or a class of several patients; "
            "expected --folders patients or --folders classes, or --labels FILE.csv"
        )
    for name in names:
        base = base_of(_plain_stem(name, places[name]))
        if folders == "classes":
            entries[name].label = rests[name][0]
            entries[name].patient = rests[name][-1] if len(rests[name]) > 1 else f"{rests[name][0]}-{base}"
            used["the file's name in a class folder"] = 1
        else:
            entries[name].patient, used["the folder"] = rests[name][0], 1


def _plain_stem(name: str, place: _Place) -> str:
    """A file's name without its ending and, in nnU-Net's folders, without the channel."""
    stem = PurePosixPath(stem_of(name)).name
    return CHANNEL.sub("", stem) if place.role == "image" and place.split else stem


def _is_time(word: str) -> bool:
    return bool(re.fullmatch(r"(ses-\w+|ED|ES|(frame|time|phase)[_-]?\d*)", word, re.IGNORECASE))


def _is_person(word: str, kind: str) -> bool:
    """Whether a folder is named after a patient: `patient001`, `sub-01`, `p7`; of volumes any name with a digit."""
    if re.fullmatch(PERSON + r"\w*", word, re.IGNORECASE) or re.fullmatch(r"sub-\w+", word):
        return True
    return kind != PICTURES and bool(re.search(r"\d", word)) and not NO_PERSON.match(word) and not is_class(word)


def says_something(word: str) -> bool:
    """Whether the name of a folder that holds all others is a class, a split, a role or a patient."""
    low = word.lower()
    known = low in SPLIT_WORDS or low in IMAGE_WORDS | MASK_WORDS or re.fullmatch(r"pt?\d+", low)
    return bool(known or is_class(word) or _is_person(word, PICTURES))
