"""What `zoo_dataset.json` of a built dataset may hold, and reading it."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveInt, ValidationError, model_validator

from zoo.errors import ZooError

INFO_FILE = "zoo_dataset.json"
_LONGEST = 80  # characters of a wrong value that are shown

Name = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """No type is changed to fit; no NaN and no infinity."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


class Split(Strict):
    """How much a split holds, and of whom where the source has patients."""

    num_images: PositiveInt
    patient_ids: list[Name] = None


class Omission(Strict):
    """What was left out, by its name or its patient's, and why."""

    item: str = None
    patient_id: str = None
    reason: str

    @model_validator(mode="after")
    def _named(self):
        if (self.item is None) == (self.patient_id is None):
            raise ValueError("expected either item or patient_id")
        return self


class Note(Strict):
    """What a reader had to say of how many items."""

    note: str
    count: PositiveInt
    example: str


class Report(Strict):
    """What was taken for what, as `zoo.datasets.report` makes it."""

    rules: dict[str, str]
    images: PositiveInt
    patients: PositiveInt = None
    images_per_patient: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] = None
    images_with_mask: Annotated[int, Field(ge=0)] = None
    set_aside: list[Omission]
    notes: list[Note]

    @model_validator(mode="after")
    def _counted_together(self):
        if (self.patients is None) != (self.images_per_patient is None):
            raise ValueError("expected patients and images_per_patient, or neither")
        return self


class DatasetInfo(Strict):
    """The whole file; further notes of a builder may join."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]
    name: Name
    preset: Name
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    seed: int = None
    license: Name
    citation: str
    splits: Annotated[dict[Literal["train", "validation", "test"], Split], Field(min_length=1)]
    duplicates: list[list[str]]
    skipped: list[Omission]
    preprocessing: dict[str, JsonValue]
    report: Report = None
    ids: Literal["kept", "hashed"] = None  # of DICOM
    split_by: dict[str, int] = None
    undersampled: bool = None
    chosen: dict[str, list[str]] = None

    @model_validator(mode="after")
    def _patient_in_one_split(self):
        split_of = {}
        for split, about in self.splits.items():
            for patient in about.patient_ids or ():
                if split_of.setdefault(patient, split) != split:
                    raise ValueError(f"splits: expected a patient in one of them, {patient} is in {split} too")
        return self


def read_info(folder: str | os.PathLike) -> dict:
    """Reads the `zoo_dataset.json` of a dataset's folder.

    Raises:
        ZooError: If there is none, it is not JSON, or `check_info` refuses it.
    """
    path = Path(folder) / INFO_FILE
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ZooError(f"{folder}: no readable {INFO_FILE}; expected what `cardiac-zoo data` writes") from error
    check_info(info, path)
    return info


def check_info(info: Any, path: str | os.PathLike = INFO_FILE) -> None:
    """Validates the content of the file, as read or as it is to be written.

    Raises:
        ZooError: With its path and the field, if one is missing or of the wrong type, a number is not finite, or a
            patient is in two splits.
    """
    try:
        DatasetInfo.model_validate(info)
    except ValidationError as error:
        raise ZooError(f"{path}: {_line(error.errors(include_url=False)[0], info)}") from error


def _line(error: dict, info: Any) -> str:
    """What is wrong, in one line that names the field."""
    path, place = [], info
    for part in error["loc"]:  # which also names the kinds that a value may be of
        if isinstance(place, dict) and part in place or isinstance(place, list) and isinstance(part, int):
            path.append(str(part))
            place = place[part]
    if error["type"] == "missing":
        return f"{'.'.join([*path, error['loc'][-1]])}: is missing"
    field = f"{'.'.join(path)}: " if path else ""
    if error["type"] == "value_error":
        return field + error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{field}unknown"
    got = repr(error["input"])
    got = got if len(got) <= _LONGEST else f"{got[:_LONGEST]}…"
    return f"{field}{error['msg'].replace('Input should be', 'expected')}, got {got}"
