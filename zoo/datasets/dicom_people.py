"""Whose DICOM files are: by PatientID; where it names nobody by the folders, and without folders by the study.

Folders say more than patients: classes, splits, hospitals, visits and series. Those are known by their names, and a
series or study lies in one patient's folder. What is left may still mean two things, and is refused then.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable

from zoo.datasets.classes import is_class
from zoo.datasets.dicom import File
from zoo.datasets.names import PERSON, place_of
from zoo.errors import ZooError

# PatientIDs that are words for nobody, without what is no letter or digit; zeros and x may follow
ANONYMOUS = re.compile(
    r"(anon[a-z]*?|unknown|none|null|na|nil|patient|patientid|test|(de|un)identified|xx+|removed|redacted|deleted|blank"
    r"|empty|hidden|masked|censored|private|confidential|withheld|erased|cleared|noid|noname|notavailable|dummy)[0x]*"
)
GROUP = re.compile(
    r"(group|class|grade|stage|site|cent(er|re)|vendor|scanner|label|fold|batch|cohort|type|category|hospital|clinic)s?"
    r"[-_ ]?([a-z]{1,2}|\d*)",
    re.IGNORECASE,
)
# Folders within a patient's: visits, series, times; by names, dates or UIDs
PART = re.compile(
    r"(visit|ses|session|baseline|follow[-_ ]?up|scan|exam|study|series|acq|se|st|im|img|seq|time|phase|frame|rest"
    r"|stress|ED|ES|pre|post|cine|lge|sax?|lax?|[234]ch|t1|t2|mag)([-_ ].*|\d*)"
    r"|\d{4}[-_.]?\d{2}[-_.]?\d{2}|[\d.]{20,}",
    re.IGNORECASE,
)


def is_nobody(patient: str) -> bool:
    """Whether a PatientID is blank, zeros or a word for nobody."""
    word = re.sub(r"[\W_]", "", patient.lower())
    return not word.strip("0") or bool(ANONYMOUS.fullmatch(word))


def people_of(files: list[File]) -> dict[str, str]:
    """Whose each file is, by its name: the id after `id:`, `folder:` or `study:`.

    A PatientID that all files share, in several folders named after patients, is nobody's.

    Raises:
        ZooError: If the PatientID names nobody and folders may mean one patient or several.
    """
    ids = {file.patient for file in files if not is_nobody(file.patient)}
    named = {word for file in files if (word := _named(file)) is not None}
    blank = files if len(ids) == 1 and len(named) > 1 else [file for file in files if is_nobody(file.patient)]
    found = {file.name: f"id:{file.patient}" for file in files} | _by_folders(blank)
    of_series = {}
    for file in blank:
        other = of_series.setdefault(file.series, file)
        if found[other.name] != found[file.name]:
            raise ZooError(
                f"{file.name}: is of the series of {other.name}, which lies in the folder of another patient; "
                "expected a SeriesInstanceUID of one patient"
            )
    return found


def _by_folders(files: list[File]) -> dict[str, str]:
    found, above = {}, defaultdict(set)
    words, parts = {}, {}
    for file in files:
        rest = place_of(file.name).rest
        if (word := _named(file)) is not None:
            found[file.name] = f"folder:{word}"
            above[word].add(tuple(each for each in rest[: rest.index(word)] if not PART.fullmatch(each)))
            continue
        parts[file.name] = rest
        words[file.name] = tuple(word for word in rest if not (_is_group(word) or PART.fullmatch(word)))
    if twice := next((word for word, folders in above.items() if len(folders) > 1), None):
        one, two = (" / ".join(folders) or "the outermost folder" for folders in sorted(above[twice])[:2])
        raise ZooError(
            f"{twice}: lies in {one} and in {two}, without PatientIDs, and may be one patient or two; "
            "expected another name of each patient"
        )
    unnamed = [file for file in files if file.name not in found]
    words = _within_one_folder(unnamed, _without_wrapper(words))
    for file in unnamed:
        groups = [word for word in parts[file.name] if _is_group(word)]
        if words[file.name]:
            found[file.name] = "folder:" + "-".join([*groups, words[file.name][0]])  # 1/ of HCM/ and of NOR/ are two
        elif alone := [word for word in parts[file.name] if PART.fullmatch(word)]:
            found[file.name] = "folder:" + "-".join([*groups, alone[0]])
        else:
            found[file.name] = f"study:{file.study or file.series}"
    _check_depth(words, {file.name: found[file.name] for file in unnamed})
    return found


def _named(file: File) -> str | None:
    """The folder that is named as patients are: `patient001`, `sub-01`."""
    return next((word for word in place_of(file.name).rest if re.fullmatch(PERSON + r"\w*", word, re.I)), None)


def _is_group(word: str) -> bool:
    return is_class(word) or bool(GROUP.fullmatch(word))


def _without_wrapper(words: dict[str, tuple]) -> dict[str, tuple]:
    """Folders without those that all files share, of which at least one is left."""
    shared = _shared(words.values())
    least = min((len(each) for each in words.values()), default=0)
    return {name: each[min(len(shared), max(least - 1, 0)) :] for name, each in words.items()}


def _shared(several: Iterable[tuple]) -> tuple:
    return tuple(os.path.commonprefix(list(several)))


def _within_one_folder(files: list[File], words: dict[str, tuple]) -> dict[str, tuple]:
    """Folders down to the one that holds all of a file's study, or of its series where no study is given.

    Raises:
        ZooError: If no folder does.
    """
    members = defaultdict(list)
    for file in files:
        members[file.study or file.series].append(file.name)
    found = {}
    for names in members.values():
        shared = _shared(words[name] for name in names)
        if not shared and (outer := sorted({words[name][0] for name in names if words[name]})):
            where = " and ".join(outer[:2]) if len(outer) > 1 else f"{outer[0]} and beside it"
            raise ZooError(
                f"{where}: images of one study without a PatientID, of one patient or of several; "
                "expected PatientIDs, or one StudyInstanceUID a patient"
            )
        found |= dict.fromkeys(names, shared)
    return found


def _check_depth(words: dict[str, tuple], found: dict[str, str]) -> None:
    """Makes sure that what is taken for a patient's folder holds no two folders that may be patients'."""
    inner = defaultdict(set)
    for name, each in words.items():
        inner[found[name]] |= set(each[1:2])
    if several := next((person for person, within in inner.items() if len(within) > 1), None):
        one, two = sorted(inner[several])[:2]
        raise ZooError(
            f"{several.partition(':')[2]}: without PatientIDs, may be one patient with {one} and {two}, or a folder of "
            "several patients; expected PatientIDs, or folders named as patient001"
        )
