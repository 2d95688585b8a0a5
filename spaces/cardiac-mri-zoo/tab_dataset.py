"""The tab that makes a dataset: up to a thousand images or pairs in one file, and the command for the same."""

import shutil
import tempfile
import threading
from collections import OrderedDict
from html import escape
from pathlib import Path

import gradio as gr

from asking import MOST, Request
from catalogue import Catalogue
from controls import add_controls
from events import on_gpu
from exports import FORMATS, write_zip
from jobs import Jobs, News
from panel import Panel, Task, add_download
from results import COPY_CODE, provenance
from sampling import Result, sample
from widgets import Select, options
from zoo.errors import ZooError

HELP = f"""
Up to {MOST:,} images in one zip, with their masks where the model draws them, a README, the settings, licence and
citation. The first of them are those that *Generate* shows for the same seed.
"""
KEPT = 20  # files that wait for whoever made them; the oldest goes first


class Shelf:
    """Files that were made, until others need the room: `KEPT` of them."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="zoo-datasets-"))
        self._files: OrderedDict[str, Path] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, file: Path) -> str:
        """Keeps a file; returns the key that gets it."""
        with self._lock:
            key = tempfile.mkdtemp(dir=self.folder)
            self._files[key] = Path(shutil.move(file, key))
            while len(self._files) > KEPT:
                shutil.rmtree(self._files.popitem(last=False)[0])
        return key

    def get(self, key: str) -> Path:
        """The file.

        Raises:
            ZooError: If it had to go.
        """
        with self._lock:
            if key not in self._files:
                raise ZooError("this file had to make room for others; press Make again, the images will be the same")
            return self._files[key]


def build(catalogue: Catalogue, jobs: Jobs, page: gr.Blocks) -> None:
    """Adds the content of the sheet."""
    names, shelf = catalogue.hearts, Shelf()
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(HELP)
            controls = add_controls(catalogue, names, MOST, 200)
            format = Select(options((words, key) for key, words in FORMATS.items()), "png", title="Format")
            panel = Panel(jobs, "dataset", "Make")
        with gr.Column(scale=5, min_width=300):
            panel.add_view()
            with gr.Row(visible=False) as after:
                add_download("Download the zip", lambda found, folder: _again(shelf, found, folder), panel.state)

    def ask(format, *values) -> Task:
        if format not in FORMATS:
            raise ZooError(f"format: expected one of {', '.join(FORMATS)}, got {format!r}")
        request = controls.request(*values)
        seconds = catalogue.seconds(request.model, request.count)
        return Task(lambda: make(catalogue, shelf, request, format), seconds)

    panel.on(
        panel.start.click,
        ask,
        [format, *controls.inputs],
        lambda made: made[1],
        [after],
        lambda made: [gr.update(visible=True)],
    )
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    page.load(lambda: controls.describe(names[0]), None, controls.described, **quiet)


@on_gpu
def make(catalogue: Catalogue, shelf: Shelf, request: Request, format: str):
    """Makes a dataset: yields `News`; its key on the shelf and what is said of it, as HTML, last."""
    result = None
    for result in sample(catalogue, request):
        if isinstance(result, News):
            yield result
    yield News("Writing the file", request.count, request.count)
    with tempfile.TemporaryDirectory() as folder:
        file = write_zip(result, format, Path(folder))
        size, name = file.stat().st_size, file.name
        key = shelf.put(file)
    yield key, _html(result, format, name, size)


def command(result: Result, format: str) -> str:
    """The command line that makes the same images; a dataset is made from its PNG."""
    request, words = result.request, ["cardiac-zoo generate", result.source, f"--output {result.stem}"]
    words.append(f"-n {request.count} --seed {request.seed}")
    first = next(iter(result.class_names), "")
    for name, label in request.classes.items():
        words.append(f"--class {label}" if name == first else f"--{name.replace('_', '-')} {label}")
    for name, flag in (("num_inference_steps", "steps"), ("guidance_scale", "guidance")):
        if name in result.settings:
            words.append(f"--{flag} {result.settings[name]:g}")
    if result.masks is not None:
        words.append("--with-masks")
    return " ".join([*words, f"--format {'nifti' if format == 'nifti' else 'png'}"])


def _html(result: Result, format: str, name: str, size: int) -> str:
    what = "images with masks" if result.masks is not None else "images"
    copy = f'<button type="button" class="chip" onclick="{COPY_CODE}">Copy</button>'
    code = f'<pre tabindex="0" aria-label="Command line"><code>{escape(command(result, format))}</code></pre>'
    return (
        f"<section class='answer'><p role='status'><strong>{len(result.images)} generated {what}</strong> in "
        f"{escape(name)}, {size / 1e6:.1f} MB.</p><p class='provenance'>{escape(provenance(result))}</p>"
        f"<details open><summary>The same on your machine</summary>{code}{copy}</details></section>"
    )


def _again(shelf: Shelf, made, folder: Path) -> Path:
    """The file once more: gradio deletes what it has handed out."""
    if made is None:
        raise ZooError("download: make something first")
    return Path(shutil.copy(shelf.get(made[0]), folder))
