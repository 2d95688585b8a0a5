"""Sampling for visitors: bounded requests, and what comes of them."""

import csv
import reprlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.errors import ZooError
from zoo.samples import LIST_FILE, write_samples

MAX_COUNT = 16
MAX_SEED = 2**32 - 1
MAX_STEPS = 100
MAX_GUIDANCE = 5.0
DRAWN, OPEN = "drawn", "any"  # classes that are no class: drawn as in the training images, and left open


@dataclass(frozen=True)
class Request:
    """What a visitor asks of a model, checked.

    Args:
        name (`str`): Of the model.
        count (`int`): How many images.
        seed (`int`): Sample *i* depends on it and on *i*.
        classes (`dict[str, str]`): By condition; those that are not named are drawn.
        settings (`dict`): Further keywords of the pipeline's call.
    """

    name: str
    count: int
    seed: int
    classes: dict[str, str] = field(default_factory=dict)
    settings: dict = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """What its files are called after."""
        return f"{self.name.replace('/', '--')}_seed{self.seed}"


@dataclass
class Samples:
    """What a visitor gets.

    Args:
        request (`Request`): What was asked for.
        pipe: Stands for the pipeline and hands out these images again.
        images (`np.ndarray` of shape `(count, height, width, channels)`): uint8.
        classes (`list[dict[str, str]]`): Of each image, by condition.
        seconds (`float`): What sampling took.
    """

    request: Request
    pipe: object
    images: np.ndarray
    classes: list[dict[str, str]]
    seconds: float

    @property
    def captions(self) -> list[str]:
        """The classes of each image in words."""
        return [
            " · ".join(f"{name.replace('_', ' ')} left open" if label == OPEN else label for name, label in row.items())
            for row in self.classes
        ]


class SampledOnce:
    """Stands for a pipeline, and hands out the images of its first call each time: formats differ, images do not."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.output = None
        self.seconds = 0.0

    def __getattr__(self, name: str):
        return getattr(self.pipe, name)

    def __call__(self, *args, **kwargs):
        if self.output is None:
            start = time.perf_counter()
            self.output = self.pipe(*args, **kwargs)
            self.seconds = time.perf_counter() - start
        return self.output


def fields(pipe) -> list[str]:
    """The conditions that a visitor may set: the model's first one, whatever its name, phase and slice level."""
    return [next(iter(pipe.class_names), "class"), "phase", "slice_level"]


def check_number(name: str, value, low: float, high: float, *, whole: bool = True) -> float:
    """The number itself, an `int` if it is to be whole.

    Raises:
        ZooError: If it is no number, not whole or out of bounds.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not is_number or whole and value != int(value):
        kind = "a whole number" if whole else "a number"
        raise ZooError(f"{name}: expected {kind} from {low} to {high}, got {reprlib.repr(value)}")
    return int(value) if whole else float(value)


def check_request(pipe, name: str, labels: list, count, seed, steps=None, guidance=None) -> Request:
    """Makes sure that what a visitor sent is within its bounds; the settings that the model does not know are dropped.

    Args:
        pipe: A pipeline of `zoo.pipelines`.
        name (`str`): Of the model.
        labels (`list`): A class name, `"drawn"` or `"any"` for each of `fields(pipe)`.
        count, seed, steps, guidance: As sent.

    Raises:
        ZooError: If a value is out of its bounds; classes are checked when the samples are drawn.
    """
    count, seed = check_number("count", count, 1, MAX_COUNT), check_number("seed", seed, 0, MAX_SEED)
    settings = {}
    if "num_inference_steps" in pipe.default_settings:
        least = (
            2 if "sampler" in pipe.default_settings else 1
        )  # a score model has a level to start from and one to reach
        settings["num_inference_steps"] = check_number("steps", steps, least, MAX_STEPS)
    if "guidance_scale" in pipe.default_settings:
        settings["guidance_scale"] = check_number("guidance", guidance, 0, MAX_GUIDANCE, whole=False)
    classes = {field: label for field, label in zip(fields(pipe), labels, strict=True) if label not in (None, DRAWN)}
    return Request(name, count, seed, classes, settings)


def default_request(pipe, name: str, labels: list, count, seed) -> Request:
    """The same with the model's own settings."""
    defaults = pipe.default_settings
    return check_request(
        pipe, name, labels, count, seed, defaults.get("num_inference_steps"), defaults.get("guidance_scale")
    )


def draw(pipe, request: Request, folder: Path, on_step: Callable | None = None) -> Samples:
    """Generates images, which are also written as PNG into a new folder.

    Args:
        pipe: A pipeline of `zoo.pipelines`.
        request (`Request`): What is wanted.
        folder (`Path`): What to write.
        on_step (callable, *optional*): `(step, tensors)` after each step, of a pipeline that works in steps.

    Raises:
        ZooError: If the model does not know a class.
    """
    once, settings = SampledOnce(pipe), dict(request.settings)
    if on_step is not None and works_in_steps(pipe):
        settings |= after_each_step(on_step)
    write(once, request, folder, "png", **settings)
    with open(folder / LIST_FILE, newline="") as file:
        rows = list(csv.DictReader(file))
    images = np.stack([np.asarray(Image.open(folder / row["file"])) for row in rows])
    images = images if images.ndim == 4 else images[..., None]
    classes = [{key: row[key] for key in row if key not in ("file", "seed", "index")} for row in rows]
    return Samples(request, once, images, classes, once.seconds)


def after_each_step(on_step: Callable) -> dict:
    """The keyword by which a pipeline's call takes a function that is given `(step, tensors)` after each step."""

    def callback(pipe, step: int, timestep, tensors: dict) -> dict:
        on_step(step, tensors)
        return tensors

    return {"callback_on_step_end": callback}


def write(pipe, request: Request, folder: Path, format: str, **settings) -> None:
    """Writes what was asked for in one of the formats of `write_samples`."""
    common = {"classes": request.classes, "seed": request.seed, "batch_size": request.count, "progress": False}
    write_samples(pipe, folder, request.count, format=format, **common, **settings)


def works_in_steps(pipe_or_class) -> bool:
    """Whether a pipeline, or a class of them, goes from noise to image in steps that can be looked at."""
    return hasattr(pipe_or_class, "preview")
