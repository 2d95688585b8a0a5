"""Whose each image is and of which class, by the names of its folders and its own."""

import re
from collections import defaultdict
from pathlib import PurePosixPath

from zoo.datasets.classes import is_class
from zoo.datasets.kinds import NIFTI, PICTURES
from zoo.datasets.names import (
    PERSON,
    Place,
    base_of,
    is_code,
    is_date,
    is_person,
    is_time,
    is_visit,
    last_of,
    plain_stem,
    without_part,
)
from zoo.errors import ZooError

CHOICE = "expected --folders patients or --folders classes"


def assign_people(
    entries: dict, places: dict[str, Place], rules: dict[str, str], kind: str, folders: str | None
) -> None:
    """Patient and class of every image, in place.

    A folder or file that is surely named after a patient is hers, wherever it lies; else the outermost folder with a
    digit is, unless that is a visit, a date or a site; else it depends on what lies in the folders.

    Args:
        entries: Images by name.
        places: What the folders of each say.
        rules: By what patients and classes are told, in place.
        kind: `"pictures"`, `"NIfTI"` or `"MHD/NRRD"`.
        folders: What folders are that may be either, `"patients"` or `"classes"`.

    Raises:
        ZooError: If a folder may be a patient or something else.
    """
    rests = {name: places[name].rest for name in entries}
    bases = {name: base_of(plain_stem(name, places[name])) for name in entries}
    used = {}  # rules in order
    if kind != PICTURES:
        rests = _without_visits(rests, bases, folders)
        if folders is None:
            rests = _unwrapped(rests, bases, used)
            _check_codes(rests, bases)
    for name, entry in entries.items():
        before, entry.patient, how = _told(rests[name], last_of(name), kind)
        if entry.patient is not None:
            used[how] = 1
            entry.label = next(iter(before), None)
        elif kind != PICTURES:
            entry.label = next((word for word in before if is_class(word)), None)
    if kind == PICTURES:
        _assign_pictures(entries, rests, rules, used, folders)
    else:
        _assign_volumes(entries, rests, bases, used, folders)
    _join_parts(entries, used, kind)
    if used:
        rules["patient"] = ", or ".join(used)
    if any(entry.label for entry in entries.values()):
        rules.setdefault("class", "the folder above a patient's, or one named after a class")
        if lost := next((name for name, entry in entries.items() if entry.label is None), None):
            raise ZooError(f"{lost}: lies in no class folder, and others do; expected all or none of them")


def _told(rest: tuple[str, ...], stem: str, kind: str = NIFTI) -> tuple[tuple[str, ...], str | None, str]:
    """The folders before the patient, her name and by what it is told."""
    if person := next((word for word in rest if is_person(word, kind)), None):
        return rest[: rest.index(person)], person, "the folder named after a patient"
    if found := re.match(PERSON, stem, re.IGNORECASE):
        return rest, found.group(), "the name that files begin with"
    if kind != PICTURES and (code := next((word for word in rest if is_code(word)), None)):
        return rest[: rest.index(code)], code, "the folder named after a patient"
    return rest, None, ""


def _without_visits(rests: dict, bases: dict, folders: str | None) -> dict:
    """The folders without those of sessions, visits and dates, which are no patients.

    Raises:
        ZooError: If nothing else tells the patients apart.
    """
    rests = {name: tuple(word for word in rest if not is_time(word)) for name, rest in rests.items()}
    dated = all(any(map(is_date, rest)) for rest in rests.values())

    def is_other(word: str) -> bool:
        return is_visit(word) or (dated and is_date(word))

    kept = {name: tuple(word for word in rest if not is_other(word)) for name, rest in rests.items()}
    if folders == "patients":
        return {name: kept[name] or rest for name, rest in rests.items()}
    bare = [name for name in rests if rests[name] and not kept[name] and not re.match(PERSON, bases[name], re.I)]
    if len({bases[name] for name in bare}) == 1 and len({rests[name] for name in bare}) > 1:
        one, two = sorted({rests[name]: name for name in bare}.values())[:2]
        raise ZooError(
            f"{one}: may be a visit of the patient of {two}, or another patient; expected folders or files named after "
            "patients, such as patient001, or --folders patients"
        )
    return kept


def _unwrapped(rests: dict, bases: dict, used: dict) -> dict:
    """The folders without a single one that holds all images of several names, as zips have it, and is no class.

    Raises:
        ZooError: If it may be a patient.
    """
    first = {rest[:1] for rest in rests.values()}
    word = next(iter(first), ())
    if len(first) != 1 or not word or is_class(word[0]) or is_person(word[0]):
        return rests
    inner = {name: (rest[1:], bases[name]) for name, rest in rests.items()}
    if len(set(inner.values())) == 1:
        return rests
    told = all(_told(rest, last_of(name))[1] for name, (rest, _) in inner.items())
    if is_code(word[0]) and not told:
        raise ZooError(
            f"{word[0]}: may be one patient with several scans, or a folder around several patients; expected "
            "--folders patients, or files named after patients, such as patient001"
        )
    if not told:
        used[f"what lies in {word[0]}, which holds all images"] = 1
    return {name: rest for name, (rest, _) in inner.items()}


def _check_codes(rests: dict, bases: dict) -> None:
    """Raises a `ZooError` if folders with a digit hold several names each, and none of them has another's names.

    Scans of a patient have the names of the next one's, as `cine` and `late`; names of people have not.
    """
    inner = defaultdict(set)
    for name, rest in rests.items():
        if rest and is_code(rest[0]) and _told(rest, last_of(name))[1] == rest[0]:
            if is_person(rest[0]):
                continue
            word = rest[1] if len(rest) > 1 else bases[name]
            if rest[0].lower() not in word.lower():
                inner[rest[0]].add(re.sub(r"\d+", "#", word))
    several = [code for code, words in inner.items() if len(words) > 1]
    counts = defaultdict(int)
    for words in inner.values():
        for word in words:
            counts[word] += 1
    if len(inner) > 1 and several and max(counts.values()) == 1:
        one, two = sorted(inner[several[0]])[:2]
        raise ZooError(
            f"{several[0]}: may be one patient with the scans {one} and {two}, or a folder of several patients; "
            "expected --folders patients, or files named after patients, such as patient001"
        )


def _assign_pictures(entries: dict, rests: dict, rules: dict, used: dict, folders: str | None) -> None:
    """Classes of pictures, and patients where folders lie in class folders."""
    unsure = [name for name, entry in entries.items() if entry.patient is None]
    loose = [name for name in unsure if not rests[name]]
    foldered = [name for name in unsure if rests[name]]
    if loose and (foldered or any(entry.label for entry in entries.values())):
        classes = sorted({rests[name][0] for name in entries if rests[name]})
        raise ZooError(
            f"{loose[0]}: lies beside class folders ({', '.join(classes[:5])}); expected all pictures in them"
        )
    classes_of = defaultdict(set)
    for name in foldered:
        classes_of[rests[name][-1]].add(rests[name][:-1])
    for name in foldered:
        *outer, inner = rests[name]
        if outer and folders is None and not is_class(outer[0]):
            raise ZooError(
                f"{PurePosixPath(name).parent}: {inner} may be a patient of class {outer[0]}, or a part of that class; "
                f"{CHOICE}"
            )
        if folders == "patients" or (outer and folders is None):
            # 1/ of HCM/ and 1/ of NOR/ are two people
            shared = outer and len(classes_of[inner]) > 1
            entries[name].patient = f"{outer[0]}-{inner}" if shared else inner
            entries[name].label = outer[0] if outer else None
            used["the innermost folder"] = 1
        else:
            entries[name].label = rests[name][0]
            rules["class"] = "the folder"


def _assign_volumes(entries: dict, rests: dict, bases: dict, used: dict, folders: str | None) -> None:
    """Patients and classes of volumes that no name of a patient tells."""
    unsure = [name for name, entry in entries.items() if entry.patient is None]
    for name in unsure:
        if not rests[name]:
            entries[name].patient, used["the file's name"] = bases[name], 1
    foldered = [name for name in unsure if rests[name]]
    _assign_folders([name for name in foldered if entries[name].label is None], entries, rests, bases, used, folders)
    for name in foldered:
        if entries[name].patient is None:  # in a folder of a known class
            inner = rests[name][rests[name].index(entries[name].label) + 1 :]
            # 1.nii of HCM/ and 1.nii of NOR/ are two people
            entries[name].patient = inner[0] if inner else f"{entries[name].label}-{bases[name]}"
            used["the folder in a class folder" if inner else "the file's name in a class folder"] = 1


def _assign_folders(names: list[str], entries: dict, rests: dict, bases: dict, used: dict, folders: str | None) -> None:
    """Volumes in folders that bear no name of a patient and none of a class."""
    members, splits = defaultdict(list), defaultdict(set)
    for name in names:
        members[rests[name]].append(name)
        splits[rests[name][0]].add(entries[name].split)
    if folders is None and any(len(found) > 1 for found in splits.values()):
        folders = "classes"  # no patient lies in train and in test
    several = [each for each in members.values() if len({bases[name] for name in each}) > 1]
    deep = [each for each in members if len(each) > 1]
    if folders is None and (several or deep):
        name = several[0][0] if several else members[deep[0]][0]
        folder = PurePosixPath(name).parent
        raise ZooError(f"{folder}: may be one patient with several scans, or a class of several patients; {CHOICE}")
    for name in names:
        if folders == "classes":
            entries[name].label = rests[name][0]
            entries[name].patient = rests[name][-1] if len(rests[name]) > 1 else f"{rests[name][0]}-{bases[name]}"
            used["the file's name in a class folder"] = 1
        else:
            entries[name].patient, used["the folder"] = rests[name][0], 1


def _join_parts(entries: dict, used: dict, kind: str) -> None:
    """Makes one patient of names that differ by a slice, a time, a visit or a repeat alone, as `P02_slice1`.

    Raises:
        ZooError: If that would be all volumes, which may be of one patient or each of another.
    """
    nameless = kind == PICTURES and all(entry.patient is None for entry in entries.values())
    names = {name: last_of(name) if nameless else entry.patient for name, entry in entries.items()}
    of = {name: without_part(word) if word else None for name, word in names.items()}
    words = defaultdict(set)
    for name, word in names.items():
        words[entries[name].label if nameless else None, of[name]].add(word)
    joined = {key: sorted(found) for key, found in words.items() if len(found) > 1 and key[1]}
    if not joined:
        _complete_people(entries, used, kind)
        return
    one, two, *_ = next(iter(joined.values()))
    if len(words) <= len({label for label, _ in words}):
        if kind != PICTURES:
            raise ZooError(
                f"{one}: may be of the patient of {two}, or of another; expected a folder or a name such as patient001 "
                "for each patient"
            )
        used[f"nothing in their names: {one} and others may be of one person"] = 1
        return
    for name, entry in entries.items():
        if nameless:
            entry.patient = "-".join(filter(None, (entry.label, of[name])))
        elif (None, of[name]) in joined:
            entry.patient = of[name]
    used[f"names without slice, time, visit or repeat, as of {one}"] = 1
    _complete_people(entries, used, kind)


def _complete_people(entries: dict, used: dict, kind: str) -> None:
    """Gives pictures without a patient's name beside others with one their own."""
    if kind == PICTURES and any(entry.patient for entry in entries.values()):
        for name, entry in entries.items():
            if entry.patient is None:
                entry.patient, used["the file's name where it names none"] = name, 1
