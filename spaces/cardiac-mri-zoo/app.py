"""The zoo as a Gradio Space: `python app.py`, or `make space` in a checkout of the project."""

import sys

import gradio as gr

import tab_generate
import tab_results
from catalogue import VARIABLE, Catalogue
from zoo.errors import ZooError

TITLE = """
# Cardiac MRI Zoo

Generators of short-axis cardiac MRI, trained on real hearts and judged under one protocol.
**Generated, not real: for research and teaching. These images must not be used for diagnosis.**
"""
NO_MODELS = f"There are no models here. Publish one into `model_cards`, or name folders or Hub ids in `{VARIABLE}`."
# Fonts of the visitor's machine: the default theme asks a font server
THEME = gr.themes.Soft(
    primary_hue="rose",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
)
CSS = """
.pixels img { image-rendering: pixelated; }
@media (max-width: 640px) { .pixels .grid-container { grid-template-columns: repeat(2, 1fr) !important; } }
.wide { overflow-x: auto; }
.wide table { font-variant-numeric: tabular-nums; white-space: nowrap; }
"""
HOUR = 3600  # seconds


def build() -> gr.Blocks:
    """The page, of the models that are there now."""
    catalogue = Catalogue.from_environment()
    with gr.Blocks(title="Cardiac MRI Zoo", analytics_enabled=False, delete_cache=(HOUR, HOUR)) as page:
        gr.Markdown(TITLE)
        if catalogue.names:
            tab_generate.build(catalogue)
            tab_results.build(catalogue)
        else:
            gr.Markdown(NO_MODELS)
    return page.queue(max_size=20)


def launch(page: gr.Blocks, **options):
    """Serves the page; `options` are those of gradio."""
    return page.launch(theme=THEME, css=CSS, **options)


if __name__ == "__main__":
    try:
        launch(build())
    except ZooError as error:  # models that ZOO_MODELS names
        sys.exit(str(error))
