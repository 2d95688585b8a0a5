"""Hearts to order: pathology, wall and cavity in millimetres, a mask painted by hand, and the same heart changed."""

import math
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image

import pictures
from asking import MAX_SEED, ask, check_number, class_choice
from catalogue import Catalogue
from controls import add_controls
from jobs import Jobs
from ordering import PAINT, edit, from_paint, paint, to_paint, told_measures
from panel import Panel, Task
from results import result_html
from sampling import Result, sample
from widgets import Select, options
from zoo.errors import ZooError

HELP = "A heart as you order it: the label map is drawn first, the image is painted on it."
QUANTITIES = {"wall_thickness_mm": "Wall (mm)", "cavity_area_mm2": "Cavity (mm²)"}
GROW = {"in": "inwards, the cavity shrinks", "out": "outwards, the cavity stays"}
CHANGE_MM = 8.0


def names(catalogue: Catalogue) -> list[str]:
    """The models that take millimetres and masks."""
    return catalogue.that(lambda cls, index: cls.family == "hearts")


def build(catalogue: Catalogue, jobs: Jobs, page: gr.Blocks) -> None:
    """Adds the content of the sheet."""
    known = names(catalogue)
    limits = catalogue.load(known[0]).quantities
    asked = [name for name in QUANTITIES if name in limits]
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(HELP)
            tell = gr.Checkbox(True, label="Ask for millimetres")
            sliders = [_slider(name, limits[name]) for name in asked]
            controls = add_controls(catalogue, known, 8, 4)
            panel = Panel(jobs, "order", "Make")
        with gr.Column(scale=5, min_width=300):
            panel.add_view()
            with gr.Column(visible=False, elem_classes="after") as after:
                which = gr.Number(1, precision=0, minimum=1, label="Heart to change, by its number")
                change, grow, changed = _add_edit(jobs)
                fill, editor, painted = _add_editor(jobs)

    def order(tell, *values) -> Task:
        request = controls.request(*values[len(asked) :])
        check_number("images", request.count, 1, 8)
        if tell:
            fields = request.model_dump() | {"quantities": dict(zip(asked, values, strict=False))}
            request = ask(**fields)
        return Task(lambda: sample(catalogue, request), catalogue.seconds(request.model, request.count))

    def chosen(found: Result | None, number) -> int:
        if found is None:
            raise ZooError("heart: make one first")
        return check_number("heart", number, 1, len(found.images)) - 1

    def ask_edit(found, number, change, grow) -> Task:
        i = chosen(found, number)
        millimetres = check_number("change of the wall", change, -CHANGE_MM, CHANGE_MM, whole=False)
        if grow not in GROW:
            raise ZooError(f"grow: expected one of {', '.join(GROW)}")

        def work():
            for item in edit(
                catalogue.load(found.request.model),
                found.images[i],
                found.masks[i],
                millimetres,
                grow,
                found.request.seed,
            ):
                yield item if not isinstance(item, tuple) else (found.pictures[i, ..., 0], found.masks[i], *item, found)

        return Task(work)

    def ask_paint(picture, model, first, phase, level, seed) -> Task:
        pipe = catalogue.load(model)
        if not picture or picture.get("composite") is None:
            raise ZooError("mask: paint one first, or put one on the canvas")
        mask = from_paint(_read(picture["composite"]), pipe.sample_size)
        classes = class_choice(pipe, [first, phase, level])
        seed = check_number("seed", seed, 0, MAX_SEED)
        spacing = pipe.config.pixel_spacing_mm

        def work():
            for item in paint(pipe, mask, classes, seed):
                yield (*item, spacing, model) if isinstance(item, tuple) else item

        return Task(work)

    def put(found, number):
        return to_paint(found.masks[chosen(found, number)])

    panel.on(
        panel.start.click,
        order,
        [tell, *sliders, *controls.inputs],
        lambda found: result_html(found) + _measured(found),
        [after],
        lambda found: [gr.update(visible=True)],
    )
    changed.on(changed.start.click, ask_edit, [panel.state, which, change, grow], _before_after)
    painting = [editor, *controls.inputs[:4], controls.seed]
    painted.on(painted.start.click, ask_paint, painting, _painted)
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    fill.click(put, [panel.state, which], editor, **quiet)
    page.load(lambda: controls.describe(known[0]), None, controls.described, **quiet)


def _slider(name: str, limits: dict[str, float]) -> gr.Slider:
    """From the least to the largest of the training hearts, in whole steps; it begins at their mean."""
    step = 0.5 if name.endswith("_mm") else 10
    low, high, mean = math.ceil(limits["min"] / step), math.floor(limits["max"] / step), round(limits["mean"] / step)
    return gr.Slider(low * step, high * step, mean * step, step=step, label=QUANTITIES[name])


def _add_edit(jobs: Jobs):
    with gr.Accordion("Change its wall", open=False):
        change = gr.Slider(-CHANGE_MM, CHANGE_MM, 3, step=0.5, label="The wall gains (mm)")
        grow = Select(options((words, key) for key, words in GROW.items()), "in", title="It grows")
        changed = Panel(jobs, "edit", "Change")
        changed.add_view()
    return change, grow, changed


def _add_editor(jobs: Jobs):
    with gr.Accordion("Paint the mask by hand", open=False):
        names = ", ".join(f"{label} {name}" for label, name in ((0, "background"), *pictures.LABELS.items()))
        gr.Markdown(f"A brush a label: {names}. The nearest colour counts.\n\n{pictures.legend()}")
        colours = ["#{:02x}{:02x}{:02x}".format(*PAINT[label]) for label in (2, 3, 1, 0)]
        fill = gr.Button("Put its mask on the canvas", size="sm")
        editor = gr.ImageEditor(
            label="Mask",
            format="png",
            type="numpy",
            image_mode="RGB",
            layers=False,
            sources=(),
            transforms=(),
            brush=gr.Brush(default_size=24, colors=colours, default_color=colours[0], color_mode="fixed"),
            eraser=False,
            height=420,
        )
        painted = Panel(jobs, "paint", "Paint this heart")
        painted.add_view()
    return fill, editor, painted


def _read(sent) -> np.ndarray:
    """The picture that the canvas sent."""
    file = Path(sent["path"]).resolve()
    if not file.is_relative_to(Path(get_upload_folder()).resolve()):
        raise ZooError("mask: expected one that you have painted")
    return np.asarray(Image.open(file).convert("RGB"))


def _measured(found: Result) -> str:
    lines = [told_measures(mask, found.spacing_mm) for mask in found.masks]
    items = "".join(f"<li>heart {i}: {words}</li>" for i, words in enumerate(lines, 1))
    return f"<p>Measured on the masks:</p><ul>{items}</ul>"


def _before_after(made) -> str:
    """Both hearts under one slider, and what their masks measure."""
    image, mask, new_image, new_mask, found = made
    spacing = found.spacing_mm
    words = [told_measures(each, spacing) for each in (mask, new_mask)]
    figures = [
        pictures.figure(image, spacing, f"before: {words[0]}", f"Generated heart before the change, {words[0]}", mask),
        pictures.figure(
            new_image, spacing, f"after: {words[1]}", f"Generated heart after the change, {words[1]}", new_mask
        ),
    ]
    return f"<section class='answer'>{pictures.scrubber(figures, 'Before and after', 1)}</section>"


def _painted(made) -> str:
    image, mask, spacing, model = made
    words = told_measures(mask, spacing)
    figures = [
        pictures.figure(image, spacing, f"{model}: {words}", f"Generated heart on the painted mask, {words}"),
        pictures.figure(image, spacing, "with the mask", "The same with its mask", mask),
    ]
    return f"<section class='answer'>{pictures.gallery(figures, 'large')}</section>"
