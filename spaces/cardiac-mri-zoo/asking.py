"""What a visitor may ask of a model: a request, checked field by field, as a link and as Python."""

import math
import reprlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from zoo.errors import ZooError
from zoo.pipelines import sample_generators
from zoo.samples import class_arguments

SHOWN = 16  # images that a page shows at most
MOST = 1000  # images of a dataset
MAX_SEED = 2**32 - 1
MAX_STEPS = 100
MAX_GUIDANCE = 5.0
DRAWN, OPEN = "drawn", "any"  # classes that are no class: drawn as in the training images, and left open
BOUNDS = {"count": (1, MOST), "seed": (0, MAX_SEED), "steps": (1, MAX_STEPS), "guidance": (0, MAX_GUIDANCE)}


def check_number(name: str, value, low: float, high: float, *, whole: bool = True) -> float:
    """The number itself, an `int` if it is to be whole.

    Raises:
        ZooError: If it is no number, not whole or out of bounds.
    """
    kind = "a whole number" if whole else "a number"
    if value is None or value == "":
        raise ZooError(f"{name}: expected {kind} from {low} to {high}, the field is empty")
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not is_number or whole and value != int(value):
        raise ZooError(f"{name}: expected {kind} from {low} to {high}, got {reprlib.repr(value)}")
    return int(value) if whole else float(value)


class Request(BaseModel):
    """What is asked of a model. The same request always gives the same images.

    Args:
        model (`str`): Its name in the catalogue.
        classes (`dict[str, str]`): A class, or `"any"`, by condition; those that are not named are drawn.
        count (`int`): How many images.
        seed (`int`): Sample *i* depends on it and on *i*.
        steps (`int`, *optional*): Of a model that works in steps; its own number otherwise.
        guidance (`float`, *optional*): Likewise.
        quantities (`dict[str, float]`): Of hearts to order, in the units of their names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str
    classes: dict[str, str] = {}
    count: int = 8
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    quantities: dict[str, float] = {}

    @field_validator(*BOUNDS, mode="before")
    @classmethod
    def _within_bounds(cls, value, info: ValidationInfo):
        optional = info.field_name in ("steps", "guidance")
        low, high = BOUNDS[info.field_name]
        return (
            value
            if optional and value is None
            else check_number(info.field_name, value, low, high, whole=info.field_name != "guidance")
        )

    def call(self, pipe, indices=None) -> dict:
        """The keywords of a pipeline's call that makes samples `indices`, all of them by default.

        Settings that the model does not know are left out.

        Raises:
            ZooError: If the model does not know a class or a quantity, or has other bounds.
        """
        indices = range(self.count) if indices is None else indices
        known = pipe.default_settings
        settings = {"num_inference_steps": self.steps, "guidance_scale": self.guidance}
        settings = {name: value for name, value in settings.items() if name in known and value is not None}
        if "sampler" in known and settings.get("num_inference_steps") == 1:  # a level to start from and one to reach
            raise ZooError(f"steps: expected a whole number from 2 to {MAX_STEPS} of a score model, got 1")
        limits = getattr(pipe, "quantities", {})
        for name, value in self.quantities.items():
            if name not in limits:
                raise ZooError(f"{name}: this model takes no such quantity")
            check_number(name, value, limits[name]["min"], limits[name]["max"], whole=False)
        classes = class_arguments(pipe, self.classes)
        generator = sample_generators(self.seed, indices)
        return {"batch_size": len(indices), **classes, **self.quantities, "generator": generator, **settings}

    @property
    def query(self) -> str:
        """The link's query string, which `Request.from_query` reads."""
        own = self.model_dump(exclude={"classes", "quantities"}, exclude_none=True)
        return urlencode(own | self.classes | self.quantities)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Request":
        """The request of a link; what is no field or quantity in mm is a condition.

        Raises:
            ZooError: If a field is missing or out of its bounds.
        """
        own, classes, quantities = {}, {}, {}
        for name, text in query.items():
            if name in BOUNDS:
                own[name] = _number(text)
            elif name == "model":
                own[name] = text
            elif name.endswith(("_mm", "_mm2")):
                quantities[name] = _number(text)
            elif not name.startswith("__"):  # those are gradio's
                classes[name] = text
        return ask(**own, classes=classes, quantities=quantities)

    def python(self, pipe, source: str | Path) -> str:
        """Code that makes these very images, with the package of the zoo installed."""
        call = self.call(pipe)
        shown = [str(call.pop("batch_size")), f"generator=sample_generators({self.seed}, range({self.count}))"]
        del call["generator"]
        shown[1:1] = [f"{name}={value!r}" for name, value in call.items()]
        masks = ["output.masks[0].save('mask.png')"] if hasattr(pipe, "num_labels") else []
        return "\n".join(
            [
                "import zoo",
                "from zoo.pipelines import sample_generators",
                "",
                f'pipe = zoo.from_pretrained("{shown_source(source)}")',
                f"output = pipe({', '.join(shown)})",
                "output.images[0].save('heart.png')",
                *masks,
            ]
        )


def ask(**fields) -> Request:
    """A request whose faults are told in one line.

    Raises:
        ZooError: If a field is missing, unknown or out of its bounds.
    """
    try:
        return Request(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        told = first.get("ctx", {}).get("error")
        where = ".".join(map(str, first["loc"]))
        raise ZooError(str(told) if told else f"{where}: {first['msg'].lower()}") from error


def shown_source(source: str | Path) -> str:
    """Hub id or folder of a model as a visitor may read it: never the path on this machine."""
    return f"model_cards/{source.resolve().name}" if isinstance(source, Path) else source


def conditions(pipe) -> list[str]:
    """The conditions that a visitor may set: the model's first one, whatever its name, phase and slice level."""
    return [next(iter(pipe.class_names), "class"), "phase", "slice_level"]


def class_choice(pipe, labels: list) -> dict[str, str]:
    """What was chosen for each of `conditions(pipe)`: a class, `"any"`, or nothing where it is drawn."""
    return {
        name: label
        for name, label in zip(conditions(pipe), labels, strict=True)
        if label not in (None, "", DRAWN) and name in pipe.class_names
    }


def first_class(pipe, label: str) -> dict[str, str]:
    """A class of the model's first condition, if it knows it."""
    name = conditions(pipe)[0]
    return {name: label} if label in pipe.class_names.get(name, ()) else {}


def _number(text: str) -> float | str:
    """A number of a link; what is none stays text, and is refused where it is checked."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if math.isfinite(number) and number == int(number) else number
