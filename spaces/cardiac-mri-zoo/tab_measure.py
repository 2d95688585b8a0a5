"""The tab that measures an uploaded image: is it a heart, how thick is its wall, what is it like?"""

import time
from pathlib import Path

import gradio as gr
import numpy as np
import torch
from gradio.utils import get_upload_folder

import pictures
from attached import DATASET_VARIABLE, Attached
from catalogue import Catalogue
from hearts import nearest, on_grid
from jobs import Jobs, News
from measuring import Measured, as_tensor, measure, measured_html, write_measured
from panel import Panel, Task, add_download
from sampling import Result
from tab_generate import Generate
from uploads import KINDS, MAX_BYTES, MAX_SPACING, MIN_SPACING, Stack, read_slice
from widgets import models
from zoo.errors import ZooError
from zoo.metrics.functional import cc, ssim
from zoo.pipelines import sample_generators
from zoo.png import to_uint8

HELP = f"""
A short-axis slice or stack of a heart: {KINDS}, up to {MAX_BYTES >> 20} MB. A segmenter marks what it finds. The file
is gone after ten minutes. **Not for diagnosis.**
"""
LIKENESS = "What is it like?"


def build(catalogue: Catalogue, attached: Attached, jobs: Jobs, generate: Generate) -> None:
    """Adds the content of the sheet."""
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(HELP)
            file = gr.File(label="Image", type="filepath", height=120)
            examples = gr.Radio(
                ["A drawn heart", "The same without its scale"],
                label="Or an example",
                elem_classes="chips",
            )
            side = gr.Number(
                None,
                minimum=MIN_SPACING,
                maximum=MAX_SPACING,
                label="Side of a pixel (mm)",
                info="Of a PNG or JPEG, which does not tell it.",
            )
            panel = Panel(jobs, "measure", "Measure")
        with gr.Column(scale=5, min_width=300):
            panel.add_view()
            with gr.Column(visible=False, elem_classes="after") as after:
                add_download("Download mask, CSV and picture", _write, panel.state, size="sm")
                model = models(catalogue, catalogue.hearts, title="Nearest image that a model can make")
                alike = Panel(jobs, "alike", LIKENESS)
                alike.add_view()

    def ask_stack(stack: Stack, side) -> Task:
        return Task(lambda: measure(stack, side or None, attached.segmenter(), attached.view()))

    def ask(file, example, side) -> Task:
        if file:
            return ask_stack(read_slice(file["path"], Path(get_upload_folder())), side)
        if example:
            return ask_example(example, side)
        raise ZooError(f"upload: expected {KINDS}, or click an example")

    def ask_example(example, side) -> Task:
        return ask_stack(_example(attached, example), side)

    def ask_result(found: Result | None) -> Task:
        if found is None:
            raise ZooError("measure this: generate something first")
        return ask_stack(as_stack(found), None)

    def ask_alike(found: Measured | None, model) -> Task:
        if found is None:
            raise ZooError("what is it like: measure something first")
        return Task(lambda: _alike(catalogue, attached, found, model))

    extra, shown = [after], lambda found: [gr.update(visible=True)]
    panel.on([panel.start.click, side.submit, file.upload], ask, [file, examples, side], measured_html, extra, shown)
    panel.on(examples.input, ask_example, [examples, side], measured_html, extra, shown)
    panel.on(generate.measure.click, ask_result, generate.panel.state, measured_html, extra, shown)
    generate.measure.click(None, None, None, js="() => window.openTab('measure')")
    alike.on(alike.start.click, ask_alike, [panel.state, model], lambda html: html)


def as_stack(found: Result) -> Stack:
    """Generated images as slices of a file.

    Raises:
        ZooError: If they are in colour.
    """
    if found.images.shape[-1] != 1:
        raise ZooError("measure this: expected grey images of hearts")
    spacing = None if found.spacing_mm is None else (found.spacing_mm, found.spacing_mm)
    words = f"Generated images of {found.request.model}, seed {found.request.seed}"
    return Stack(found.images[..., 0], spacing, 1.0, words)


def _example(attached: Attached, which: str) -> Stack:
    """A heart of the phantom, which nobody has to be asked for."""
    hearts = attached.phantom()
    image = hearts.set.images[hearts.middle, 0].numpy().astype(np.float32) / 255
    spacing = None if "without" in which else (hearts.spacing_mm, hearts.spacing_mm)
    return Stack(image[None], spacing, 1.0, which)


def _write(found: Measured | None, folder: Path) -> Path:
    if found is None:
        raise ZooError("download: measure something first")
    return write_measured(found, folder)


def _alike(catalogue: Catalogue, attached: Attached, found: Measured, model: str):
    """The nearest image that a model can make of the slice that is shown first, and the nearest known hearts."""
    yield News(f"Looking for it in {model}")
    slice_ = found.at(found.best)
    figures = [_projection(catalogue.load(model), model, slice_, found)]
    yield f"<h3>Slice {found.best + 1}</h3>" + pictures.gallery(figures, "large") + _neighbours(attached, slice_, found)


def _projection(pipe, model: str, slice_, found: Measured) -> str:
    spacing = pipe.config.get("pixel_spacing_mm")
    if spacing is None or pipe.num_channels != 1 or not hasattr(pipe, "project"):
        return pictures.text_card("This model makes no images with a scale in mm.", model)
    image = as_tensor(on_grid(slice_, found.center, pipe.sample_size, spacing).numpy())
    start = time.perf_counter()
    near = pipe.project(image, generator=sample_generators(0, [0]), **pipe.projection_headline)
    near = torch.as_tensor(getattr(near, "images", near)).float().cpu().clamp(0, 1)
    seconds = time.perf_counter() - start
    likeness = f"correlation {cc(image, near).item():.2f}"
    if pipe.sample_size > 11:  # SSIM's window
        likeness = f"SSIM {ssim(image, near).item():.2f}, {likeness}"
    caption = f"Nearest image of {model}: {likeness} ({seconds:.1f} s)"
    return pictures.figure(
        to_uint8(near[0, 0].numpy()), found.shown_spacing and spacing, caption, f"Generated. {caption}"
    )


def _neighbours(attached: Attached, slice_, found: Measured) -> str:
    """The known hearts that are most like this one."""
    hearts = attached.hearts("train")
    channels, size, width = hearts.set.images.shape[1:]
    if hearts.spacing_mm is None or channels != 1 or size != width:
        return ""
    image = on_grid(slice_, found.center, size, hearts.spacing_mm)
    figures = [
        pictures.figure(known, hearts.spacing_mm, f"{attached.title}, correlation {correlation:.2f}")
        for known, correlation in nearest(image, hearts.set)
    ]
    which = (
        "training images" if attached.is_real else f"drawn hearts, since no dataset is attached ({DATASET_VARIABLE})"
    )
    return f"<h3>The nearest {which}</h3>" + pictures.gallery(figures)
