"""The controls that ask a model for images, and what they say of it."""

from dataclasses import dataclass

import gradio as gr

from asking import DRAWN, MAX_GUIDANCE, MAX_STEPS, OPEN, Request, ask, class_choice, conditions
from catalogue import Catalogue
from widgets import Select, add_seed, groups, model_groups, models, options
from zoo.errors import ZooError

PATHOLOGIES = {
    "NOR": ("Healthy", "No disease of the heart."),
    "MINF": ("Infarct", "After an infarction: part of the wall is scarred, thinner and moves less."),
    "DCM": ("Dilated", "Dilated cardiomyopathy: the left ventricle is wide, its wall thin for its size."),
    "HCM": ("Hypertrophic", "Hypertrophic cardiomyopathy: the wall is thick, 15 mm or more in some segment."),
    "RV": ("Right ventricle", "The right ventricle is wide or pumps too little."),
}
ANY = ("Any", "Drawn as often as in the training images.")
SPOKEN = {"ED": "ED, filled", "ES": "ES, contracted"}


@dataclass
class Controls:
    """Widgets; `count` is absent where one image is made.

    Args:
        model, count, seed, steps, guidance: One each.
        labels (`list`): Of the model's first condition, phase and slice level.
    """

    catalogue: Catalogue
    model: Select
    labels: list
    count: gr.Number | None
    seed: gr.Number
    steps: gr.Number
    guidance: gr.Number

    @property
    def inputs(self) -> list:
        """All of them, in the order of `request`'s arguments."""
        count = [] if self.count is None else [self.count]
        return [self.model, *self.labels, self.seed, self.steps, self.guidance, *count]

    def request(self, model, first, phase, level, seed, steps, guidance, count=1) -> Request:
        """What they say.

        Raises:
            ZooError: If it is out of its bounds.
        """
        pipe = self.catalogue.load(model)
        classes = class_choice(pipe, [first, phase, level])
        defaults = pipe.default_settings
        steps = steps if "num_inference_steps" in defaults else None
        guidance = guidance if "guidance_scale" in defaults else None
        return ask(model=model, classes=classes, count=count, seed=seed, steps=steps, guidance=guidance)

    def describe(self, model: str, request: Request | None = None) -> list:
        """Updates of labels, steps and guidance for a model; with the values of a request, if there is one."""
        pipe, chosen = self.catalogue.load(model), request.classes if request else {}
        defaults = pipe.default_settings
        first, *more = conditions(pipe)
        updates = [_radio(first, pipe.class_names.get(first), chosen.get(first, DRAWN))]
        updates += [_menu(name, pipe.class_names.get(name), chosen.get(name, DRAWN)) for name in more]
        for own, key in (("steps", "num_inference_steps"), ("guidance", "guidance_scale")):
            asked = getattr(request, own) if request else None
            updates.append(gr.update(value=defaults.get(key, 1) if asked is None else asked, visible=key in defaults))
        return updates

    def choose(self, model: str, names: list[str]):
        """An update of the menu, `names` in it, that chooses a model; one of the Hub that is not among them joins.

        Raises:
            ZooError: If it cannot: see `Catalogue.invite`.
        """
        if model in names:
            return gr.update(value=model, title="Model")
        self.catalogue.invite(model)
        choices = [*model_groups(self.catalogue, names), *groups({"Of the Hub": [model]})]
        return gr.update(choices=choices, value=model, title="Model")

    @property
    def described(self) -> list:
        """What `describe` updates."""
        return [*self.labels, self.steps, self.guidance]


def add_controls(
    catalogue: Catalogue, names: list[str], most: int | None = None, count: int = 8, guests: bool = False
) -> Controls:
    """Adds the controls of some models; those that a model does not know are hidden when it is chosen.

    Args:
        catalogue (`Catalogue`): The models.
        names (`list[str]`): Which of them.
        most (`int`, *optional*): How many images may be asked for; without it there is one.
        count (`int`): How many are asked for at first.
        guests (`bool`): Whether a model of the Hub may join them.
    """
    first = gr.Radio([], label="Heart", elem_classes="chips", visible=False)
    says = gr.Markdown(elem_classes="says")
    with gr.Row(elem_classes="pair"):
        seed = add_seed()
        number = None
        if most:
            number = gr.Number(count, precision=0, minimum=1, label="Images", info=f"Up to {most}.", min_width=90)
    with gr.Accordion("More: model, phase, level, steps", open=False, elem_classes="more"):
        model = models(catalogue, names)
        if guests:
            with gr.Row(elem_classes="pair"):
                guest = gr.Textbox(label="Or one of the Hub", placeholder="owner/name", max_length=200, min_width=120)
                add = gr.Button("Add", min_width=60, scale=0, elem_classes="dice")
        phase = Select(title="Phase", visible=False)
        level = Select(title="Slice level", visible=False)
        with gr.Row(elem_classes="pair"):
            steps = gr.Number(1, precision=0, minimum=1, maximum=MAX_STEPS, label="Steps", info="More are slower.")
            guidance = gr.Number(
                1, minimum=0, maximum=MAX_GUIDANCE, step=0.1, label="Guidance", info="Above 1 exaggerates the class."
            )
    controls = Controls(catalogue, model, [first, phase, level], number, seed, steps, guidance)
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    model.input(controls.describe, model, controls.described, **quiet)
    if guests:

        def take_in(repo_id):
            try:
                return [controls.choose((repo_id or "").strip(), names), *controls.describe(repo_id.strip())]
            except ZooError as error:
                raise gr.Error(str(error), print_exception=False) from error

        described = [model, *controls.described]
        gr.on([add.click, guest.submit], take_in, guest, described, api_visibility="private", concurrency_limit=2)
    first.change(_sentence, first, says, **quiet)
    return controls


def _sentence(label: str | None) -> str:
    return PATHOLOGIES.get(label, ANY if label == DRAWN else ("", ""))[1]


def _radio(name: str, known: list[str] | None, value: str):
    """The buttons of a model's first condition; hidden if it knows none."""
    named = [(PATHOLOGIES[label][0] if label in PATHOLOGIES else label, label) for label in known or []]
    label = {"pathology": "Heart"}.get(name, name.replace("_", " ").capitalize())
    return gr.update(choices=[*named, (ANY[0], DRAWN)], value=value, label=label, visible=known is not None)


def _menu(name: str, known: list[str] | None, value: str):
    """The menu of a condition; hidden if the model does not know it."""
    named = [(SPOKEN.get(label, label), label) for label in known or []]
    return gr.update(
        choices=options([("Any", DRAWN), *named, ("Left open", OPEN)]),
        value=value,
        title=name.replace("_", " ").capitalize(),
        visible=known is not None,
    )
