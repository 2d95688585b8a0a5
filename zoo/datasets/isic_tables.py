"""What tables of ISIC downloads say of each image: diagnosis, malignant or benign, lesion and patient.

Read are HAM10000's metadata, the ground truth of the challenges of 2016 (part 3), 2018 (task 3), 2019 and 2020, the
groupings and metadata that come with these, and the `metadata.csv` of the zoo's own layout. Tables are known by their
columns, since people rename and move files.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from zoo.datasets.content import read_text
from zoo.errors import ZooError

LABELS = ["benign", "malignant"]
ID_COLUMNS = ("image_id", "image", "image_name")
ENDINGS = (".csv", ".tab")
PICTURE = re.compile(r"\.(jpe?g|png)$", re.IGNORECASE)
# Diagnoses of the one-hot columns and of HAM10000's `dx`
ABBREVIATIONS = {"ak": "akiec"}
MALIGNANT = {"mel", "bcc", "akiec", "scc"}
BENIGN = {"nv", "bkl", "df", "vasc"}
ONE_HOT = ("MEL", "NV", "BCC", "BKL", "DF", "VASC")


@dataclass
class Entry:
    """What is known of an image.

    Args:
        image_id (`str`): Name of its file, without ending.
        table (`str`): The file that names it.
        label (`str`, *optional*): `benign` or `malignant`.
        dx (`str`): The diagnosis, empty where it is unknown.
        lesion, patient (`str`, *optional*): Their ids.
    """

    image_id: str
    table: str
    label: str | None = None
    dx: str = ""
    lesion: str | None = None
    patient: str | None = None

    @property
    def group(self) -> str:
        """What shares a split: the lesion, else the patient, else the image itself."""
        return self.lesion or (f"patient {self.patient}" if self.patient else f"image {self.image_id}")

    @property
    def grouped_by(self) -> str:
        return "lesion" if self.lesion else "patient" if self.patient else "image"


def read_tables(files: dict) -> dict[str, Entry]:
    """The images that the tables among some files label, by id, with the lesions that any of the tables knows.

    An image that several tables name, as that of 2019 repeats HAM10000, is taken from the first, in the order of names.

    Args:
        files: Paths by name.

    Raises:
        ZooError: If a label or diagnosis is unknown, or two tables contradict each other.
    """
    labelled, groups = {}, {}
    for name, path in files.items():
        if not name.lower().endswith(ENDINGS):
            continue
        for entry in _entries(path, PurePosixPath(name).name):
            known = groups.setdefault(entry.image_id, {})
            known.update({key: value for key in ("lesion", "patient") if (value := getattr(entry, key))})
            if entry.label is None:
                continue
            first = labelled.setdefault(entry.image_id, entry)
            if first.label != entry.label:
                raise ZooError(
                    f"{path}: {entry.image_id} is {entry.label}; {first.table} says {first.label}, expected one label"
                )
    for image_id, entry in labelled.items():
        entry.lesion, entry.patient = groups[image_id].get("lesion"), groups[image_id].get("patient")
    return labelled


def _entries(path, name: str) -> Iterable[Entry]:
    """The rows of a table; none of one that says nothing of images."""
    text = read_text(path)
    separator = max(",;\t", key=next(iter(text.splitlines()), "").count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        return
    if len(rows[0]) == 2 and rows[0][1].strip() in LABELS:  # the challenge of 2016 has no header
        rows = [["image_id", "label"], *rows]
    head, *body = rows
    head = [column.strip().strip('"') for column in head]
    id_column = next((column for column in ID_COLUMNS if column in head), None)
    if id_column is None:
        return
    for number, cells in enumerate(body, 2):
        row = dict(zip(head, (cell.strip() for cell in cells), strict=False))
        if not row[id_column]:
            raise ZooError(f"{path}: line {number}: {id_column}: expected the name of an image, got none")
        label, dx = _diagnosis(row, path, number)
        lesion, patient = row.get("lesion_id") or None, row.get("patient_id") or None
        yield Entry(PICTURE.sub("", row[id_column]), name, label, dx, lesion, patient)


def _diagnosis(row: dict[str, str], path, number: int) -> tuple[str | None, str]:
    """Label and diagnosis of a row; no label where the table has no column for it."""
    if "benign_malignant" in row or "label" in row:
        label = row.get("benign_malignant") or row.get("label")
        if label not in LABELS:
            raise ZooError(f"{path}: line {number}: label {label!r}; expected one of {', '.join(LABELS)}")
        return label, row.get("dx") or row.get("diagnosis") or ""
    if all(column in row for column in ONE_HOT):
        named = [column for column, value in row.items() if column.isupper() and value in ("1", "1.0")]
        dx = named[0].lower() if len(named) == 1 else ""
    elif "dx" in row:
        dx = row["dx"]
    else:
        return None, ""
    dx = ABBREVIATIONS.get(dx, dx)
    if dx in MALIGNANT | BENIGN:
        return LABELS[dx in MALIGNANT], dx
    expected = ", ".join(sorted(MALIGNANT | BENIGN))
    raise ZooError(f"{path}: line {number}: diagnosis {dx or 'none or several'!r}; expected one of {expected}")
