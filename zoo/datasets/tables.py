"""Tables that come with images: who has which disease, which frame is which phase."""

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from zoo.datasets.content import read_text
from zoo.datasets.kinds import stem_of
from zoo.datasets.names import SPLIT_WORDS
from zoo.datasets.schema import PHASES
from zoo.errors import ZooError

KEYS = ("patient", "patient_id", "patientid", "subject", "subject_id", "participant_id", "case", "id", "pid")
FILES = ("file", "file_name", "filename", "image", "path", "name")
PATHOLOGY = ("pathology", "group", "class", "label", "diagnosis", "disease")
FRAMES = {"ed": "ED", "es": "ES"}


@dataclass
class Labels:
    """What a table says of one patient or file."""

    pathology: str | None = None
    split: str | None = None
    phase: str | None = None
    phases: dict[int, str] = field(default_factory=dict)
    columns: dict = field(default_factory=dict)


def read_csv(path, needed: tuple[str, ...] = (), expected: str = "a table with a header") -> list[dict[str, str]]:
    """The lines of a table with a header, separated by commas, semicolons or tabs; spaces around values are dropped.

    Excel's first line, `sep=;`, is none of the table.

    Args:
        path: A `pathlib.Path` or `zipfile.Path`, in UTF-8 or UTF-16, with or without a mark.
        needed: Columns that it must have.
        expected: For the message where it is missing.

    Raises:
        ZooError: If it is missing, has no such column, or a line has more values than the header.
    """
    return read_table(path, needed, expected)[1]


def read_table(
    path, needed: tuple[str, ...] = (), expected: str = "a table with a header"
) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a table, and its lines; see `read_csv`."""
    if not path.is_file():
        raise ZooError(f"{path}: not found; expected {expected}")
    text = read_text(path).lstrip("\r\n")
    if text.startswith("PK\3\4"):
        raise ZooError(f"{path}: is an Excel workbook; expected a table saved as CSV")
    text = re.sub(r"\Asep=.[\r\n]+", "", text, flags=re.IGNORECASE)
    header = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        names = [str(name).strip() for name in reader.fieldnames or ()]
        if missing := [name for name in needed if name not in names]:
            raise ZooError(f"{path}: missing column {', '.join(missing)}; expected {', '.join(needed)}")
        if doubled := {name for name in names if name and names.count(name) > 1}:
            raise ZooError(f"{path}: has the column {min(doubled)} twice; expected each once")
        reader.fieldnames = names
        lines = []
        for line in reader:
            if None in line:
                raise ZooError(f"{path}: line {reader.line_num} has more values than the header; expected {len(names)}")
            lines.append({name: (value or "").strip() for name, value in line.items()})
    except csv.Error as error:
        raise ZooError(f"{path}: no readable table ({error}); expected lines of values") from error
    return names, lines


def read_labels(path: str | Path) -> tuple[dict[str, Labels], bool]:
    """A table of labels: patients or files; pathology; split; `phase` and `frame`, or `ED` and `ES`; any others.

    Frames count from 1, and those that are named are the ones taken. Several lines of a patient name several frames.

    Returns:
        Labels by patient or file, and whether the keys are files.

    Raises:
        ZooError: If there is no such column, or two lines contradict each other.
    """
    path = Path(path)
    header, lines = read_table(path)
    names = {name.lower(): name for name in header}
    key = next((names[name] for name in (*KEYS, *FILES) if name in names), None)
    if key is None:
        raise ZooError(f"{path}: has no column of patients or files; expected one of {', '.join((*KEYS, *FILES))}")
    of_files = key.lower() in FILES
    group = next((names[name] for name in PATHOLOGY if name in names), None)
    found: dict[str, Labels] = {}
    for line in lines:
        name = line[key]
        if not name:
            continue
        entry = Labels(pathology=line.get(group) or None if group else None)
        number = line.get(names.get("frame", ""), "")
        phase = line.get(names.get("phase", ""), "").upper()
        if phase and phase not in PHASES:
            raise ZooError(f"{path}: {name}: phase is {phase!r}; expected ED or ES")
        for column, label in FRAMES.items():
            if line.get(names.get(column, ""), ""):
                entry.phases[_frame(line[names[column]], names[column], name, path)] = label
        if number:
            entry.phases[_frame(number, "frame", name, path)] = phase or None
        elif phase:
            entry.phase = phase
        if split := line.get(names.get("split", ""), ""):
            if split.lower() not in SPLIT_WORDS:
                raise ZooError(f"{path}: {name}: split is {split!r}; expected train, validation or test")
            entry.split = SPLIT_WORDS[split.lower()]
        used = {key, group, *(names.get(word) for word in ("split", "frame", "phase", *FRAMES))}
        entry.columns = {
            column.lower(): _value(value) for column, value in line.items() if column not in used and column
        }
        if (other := found.get(name)) is not None:
            same = (other.pathology, other.split) == (entry.pathology, entry.split)
            if of_files or not same or not entry.phases or other.phase or entry.phase:
                raise ZooError(f"{path}: {name} is named twice; expected one line, or lines of its frames")
            other.phases |= entry.phases
        else:
            found[name] = entry
    if not found:
        raise ZooError(f"{path}: has no line; expected one a patient or file")
    return found, of_files


def labels_for(table: dict[str, Labels], of_files: bool, patient: str, name: str) -> Labels | None:
    """What a table says of a patient's file: by its path, its name with or without ending, or by the patient."""
    if not of_files:
        return table.get(patient)
    last = PurePosixPath(name).name
    return next((table[key] for key in (name, last, stem_of(name), stem_of(last)) if key in table), None)


def _frame(value: str, column: str, name: str, path) -> int:
    try:
        number = int(float(value))
    except (ValueError, OverflowError):
        number = 0
    if number < 1:
        raise ZooError(f"{path}: {name}: {column} is {value!r}; expected a frame number from 1")
    return number


def _value(text: str):
    """A number where it is one; `None` where it is empty."""
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return number if number == number and abs(number) != float("inf") else None
