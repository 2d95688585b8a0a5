"""Sampling for visitors: bounded requests, and the pictures as files."""

import csv
import reprlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from zoo.errors import ZooError
from zoo.hub.samples import LIST_FILE, write_samples

MAX_COUNT = 16
MAX_SEED = 2**32 - 1
MAX_STEPS = 100
MAX_GUIDANCE = 5.0
DRAWN, OPEN = "drawn", "any"  # classes that are no class: drawn as in the training images, and left open
MIN_SIDE = 256  # pixels of a picture on the page


@dataclass
class Samples:
    """What a visitor gets.

    Args:
        pictures (`list[tuple[PIL.Image.Image, str]]`): Enlarged images and their captions.
        seconds (`float`): What sampling took.
        png (`Path`): Zip of the images in their own size, and of the list of their classes.
        nifti (`Path`, *optional*): The same as NIfTI, if the model's pixel spacing is known.
    """

    pictures: list[tuple[Image.Image, str]]
    seconds: float
    png: Path
    nifti: Path | None


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


def sample(pipe, name: str, work_dir: Path, labels: list, count, seed, steps, guidance) -> Samples:
    """Generates images and their files.

    Args:
        pipe: A pipeline of `zoo.pipelines`.
        name (`str`): Of the model, for the names of the files.
        work_dir (`Path`): An empty folder for the files.
        labels (`list`): A class name, `"drawn"` or `"any"` for each of `fields(pipe)`.
        count, seed, steps, guidance: As a visitor sent them; those that the model does not know are ignored.

    Raises:
        ZooError: If a value is out of its bounds, or the model does not know a class.
    """
    count = check_number("count", count, 1, MAX_COUNT)
    seed = check_number("seed", seed, 0, MAX_SEED)
    settings = {}
    if "num_inference_steps" in pipe.default_settings:
        settings["num_inference_steps"] = check_number("steps", steps, 1, MAX_STEPS)
    if "guidance_scale" in pipe.default_settings:
        settings["guidance_scale"] = check_number("guidance", guidance, 0, MAX_GUIDANCE, whole=False)
    classes = {field: label for field, label in zip(fields(pipe), labels, strict=True) if label not in (None, DRAWN)}

    once = SampledOnce(pipe)
    files = f"{name.replace('/', '--')}_seed{seed}"
    common = {"classes": classes, "seed": seed, "batch_size": count, "progress": False, **settings}
    folder = write_samples(once, work_dir / "png", count, **common)
    pictures = [_picture(folder, row) for row in _rows(folder)]
    png = Path(shutil.make_archive(str(work_dir / f"{files}_png"), "zip", folder))
    nifti = None
    if pipe.config.get("pixel_spacing_mm") is not None and pipe.num_channels == 1:  # what NIfTI needs
        folder = write_samples(once, work_dir / "nifti", count, format="nifti", **common)
        nifti = Path(shutil.make_archive(str(work_dir / f"{files}_nifti"), "zip", folder))
    return Samples(pictures, once.seconds, png, nifti)


def _rows(folder: Path) -> list[dict]:
    with open(folder / LIST_FILE, newline="") as file:
        return list(csv.DictReader(file))


def _picture(folder: Path, row: dict) -> tuple[Image.Image, str]:
    """An image, its pixels enlarged to squares, and its classes."""
    image = Image.open(folder / row["file"])
    scale = -(-MIN_SIDE // min(image.size))
    classes = {name: label for name, label in row.items() if name not in ("file", "seed", "index")}
    words = [f"{name.replace('_', ' ')} left open" if label == OPEN else label for name, label in classes.items()]
    return image.resize([side * scale for side in image.size], Image.Resampling.NEAREST), " · ".join(words)
