"""A folder of DICOM files: whose they are, and which stacks they make."""

import hashlib
import re
from functools import partial

from zoo.datasets.classes import class_of
from zoo.datasets.dicom import File, SetAside, read_header
from zoo.datasets.dicom_people import is_nobody, people_of
from zoo.datasets.dicom_series import stacks_of, to_volume
from zoo.datasets.names import place_of
from zoo.datasets.scans import Scan, check_spellings
from zoo.datasets.sources import read_all


def dicom_scans(kinds: dict, files: dict, aside: list[dict], how: dict):
    """The stacks of all patients, by which rules, what is skipped, who shares a folder, and the files' UIDs."""
    headers, skipped = read_all(partial(_header_or_aside, files), {name: name for name in kinds}, **how)
    aside += [{"item": name, "reason": found} for name, found in headers.items() if isinstance(found, str)]
    found: list[File] = [header for header in headers.values() if isinstance(header, File)]
    people, of_series, whose = {}, {}, people_of(found)
    for file in found:  # a series is one person's, whatever its files say; that they agree is checked with the rest
        person = of_series.setdefault(file.series, whose[file.name])
        people.setdefault(person, []).append(file)
    stacked, bad = read_all(
        lambda person: stacks_of(people[person], _shown(person, people[person])),
        {people[person][0].name: person for person in people},
        **how,
    )
    scans, folders = [], {}
    for stacks, left in stacked.values():
        aside += left
        for name, items in stacks.items():
            person = of_series[items[0][0].series]
            place = place_of(name)
            label = next((word for word in place.rest if class_of(word)), None)
            load = partial(lambda items, name: (to_volume(items, name), None), items, name)
            scans.append(Scan(name, person, load, split=place.split, pathology=label))
            for word in place.rest:
                if re.fullmatch(r"(patient|subject|case|pat|sub)[-_ ]?\d+", word, re.IGNORECASE):
                    folders.setdefault(word, set()).add(person)
    rules = {"patient": "PatientID" if any(person.startswith("id:") for person in people) else "folder or study"}
    if any(not person.startswith("id:") for person in people) and rules["patient"] == "PatientID":
        rules["patient"] += ", and by folder or study where it is blank"
    elif not any(person.startswith("id:") or is_nobody(people[person][0].patient) for person in people):
        rules["patient"] += ", since all files have one PatientID"
    if any(scan.pathology for scan in scans):
        rules["class"] = "folders named after diseases"
    if any(scan.split for scan in scans):
        rules["split"] = "folders named after splits"
    for scan in scans:
        scan.patient = scan.patient.partition(":")[2]
    together = [sorted(person.partition(":")[2] for person in group) for group in folders.values() if len(group) > 1]
    return scans, rules, skipped + bad, together, sorted(file.uid for file in found)


def _header_or_aside(files: dict, name: str):
    """The header of a file, or why it is set aside."""
    try:
        return read_header(files[name], name)
    except SetAside as reason:
        return str(reason).partition(": ")[2]


def _shown(person: str, files: list[File]) -> str:
    """What a patient is called in messages that are stored: never by the PatientID."""
    return files[0].name if person.startswith("id:") else person.partition(":")[2]


def hash_ids(scans: list[Scan], together: list[list[str]], uids: list[str]) -> None:
    """Replaces patients' ids by hashes, in place, which nobody can undo who does not have the files.

    The salt is made of the files' UIDs, so that a second build gives the same hashes.

    Raises:
        ZooError: If two ids differ in case alone.
    """
    salt = hashlib.sha256(repr(uids).encode()).hexdigest()

    def hashed(patient: str) -> str:
        return f"p-{hashlib.sha256(f'{salt}:{patient}'.encode()).hexdigest()[:12]}"

    check_spellings(scans)  # of hashes nobody sees it
    for scan in scans:
        scan.patient = hashed(scan.patient)
    together[:] = [sorted(map(hashed, group)) for group in together]
