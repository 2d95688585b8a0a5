"""The controls that ask a model for images, and what they say of it."""

from dataclasses import dataclass

import gradio as gr

from catalogue import Catalogue
from events import plain_errors
from sampling import DRAWN, MAX_COUNT, MAX_GUIDANCE, MAX_SEED, MAX_STEPS, OPEN, fields

SEED_INFO = "The same seed gives the same image again."


@dataclass
class Controls:
    """Widgets; `count` is absent where one image is made.

    Args:
        model, count, seed, steps, guidance: One each.
        labels (`list`): Of the model's first condition, phase and slice level.
    """

    model: gr.Dropdown
    labels: list[gr.Dropdown]
    count: gr.Slider | None
    seed: gr.Number
    steps: gr.Slider
    guidance: gr.Slider

    @property
    def inputs(self) -> list:
        """All of them, in the order of the events' arguments."""
        count = [] if self.count is None else [self.count]
        return [self.model, *self.labels, *count, self.seed, self.steps, self.guidance]


def seed_field(value: int = 0, label: str = "Seed") -> gr.Number:
    """A field for a seed."""
    return gr.Number(value, precision=0, minimum=0, maximum=MAX_SEED, label=label, info=SEED_INFO)


def add_controls(catalogue: Catalogue, names: list[str], with_count: bool = True) -> Controls:
    """Adds the controls of some models; those that a model does not know are hidden when it is chosen."""
    model = gr.Dropdown(names, label="Model")
    facts = gr.Markdown(elem_classes="facts")
    labels = [gr.Dropdown([], label=field, visible=False) for field in ("Pathology", "Phase", "Slice level")]
    count = gr.Slider(1, MAX_COUNT, 8, step=1, label="Count") if with_count else None
    seed = seed_field()
    steps = gr.Slider(
        1, MAX_STEPS, 25, step=1, label="Steps", info="More are slower and usually better.", visible=False
    )
    guidance = gr.Slider(
        0, MAX_GUIDANCE, 1, step=0.1, label="Guidance", info="1 is none; more exaggerates the class.", visible=False
    )

    @plain_errors
    def describe(model):
        """What can be asked of a model."""
        pipe = catalogue.load(model)
        defaults = pipe.default_settings
        return [
            _facts(pipe),
            *(_choices(field, pipe.class_names.get(field)) for field in fields(pipe)),
            gr.update(value=defaults.get("num_inference_steps", 1), visible="num_inference_steps" in defaults),
            gr.update(value=defaults.get("guidance_scale", 1), visible="guidance_scale" in defaults),
        ]

    # Without a trigger: when the page is opened and when another model is chosen
    gr.on(fn=describe, inputs=model, outputs=[facts, *labels, steps, guidance], api_visibility="private")
    return Controls(model, labels, count, seed, steps, guidance)


def _facts(pipe) -> str:
    spacing = pipe.config.get("pixel_spacing_mm")
    of = f" of {spacing:g} mm" if spacing else ""
    return f"{pipe.family.upper()}, {pipe.sample_size} × {pipe.sample_size} pixels{of}"


def _choices(field: str, names: list[str] | None):
    """The dropdown of a condition; hidden if the model does not know it."""
    choices = [("any of them", DRAWN), *((name, name) for name in names or []), ("left open", OPEN)]
    label = field.replace("_", " ").capitalize()
    return gr.update(choices=choices, value=DRAWN, label=label, visible=names is not None)
