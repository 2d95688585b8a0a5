"""What one name says, of a folder or a file: split, role, patient, visit, frame, phase, view."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from zoo.datasets.classes import is_class
from zoo.datasets.kinds import NIFTI, PICTURES, stem_of

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "tr", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "valset"), "validation"),
    **dict.fromkeys(("test", "testing", "ts", "testset"), "test"),
}
IMAGE_WORDS = {"images", "image", "imgs", "img"}
MASK_WORDS = {
    "labels", "label", "masks", "mask", "segmentations", "segmentation", "seg", "segs", "gt", "gts", "contours",
    "groundtruth", "groundtruths", "annotations", "annotation", "derivatives",
}  # fmt: skip
PLAIN_WORDS = {
    "data", "dataset", "database", "nifti", "nii", "dicom", "dcm", "scans", "volumes", "raw", "anat", "func",
    "labeled", "unlabeled", "labelled", "unlabelled", "opendataset", "sa", "sax", "cine", "mri", "cmr", "heart",
}  # fmt: skip
ROLES = r"images?|imgs?|labels?|masks?|segmentations?|gt"
BETWEEN = r"[_\-. ]"
MASK_NAMES = (
    r"gts?|masks?|msk|segm?|segs|segmentations?|labels?|lbl|labelmap|ground[_\-]?truths?|dseg|manual|rois?"
    r"|contours?|annotations?"
)
IMAGE_NAMES = r"images?|imgs?|volume|vol|scan|mri"
STRUCTURE = r"(?:[lr][va](?:endo|epi|cavity|c|m|p)?|myo(?:cardium)?|endo|epi|scar|o?edema|infarct|aorta|cavity|wall)"
CHANNEL = re.compile(r"_(\d{4})$")
PERSON = r"(?:patient|subject|subj|sub|case|pat|pid)[-_ ]?[a-z]{0,2}\d+"
LONG_AXIS = re.compile(r"(^|[_\-. ])(la|lax|2ch|3ch|4ch)(?=[_\-. ]|$)", re.IGNORECASE)
SHORT_AXIS = re.compile(r"(^|[_\-. ])(sa|sax)(?=[_\-. ]|$)", re.IGNORECASE)
CINE = re.compile(r"[_\-. ](4d|cine)(?=[_\-. ]|$)", re.IGNORECASE)
FRAME = re.compile(r"[_\-. ](?:frame|fr|time)[_\-]?(\d+)(?=[_\-. ]|$)", re.IGNORECASE)
PHASE = re.compile(r"(?:^|[_\-. ])(ED|ES)(?=[_\-. ]|$)", re.IGNORECASE)
# Of one slice, time or visit among several of a patient
PART = re.compile(
    r"[_\-. ](?:slice|slc|sl|z|time|tp|t|phase|ph|frame|fr|visit|ses|session|followup|fu|day|week|month|echo|rep)"
    r"[_\-]?\d+(?=[_\-. ]|$)",
    re.IGNORECASE,
)
# The fourth scan of P001, `P001-4`; not the fourth patient of centre C1, `C1-4`
REPEAT = re.compile(r"^(?:([a-z]+\d{2,})[_\-]\d{1,2}|(?!19|20)(\d{3,})[_\-][1-9])$", re.IGNORECASE)
NO_PERSON = re.compile(
    r"(group|class|grade|stage|site|cent|vendor|label|fold|batch|cohort|type|cat|scanner|hospital)", re.IGNORECASE
)
VISIT = re.compile(
    r"(visit|session|ses|timepoint|time|tp|day|week|month|year|follow[-_ ]?up|fu|baseline|export|download|backup"
    r"|archive|release|version|scan|series|acq|run|rest|stress|pre|post)s?[-_ .]?[a-z]?\d*",
    re.IGNORECASE,
)
FIELD_STRENGTH = re.compile(r"\d([.,]\d)?[-_ ]?t(esla)?", re.IGNORECASE)
DATE = re.compile(r"(?<!\d)(19|20)\d\d([-_.]?(0[1-9]|1[0-2])([-_.]?(0[1-9]|[12]\d|3[01]))?)?(?!\d)")


@dataclass
class Place:
    """What a file's folders say."""

    role: str | None
    split: str | None
    rest: tuple[str, ...]  # folders that are neither


def place_of(name: str) -> Place:
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
    return Place(role, split, tuple(rest))


def last_of(name: str) -> str:
    """A file's name without its folders and its ending."""
    return PurePosixPath(stem_of(name)).name


def plain_stem(name: str, place: Place) -> str:
    """A file's name without its ending and, in nnU-Net's folders, without the channel."""
    stem = last_of(name)
    return CHANNEL.sub("", stem) if place.role == "image" and place.split else stem


def base_of(stem: str) -> str:
    """A file's name without what tells a person's files apart: frame, phase, view."""
    for pattern in (FRAME, PHASE, LONG_AXIS, SHORT_AXIS, CINE):
        stem = pattern.sub("", stem)
    return stem.strip("_-. ") or "image"


def without_part(name: str) -> str:
    """A patient's name without the slice, time, visit or repeat that it ends with: `P02` of `P02_slice1`."""
    name = PART.sub("", name).strip("_-. ") or name
    return found.group(1) or found.group(2) if (found := REPEAT.match(name)) else name


def mask_cores(stem: str) -> list[str]:
    """What is left of a mask's name without the words for masks, the longest first; empty if it has none.

    `p1` of `p1_gt` and of `label_p1`, `p1_manual` and `p1` of `p1_manual_seg`, nothing of `mask`.
    """
    found = []
    while (stem := _without(stem, MASK_NAMES)) is not None:
        found.append(stem)
    return found


def image_core(stem: str) -> str | None:
    """Likewise of an image: `000` of `image_000`, nothing of `image`; `None` if its name has no such word."""
    return _without(stem, IMAGE_NAMES)


def _without(stem: str, words: str) -> str | None:
    if found := re.fullmatch(rf"(?:(.*){BETWEEN})?(?:{words})", stem, re.IGNORECASE):
        return found.group(1) or ""
    found = re.fullmatch(rf"(?:{words}){BETWEEN}(.*)", stem, re.IGNORECASE)
    return found.group(1) if found else None


def is_time(word: str) -> bool:
    """Whether a folder is named after a session, a phase or a frame."""
    return bool(re.fullmatch(r"(ses-\w+|ED|ES|(frame|time|phase)[_-]?\d*)", word, re.IGNORECASE))


def is_visit(word: str) -> bool:
    """Whether a folder is named after when or how people were scanned: `visit2`, `1.5T`."""
    return bool(VISIT.fullmatch(word) or FIELD_STRENGTH.fullmatch(word))


def is_date(word: str) -> bool:
    """Whether the only digits of a folder's name are a year or a date."""
    return bool(DATE.search(word)) and not re.search(r"\d", DATE.sub("", word, count=1))


def is_person(word: str, kind: str = NIFTI) -> bool:
    """Whether a folder is surely named after a patient: `patient001`, `sub-01`; of volumes `p7`, too."""
    if re.fullmatch(PERSON + r"\w*", word, re.IGNORECASE) or re.fullmatch(r"sub-\w+", word):
        return True
    return kind != PICTURES and bool(re.fullmatch(r"pt?[-_]?\d+", word, re.IGNORECASE))


def is_code(word: str) -> bool:
    """Whether a folder may be named after a patient, as one with a digit may."""
    return bool(re.search(r"\d", word)) and not NO_PERSON.match(word) and not is_class(word)


def says_something(word: str) -> bool:
    """Whether the name of a folder that holds all others is a class, a split, a role or a patient."""
    low = word.lower()
    known = low in SPLIT_WORDS or low in IMAGE_WORDS | MASK_WORDS or re.fullmatch(r"pt?\d+", low)
    return bool(known or is_class(word) or is_person(word, PICTURES))
