"""The tab where visitors generate images."""

import tempfile
from pathlib import Path

import gradio as gr
import numpy as np

import pictures
from catalogue import Catalogue
from controls import add_controls
from events import SAMPLING, sampling, with_news
from exports import write_archives
from sampling import Samples, check_request, draw
from zoo.figures import image_grid

HELP = """
Choose a model and press **Generate**. Every picture is made up by the model: it shows no patient. The same seed always
gives the same hearts; ask another model for the same seed in the tab *Compare*.
"""
FORMATS = {"png": "PNG", "nifti": "NIfTI, in mm", "dataset": "Dataset"}


def build(catalogue: Catalogue) -> None:
    """Adds the tab."""
    with gr.Tab("Generate", id="generate"):
        gr.Markdown(HELP)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                controls = add_controls(catalogue, catalogue.names)
                start = gr.Button("Generate", variant="primary")
            with gr.Column(scale=3):
                status = gr.Markdown()
                gallery = gr.HTML(elem_classes="result")
                with gr.Row():
                    buttons = [gr.DownloadButton(f"Download {words}", interactive=False) for words in FORMATS.values()]

    @sampling
    def generate(model, pathology, phase, slice_level, count, seed, steps, guidance):
        """Images of a model, what they took, and zips: PNG, NIfTI, dataset. Classes: a name, "drawn" or "any"."""
        pipe = catalogue.load(model)
        request = check_request(pipe, model, [pathology, phase, slice_level], count, seed, steps, guidance)
        spacing, total = pipe.config.get("pixel_spacing_mm"), request.settings.get("num_inference_steps")
        waiting = [gr.update(value=None, interactive=False)] * len(FORMATS)
        with tempfile.TemporaryDirectory() as work_dir:
            folder = Path(work_dir)

            def work(tell) -> Samples:
                return draw(pipe, request, folder / "png", lambda step, tensors: tell((step + 1, tensors["latents"])))

            def show(news):
                step, latents = news
                by_now = np.asarray(image_grid(pipe.preview(latents), columns=min(4, request.count)))
                words = f"Step {step} of {total}"
                return ["", pictures.progress(step, total, words, by_now, spacing), *waiting]

            found = yield from with_news(work, show)
            figures = [
                pictures.figure(image, spacing, caption)
                for image, caption in zip(found.images, found.captions, strict=True)
            ]
            seen = [_status(found), pictures.gallery(figures)]
            yield [*seen, *waiting]
            files = write_archives(found, folder / "png", folder)
            yield [*seen, *(_download(b, files.get(f)) for b, f in zip(buttons, FORMATS, strict=True))]

    gr.on(
        [start.click, controls.seed.submit],
        generate,
        inputs=controls.inputs,
        outputs=[status, gallery, *buttons],
        preprocess=False,  # values as they were sent: they are checked against the model that was asked for
        show_progress_on=status,
        api_name="generate",
        **SAMPLING,
    )


def _status(found: Samples) -> str:
    count, (height, width) = len(found.images), found.images.shape[1:3]
    return f"**{count} image{'s' * (count > 1)}** of {height} × {width} pixels in **{found.seconds:.2f} s**"


def _download(button: gr.DownloadButton, file: Path | None):
    """The file, moved to where gradio serves and later deletes it; without one nothing is offered."""
    path = button.move_resource_to_block_cache(file)
    return gr.update(value=path, interactive=path is not None)
