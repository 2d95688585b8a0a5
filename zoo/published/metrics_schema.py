"""What `metrics.json` may hold: groups are fixed, and so is the type of every name; more figures may join a group."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SCHEMA_VERSION = 1
UNITS = ("mm", "mm2", "mb", "kwh", "seconds")
_OTHER_UNIT = re.compile(r"_(cm|cm2|um|inch|px|pixels|kb|gb|bytes|ms|minutes|hours|wh|joule)$")
_LONGEST = 80  # characters of a wrong value that are shown

Number = Annotated[float, Field(allow_inf_nan=False)]
Plain = bool | int | Number | str | None
Settings = dict[str, Plain | list[Plain] | dict[str, Plain | list[Plain]]]  # of several models, those of each


class Strict(BaseModel):
    """No type is changed to fit; no NaN and no infinity."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


class Figure(Strict):
    """What was measured, 95 % bounds and the number of independent items; further numbers and figures within it."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, "Number | list[Number] | list[list[Number]] | Figure | dict[str, Figure]"]
    value: Number
    low: Number = None
    high: Number = None
    n: int = Field(None, ge=1)
    gain: "BoundedFigure" = None
    real_alone: "Figure" = None
    accuracy: "Figure" = None
    patient_vote: "Figure" = None
    std: Number = None
    ratio_to_real: Number = None
    difference_to_real: Number = None
    wasserstein_to_real: Number = None
    wasserstein_train_to_test: Number = None

    @model_validator(mode="after")
    def _in_order(self):
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"expected low of at most high, got {self.low} and {self.high}")
        return self


class BoundedFigure(Figure):
    """A figure whose bounds and count say what it means."""

    low: Number
    high: Number
    n: int = Field(ge=1)


class Group(Strict):
    """Figures by name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Figure]

    @model_validator(mode="after")
    def _known_units(self):
        for name in self.__pydantic_extra__ or ():
            if found := _OTHER_UNIT.search(name):
                raise ValueError(f"{name}: unknown unit {found[1]!r}, expected one of {', '.join(UNITS)}")
        return self


class Projection(Group):
    """Projections; those of a further setting within a dict of their own."""

    __pydantic_extra__: dict[str, Figure | dict[str, Figure | Number]]
    images: int = None
    method: str = None
    settings: Settings = None
    latent_dimensions: int = None
    seconds_per_image: Number = None


class Distribution(Group):
    """Likeness of the sample set."""

    settings: Settings = None


class Copying(Group):
    """Copies of patients; thresholds are plain."""

    __pydantic_extra__: dict[str, Figure | Number]
    copied_patients: list[str] = None


class Judged(Group):
    """What a network has measured, which is named."""

    segmenter: str = None
    classifier: str = None
    ordering: str = None
    ordering_kept: bool = None
    ordering_kept_real: bool = None


class Control(Judged):
    """What was asked for beside what was found."""

    mask_copy_threshold: Number = None


class Utility(Group):
    """Usefulness: how the classifiers were trained is told in words."""

    hog_svm: str = None
    cnn: str = None
    hog_svm_study_c: str = None
    skinlesnet_study_c: str = None
    segmenter: str = None
    not_measured: list[str] = None
    settings: Settings = None


class Cost(Group):
    """Time and memory on a machine."""

    parameters: int = None
    network_evaluations: int = None
    checkpoint_mb: Number = None
    peak_memory_mb: Number = None
    hardware: str = None


class Scores(Group):
    """How good a network that judges is: figures, chances, counts and matrices of counts."""

    __pydantic_extra__: dict[str, Figure | Number | list[list[int]]]


class Groups(Strict):
    """What was measured."""

    projection: Projection = None
    unpaired: Distribution = None
    distribution: Distribution = None
    diversity: Group = None
    copying: Copying = None
    anatomy: Judged = None
    conditioning: Judged = None
    control: Control = None
    utility: Utility = None
    cost: Cost = None
    segmentation: Scores = None
    classification: Scores = None
    views: Scores = None
    items: dict[str, dict[str, list[Number]]] = None


class Model(Strict):
    """Which weights."""

    name: str
    family: str
    sha256: dict[str, str] = None


class Dataset(Strict):
    """Which images, and whose."""

    name: str
    preset: str
    fingerprint: str = None
    split: str = None
    patient_ids: dict[str, list[str]] = None
    n_patients: int = None
    n_images: int


class Measured(Dataset):
    """The split that something was measured on."""

    fingerprint: str
    split: str


class Samples(Strict):
    """Which samples."""

    count: int
    seed: int
    settings: Settings


class Run(Strict):
    """One of the trainings that a model comes from."""

    images_seen: int
    seconds: Number


class Training(Strict):
    """How a model was made; further notes may join."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Plain | list[Plain] | dict[str, Plain]]
    recipe: str = None
    images_seen: int = None
    seconds: Number = None
    energy_kwh: Number = None
    parameters: int = None
    hardware: str = None
    seed: int = None
    code_version: str = None
    optimizer_restarts: int = None
    selected_by: dict[str, Number | None] = None
    dataset: Dataset = None
    trainings: dict[str, Run] = None  # by recipe, where there was more than one


class MetricsFile(Groups):
    """The whole file."""

    schema_version: Literal[1]
    model: Model = None
    dataset: Measured = None
    samples: Samples = None
    extractors: dict[str, dict[str, Plain]] = None
    references: dict[Literal["real", "mean_image", "copy"], Groups] = None
    training: Training = None


def fault(metrics: Any) -> str | None:
    """What is wrong with the content of a metrics file, in one line that names the field; `None` if nothing is."""
    try:
        MetricsFile.model_validate(metrics)
    except ValidationError as error:
        # Of the kinds that a value may be of, the one that went furthest is the one that was meant
        found = [(entry["type"] == "finite_number", _line(entry, metrics)) for entry in error.errors(include_url=False)]
        return max(found, key=lambda entry: (entry[1][0], entry[0]))[1][1]
    return None


def _line(error: dict, metrics: Any) -> tuple[int, str]:
    """Length of the path to a field, and what is wrong with it."""
    path, place = [], metrics
    for part in error["loc"]:  # which also names the kinds that a value may be of
        if isinstance(place, dict) and part in place or isinstance(place, list) and isinstance(part, int):
            path.append(part)
            place = place[part]
    kind, got = error["type"], repr(error["input"])
    got = got if len(got) <= _LONGEST else f"{got[:_LONGEST]}…"
    if kind == "missing":
        path.append(error["loc"][-1])
        words = "is missing"
    elif kind == "extra_forbidden":
        words = f"unknown, expected one of {', '.join(MetricsFile.model_fields)}" if len(path) == 1 else "unknown name"
    elif kind == "value_error":
        words = error["msg"].removeprefix("Value error, ")
    elif kind in ("model_type", "dict_type"):
        words = f"expected a group of figures, got {got}" if len(path) < 2 else f"expected a figure, got {got}"
    else:
        words = f"{error['msg'].replace('Input should be', 'expected')}, got {got}"
    name = ".".join(map(str, path))
    return len(path), f"{name}: {words}" if name else words
