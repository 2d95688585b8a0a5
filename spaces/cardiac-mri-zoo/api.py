"""The API: the same requests and jobs, with typed names, and files instead of pictures on a page."""

import asyncio
import tempfile
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder

from asking import SHOWN, Request, ask, check_number
from attached import Attached
from catalogue import Catalogue
from exports import write_zip
from jobs import Jobs, Stopped
from measuring import measure as look
from results import provenance
from sampling import sample
from uploads import read_slice
from zoo.errors import ZooError
from zoo.png import encode


def add(catalogue: Catalogue, attached: Attached, jobs: Jobs) -> None:
    """Adds the endpoints to the page."""

    async def outcome(work, seconds: float | None = None):
        """What comes of a job of a program: it waits in the same queue."""
        try:
            job = jobs.submit(work, seconds)
            async for _ in jobs.follow(job):
                pass
            return job.outcome()
        except (ZooError, Stopped) as error:
            raise gr.Error(str(error) or "stopped", print_exception=False) from error

    def request(model: str, pathology, phase, slice_level, count: int, seed: int, steps, guidance) -> Request:
        pipe = catalogue.load(model)
        first = next(iter(pipe.class_names), "class")
        classes = {first: pathology, "phase": phase, "slice_level": slice_level}
        classes = {name: label for name, label in classes.items() if label is not None}
        return ask(model=model, classes=classes, count=count, seed=seed, steps=steps, guidance=guidance)

    async def checked(*values) -> Request:
        try:
            return await asyncio.to_thread(request, *values)
        except ZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    async def models() -> list[dict]:
        """The models, the best first; `ratio`: Fréchet distance ÷ that of real images, `speed`: images a second."""
        return [
            {name: getattr(each, name) for name in ("name", "family", "dataset", "ratio", "speed")}
            for each in catalogue.facts.values()
            if each.name in catalogue.images
        ]

    async def generate(
        model: str,
        pathology: str | None = None,
        phase: str | None = None,
        slice_level: str | None = None,
        count: int = 8,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> tuple[list[FileData], dict]:
        """Up to 16 images as PNG files, and what made them. `None`: a class is drawn, a setting is the model's own."""
        asked = await checked(model, pathology, phase, slice_level, count, seed, steps, guidance)
        try:
            check_number("count", asked.count, 1, SHOWN)
        except ZooError as error:
            raise gr.Error(f"{error}; for more, call dataset", print_exception=False) from error
        found = await outcome(lambda: sample(catalogue, asked), catalogue.seconds(model, asked.count))
        files = [_served(f"{found.stem}_{i:05d}.png", encode(image)["bytes"]) for i, image in enumerate(found.pictures)]
        about = found.request.model_dump() | {"classes_of_each": found.classes, "provenance": provenance(found)}
        return files, about

    async def dataset(
        model: str,
        pathology: str | None = None,
        phase: str | None = None,
        slice_level: str | None = None,
        count: int = 100,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        format: str = "png",
    ) -> FileData:
        """Up to 1,000 images, with masks of models that draw them, as one zip: format `png`, `nifti` or `dataset`."""
        asked = await checked(model, pathology, phase, slice_level, count, seed, steps, guidance)
        found = await outcome(lambda: sample(catalogue, asked), catalogue.seconds(model, asked.count))

        def write() -> FileData:
            with tempfile.TemporaryDirectory() as folder:
                file = write_zip(found, format, Path(folder))
                return _served(file.name, file.read_bytes())

        try:
            return await asyncio.to_thread(write)
        except ZooError as error:
            raise gr.Error(str(error), print_exception=False) from error

    async def measure(file: FileData, side_mm: float | None = None) -> list[dict]:
        """What a segmenter finds in each slice: measures with unit and the segmenter's error, or the problem."""
        try:
            stack = await asyncio.to_thread(read_slice, (file or {}).get("path") or "", Path(get_upload_folder()))
        except ZooError as error:
            raise gr.Error(str(error), print_exception=False) from error
        found = await outcome(lambda: look(stack, side_mm, attached.segmenter(), attached.view()))
        return [
            {"slice": number + 1, "problem": verdict.problem}
            | {
                name: {"value": value, "unit": unit, "segmenter_error": error}
                for name, (value, unit, error) in found.values(number).items()
            }
            for number, verdict in enumerate(found.verdicts)
        ]

    for endpoint in (models, generate, dataset, measure):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)


def _served(name: str, content: bytes) -> FileData:
    """A file where gradio serves and later deletes it."""
    folder = Path(get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)  # gradio makes it with its own first file
    file = Path(tempfile.mkdtemp(dir=folder)) / name
    file.write_bytes(content)
    return FileData(path=str(file), orig_name=name).model_dump()
