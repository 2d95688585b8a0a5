"""The tab that shows how a diffusion model turns noise into a heart."""

import gradio as gr

import pictures
from catalogue import Catalogue
from controls import add_controls
from denoising import denoise
from events import SAMPLING, sampling, with_news
from sampling import check_request, works_in_steps

HELP = """
A diffusion model starts from pure noise and takes a little of it away at each step. Press **Denoise**, then move the
slider below the picture, or click on the strip, to go back and forth between noise and heart.
"""
WAITING = "This tab waits for a model that works in steps: a family such as ddpm, ldm or score."


def build(catalogue: Catalogue) -> None:
    """Adds the tab."""
    names = catalogue.that(lambda cls, index: works_in_steps(cls))
    with gr.Tab("Denoise", id="denoise"):
        if not names:
            gr.Markdown(WAITING)
            return
        gr.Markdown(HELP)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                controls = add_controls(catalogue, names, with_count=False)
                start = gr.Button("Denoise", variant="primary")
            with gr.Column(scale=3):
                status = gr.Markdown()
                strip = gr.HTML(elem_classes="result")

    @sampling
    def run(model, pathology, phase, slice_level, seed, steps, guidance):
        """HTML with a strip of the reverse diffusion and a slider. Classes: a name, "drawn" or "any"."""
        pipe = catalogue.load(model)
        request = check_request(pipe, model, [pathology, phase, slice_level], 1, seed, steps, guidance)
        spacing = pipe.config.get("pixel_spacing_mm")

        def show(news):
            done, total, picture = news
            return "", pictures.progress(done, total, f"Step {done} of {total}", picture, spacing)

        moments = yield from with_news(lambda tell: denoise(pipe, request, tell), show)
        total = request.settings["num_inference_steps"]
        figures = [pictures.figure(picture, spacing, f"step {step} of {moments[-1][0]}") for step, picture in moments]
        yield (
            f"**{total} steps**, from noise to image.",
            pictures.scrubber(figures, "From noise to image", len(figures) - 1),
        )

    start.click(
        run,
        controls.inputs,
        [status, strip],
        preprocess=False,
        show_progress_on=status,
        api_name="denoise",
        **SAMPLING,
    )
