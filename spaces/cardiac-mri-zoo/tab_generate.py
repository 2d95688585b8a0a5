"""The tab where visitors generate images."""

import tempfile
from pathlib import Path

import gradio as gr

from catalogue import SAMPLING, Catalogue
from sampling import DRAWN, MAX_COUNT, MAX_GUIDANCE, MAX_SEED, MAX_STEPS, OPEN, fields, sample
from zoo.errors import ZooError


def build(catalogue: Catalogue) -> None:
    """Adds the tab."""
    with gr.Tab("Generate"), gr.Row():
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(catalogue.names, label="Model")
            facts = gr.Markdown()
            labels = [gr.Dropdown([], label=field, visible=False) for field in ("Pathology", "Phase", "Slice level")]
            count = gr.Slider(1, MAX_COUNT, 8, step=1, label="Count")
            seed = gr.Number(0, precision=0, minimum=0, maximum=MAX_SEED, label="Seed")
            steps = gr.Slider(1, MAX_STEPS, 25, step=1, label="Steps", visible=False)
            guidance = gr.Slider(0, MAX_GUIDANCE, 1, step=0.1, label="Guidance", visible=False)
            start = gr.Button("Generate", variant="primary")
        with gr.Column(scale=3):
            gallery = gr.Gallery(
                show_label=False,
                format="png",
                columns=4,
                object_fit="contain",
                height="auto",
                interactive=False,
                elem_classes="pixels",
            )
            status = gr.Markdown()
            with gr.Row():
                png = gr.DownloadButton("Download PNG", interactive=False)
                nifti = gr.DownloadButton("Download NIfTI", interactive=False)

    def describe(model):
        """What can be asked of a model."""
        try:
            pipe = catalogue.load(model)
        except ZooError as error:
            raise gr.Error(str(error), print_exception=False) from error
        defaults = pipe.default_settings
        return [
            _facts(pipe),
            *(_choices(field, pipe.class_names.get(field)) for field in fields(pipe)),
            gr.update(value=defaults.get("num_inference_steps", 1), visible="num_inference_steps" in defaults),
            gr.update(value=defaults.get("guidance_scale", 1), visible="guidance_scale" in defaults),
        ]

    def generate(model, pathology, phase, slice_level, count, seed, steps, guidance):
        """Images of a model, what they took, and zips of them as PNG and NIfTI. Classes: a name, "drawn" or "any"."""
        with tempfile.TemporaryDirectory() as work_dir:
            try:
                pipe = catalogue.load(model)
                asked = [pathology, phase, slice_level]
                found = sample(pipe, model, Path(work_dir), asked, count, seed, steps, guidance)
            except ZooError as error:
                raise gr.Error(str(error), print_exception=False) from error
            return found.pictures, _status(pipe, found), _download(png, found.png), _download(nifti, found.nifti)

    # Without a trigger: when the page is opened and when another model is chosen
    gr.on(fn=describe, inputs=model, outputs=[facts, *labels, steps, guidance], api_visibility="private")
    gr.on(
        [start.click, seed.submit],
        generate,
        inputs=[model, *labels, count, seed, steps, guidance],
        outputs=[gallery, status, png, nifti],
        preprocess=False,  # values as they were sent: `sample` checks them, against the model that was asked for
        api_name="generate",
        **SAMPLING,
    )


def _facts(pipe) -> str:
    spacing = pipe.config.get("pixel_spacing_mm")
    of = f" of {spacing:g} mm" if spacing else ""
    return f"{pipe.family.upper()}, {pipe.sample_size} × {pipe.sample_size} pixels{of}"


def _choices(field: str, names: list[str] | None):
    """The dropdown of a condition; hidden if the model does not know it."""
    choices = [("any of them", DRAWN), *((name, name) for name in names or []), ("left open", OPEN)]
    label = field.replace("_", " ").capitalize()
    return gr.update(choices=choices, value=DRAWN, label=label, visible=names is not None)


def _status(pipe, found) -> str:
    count, size = len(found.pictures), pipe.sample_size
    return f"{count} image{'s' * (count > 1)} of {size} × {size} pixels in {found.seconds:.2f} s, shown enlarged."


def _download(button: gr.DownloadButton, file: Path | None):
    """The file, moved to where gradio serves and later deletes it; without one nothing is offered."""
    path = button.move_resource_to_block_cache(file)
    return gr.update(value=path, interactive=path is not None)
