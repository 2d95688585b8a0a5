"""The tab that shows how a diffusion model turns noise into a heart."""

import gradio as gr

import pictures
from catalogue import Catalogue
from controls import add_controls
from denoising import denoise
from events import on_gpu, with_news
from jobs import Jobs, News
from panel import Panel, Task
from sampling import works_in_steps

HELP = """
A diffusion model starts from pure noise and takes a little of it away at each step. Press **Denoise**, then move the
slider below the picture, or click on the strip.
"""
WAITING = "This tab waits for a model that works in steps: a family such as ddpm, ldm or score."


def build(catalogue: Catalogue, jobs: Jobs, page: gr.Blocks) -> None:
    """Adds the content of the sheet."""
    names = [name for name in catalogue.that(lambda cls, index: works_in_steps(cls)) if name in catalogue.images]
    if not names:
        gr.Markdown(WAITING)
        return
    with gr.Row(elem_classes="split"):
        with gr.Column(scale=2, min_width=300, elem_classes="asks"):
            gr.Markdown(HELP)
            controls = add_controls(catalogue, names)
            panel = Panel(jobs, "denoise", "Denoise")
        with gr.Column(scale=5, min_width=300):
            panel.add_view()

    def ask(*values) -> Task:
        request = controls.request(*values)
        return Task(lambda: _run(catalogue, request), catalogue.seconds(request.model, 1))

    panel.on(panel.start.click, ask, controls.inputs, lambda html: html)
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    page.load(lambda: controls.describe(names[0]), None, controls.described, **quiet)


@on_gpu
def _run(catalogue: Catalogue, request):
    yield News(f"Loading {request.model}")
    pipe = catalogue.load(request.model)
    spacing = pipe.config.get("pixel_spacing_mm")

    def show(news):
        done, total, picture = news
        return News(f"Step {done} of {total}", done, total, picture, spacing)

    moments = yield from with_news(lambda tell: denoise(pipe, request, tell), show)
    last = moments[-1][0]
    figures = [
        pictures.figure(picture, spacing, f"step {step} of {last}", f"Generated image at step {step} of {last}")
        for step, picture in moments
    ]
    words = f"<p class='provenance'>{request.model} · seed {request.seed} · {last} step{'s' * (last != 1)}</p>"
    yield words + pictures.scrubber(figures, "From noise to image", len(figures) - 1)
