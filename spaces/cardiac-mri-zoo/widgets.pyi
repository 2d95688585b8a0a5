"""Controls that gradio has not: a menu of the browser itself, which closes when one tabs on, and a seed with dice."""

import gradio as gr

from asking import MAX_SEED

TEMPLATE = (
    '<label class="field"><span>{{title}}</span><select aria-label="{{title}}">'
    "{{#each choices}}{{#if this.options}}"
    '<optgroup label="{{this.text}}">{{#each this.options}}<option value="{{this.value}}">{{this.text}}</option>'
    "{{/each}}</optgroup>"
    '{{else}}<option value="{{this.value}}">{{this.text}}</option>{{/if}}{{/each}}</select></label>'
)
SCRIPT = """
const show = () => { element.querySelector('select').value = props.value };
show();
element.addEventListener('change', event => {
  event.stopPropagation();
  props.value = event.target.value;
  trigger('input');
});
watch(['value', 'choices'], show);
"""
RANDOM_SEED = "() => Math.floor(Math.random() * 4294967296)"
SEED_INFO = "The same seed gives the same image again."

class Select(gr.HTML):
    """A menu. gradio's own stays open when one tabs on.

    Args:
        choices (`list[dict]`): As of `options` or `groups`.
        value (`str`, *optional*): What is chosen.
        title (`str`): Its name.
        kwargs: As of `gr.HTML`; gradio hands its own back when the choices change.
    """

    def __init__(self, choices=(), value=None, *, title="", html_template=TEMPLATE, js_on_load=SCRIPT, **kwargs):
        super().__init__(
            value=value,
            choices=choices,
            title=title,
            html_template=html_template,
            js_on_load=js_on_load,
            **kwargs,
        )
        self.choices = choices  # otherwise gradio takes the name, which the script has in quotes, for an event

    def api_info(self) -> dict:
        """A program sends the value itself."""
        return {"type": "string"}
    from collections.abc import Callable, Sequence
    from typing import TYPE_CHECKING, Any, Literal

    from gradio.blocks import Block

    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

def options(values) -> list[dict]:
    """Choices of a `Select`: texts, or pairs of what is read and what is sent."""
    pairs = [value if isinstance(value, tuple) else (value, value) for value in values]
    return [{"text": text, "value": value} for text, value in pairs]

def groups(named: dict[str, list]) -> list[dict]:
    """Choices of a `Select` under headings."""
    return [{"text": name, "options": options(values)} for name, values in named.items() if values]

def models(catalogue, names: list[str], title: str = "Model", **more) -> Select:
    """A menu of models, by kind, the best first, each with how good and fast it is."""
    return Select(model_groups(catalogue, names), names[0] if names else None, title=title, **more)

def model_groups(catalogue, names: list[str]) -> list[dict]:
    """The choices of such a menu."""
    found = {}
    for name in names:
        facts = catalogue.facts[name]
        found.setdefault(facts.kind, []).append((facts.words, name))
    return groups(found)

def seed_field(value: int = 0, label: str = "Seed") -> gr.Number:
    """A field for a seed, with a button that throws the dice."""
    with gr.Row(elem_classes="seed"):
        seed = gr.Number(value, precision=0, minimum=0, maximum=MAX_SEED, label=label, info=SEED_INFO, scale=3)
        dice = gr.Button("Random", scale=1, min_width=90, size="sm", elem_classes="dice")
    dice.click(None, None, seed, js=RANDOM_SEED)
    return seed
