"""The tab that measures an uploaded image: is it a heart, how thick is its wall, what is it like?"""

import time
from html import escape
from pathlib import Path

import gradio as gr
import torch
from gradio.utils import get_upload_folder

import pictures
from attached import DATASET_VARIABLE, Attached
from catalogue import Catalogue
from events import SAMPLING, sampling
from hearts import COLOURS, describe, find_heart, nearest, on_grid, overlay, with_spacing
from uploads import KINDS, MAX_BYTES, read_slice
from zoo.errors import ZooError
from zoo.metrics.functional import cc, ssim
from zoo.pipelines import sample_generators
from zoo.png import to_uint8

HELP = f"""
Upload a short-axis slice of a heart: {KINDS}, up to {MAX_BYTES >> 20} MB. You see what a segmenter finds in it, how
near a model can come to it, and which known hearts it is like. The file is gone after ten minutes. **Not for
diagnosis.**
"""
LABELS = ("right ventricle", "myocardium", "left ventricle")
NO_HEART = """
### This does not look like a heart in short axis
{problem}, so nothing is measured. Expected is a slice across the left ventricle, the blood bright and the muscle dark,
the heart within about 5 cm of the middle. For a PNG, say how large its pixels are.
"""


def build(catalogue: Catalogue, attached: Attached) -> None:
    """Adds the tab."""
    with gr.Tab("Measure", id="measure"):
        gr.Markdown(HELP)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                file = gr.File(label="Image", type="filepath", height=140)
                side = gr.Number(
                    0,
                    label="Side of a pixel (mm)",
                    info="Of a PNG. 0: unknown, it shows 128 mm with the heart in it.",
                )
                number = gr.Number(0, precision=0, label="Slice", info="Of a volume, from 1. 0: the middle one.")
                model = gr.Dropdown(catalogue.names, label="Model to project onto")
                start = gr.Button("Measure", variant="primary")
            with gr.Column(scale=3):
                words = gr.Markdown()
                pictures_of = gr.HTML(elem_classes="result")
                table = gr.Markdown(elem_classes="wide")
                neighbours = gr.HTML(elem_classes="result")

    @sampling
    def measure(file, side, number, model):
        """What is found: words, HTML with mask and projection, measures in Markdown, HTML with neighbours."""
        if not file:
            raise ZooError(f"upload: expected {KINDS}")
        judge, pipe = attached.segmenter(), catalogue.load(model)
        config = judge.network.config
        found = read_slice(file, Path(get_upload_folder()), number or None)
        found = with_spacing(found, side or None, config.sample_size * config.pixel_spacing_mm)
        center, image, verdict = find_heart(found, judge)
        seen = [pictures.figure(image.numpy(), config.pixel_spacing_mm, "As the segmenter sees it")]
        if verdict.problem:
            problem = escape(verdict.problem[0].upper() + verdict.problem[1:])
            yield NO_HEART.format(problem=problem), pictures.gallery(seen, "large"), "", ""
            return
        colours = overlay(image, verdict.mask)
        seen.append(pictures.figure(colours, config.pixel_spacing_mm, ", ".join(LABELS)))
        told, measures = f"### A heart in short axis\n{found.words}. {_legend()}", describe(verdict.measures)
        yield told, pictures.gallery(seen, "large"), measures, ""
        alike = _neighbours(attached, found, center)
        yield told, pictures.gallery([*seen, pictures.text_card("Looking for it …", model)], "large"), measures, alike
        seen.append(_projection(pipe, model, found, center))
        yield told, pictures.gallery(seen, "large"), measures, alike

    start.click(
        measure,
        [file, side, number, model],
        [words, pictures_of, table, neighbours],
        show_progress_on=words,
        api_name="measure",
        **SAMPLING,
    )


def _legend() -> str:
    tints = (f"rgb{COLOURS[label]}" for label in (1, 2, 3))
    return " ".join(
        f'<span class="tint" style="background:{tint}"></span>&nbsp;{name}'
        for tint, name in zip(tints, LABELS, strict=True)
    )


def _projection(pipe, model: str, found, center) -> str:
    """The nearest image that the model can make of the heart, on the model's own grid, and how near it is."""
    spacing = pipe.config.get("pixel_spacing_mm")
    if spacing is None or pipe.num_channels != 1:
        return pictures.text_card("This model makes no images with a scale in mm.", model)
    image = on_grid(found, center, pipe.sample_size, spacing)[None, None].float() / 255
    start = time.perf_counter()
    near = pipe.project(image, generator=sample_generators(0, [0]), **pipe.projection_headline)
    near = torch.as_tensor(getattr(near, "images", near)).float().cpu().clamp(0, 1)
    seconds = time.perf_counter() - start
    likeness = f"correlation {cc(image, near).item():.2f}"
    if pipe.sample_size > 11:  # SSIM's window
        likeness = f"SSIM {ssim(image, near).item():.2f}, {likeness}"
    caption = f"Nearest image of {model}: {likeness} ({seconds:.1f} s)"
    return pictures.figure(to_uint8(near[0, 0].numpy()), spacing, caption)


def _neighbours(attached: Attached, found, center) -> str:
    """The known hearts that are most like this one."""
    hearts = attached.hearts("train")
    channels, size, width = hearts.set.images.shape[1:]
    if hearts.spacing_mm is None or channels != 1 or size != width:
        return ""
    image = on_grid(found, center, size, hearts.spacing_mm)
    figures = [
        pictures.figure(known, hearts.spacing_mm, f"{attached.title}, correlation {correlation:.2f}")
        for known, correlation in nearest(image, hearts.set)
    ]
    which = (
        "training images" if attached.is_real else f"drawn hearts, since no dataset is attached ({DATASET_VARIABLE})"
    )
    return f"<h3>The nearest {which}</h3>" + pictures.gallery(figures)
