"""The zoo as a Gradio Space: `python app.py`, or `make space` in a checkout of the project."""

import os
import sys
from pathlib import Path

import gradio as gr

import tab_compare
import tab_denoise
import tab_generate
import tab_latent
import tab_measure
import tab_reader
import tab_style
from attached import Attached
from catalogue import Catalogue
from reading import Answers
from uploads import MAX_BYTES
from zoo.errors import ZooError
from zoo.published.places import VARIABLE

TITLE = """
# Cardiac MRI Zoo

Generators of short-axis cardiac MRI, trained on real hearts and judged under one protocol.
"""
NOTICE = "**For research and teaching. Generated images show nobody, and nothing here may be used for diagnosis.**"
NO_MODELS = f"There are no models here. Publish one into `model_cards`, or name folders or Hub ids in `{VARIABLE}`."
# Fonts of the visitor's machine: the default theme asks a font server
THEME = gr.themes.Soft(
    primary_hue="rose",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    block_title_background_fill="transparent",
    block_title_background_fill_dark="transparent",
    block_title_padding="0",
    block_title_text_color="*body_text_color",
    block_title_text_color_dark="*body_text_color",
    block_title_text_weight="500",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
)
STYLE = Path(__file__).with_name("style.css")
WAITING = 200  # visitors in a queue; the next one is told to come back
MINUTE = 60  # seconds


def build() -> gr.Blocks:
    """The page, of the models that are there now and of what is attached."""
    catalogue = Catalogue.from_environment()
    # Files to download are gone after ten minutes, so that a crowd does not fill the disk
    with gr.Blocks(title="Cardiac MRI Zoo", analytics_enabled=False, delete_cache=(MINUTE, 10 * MINUTE)) as page:
        gr.Markdown(TITLE)
        gr.Markdown(NOTICE, elem_id="notice")
        if catalogue.names:
            attached = Attached(catalogue)
            with gr.Tabs():
                tab_generate.build(catalogue)
                tab_compare.build(catalogue, attached)
                tab_denoise.build(catalogue)
                tab_latent.build(catalogue)
                tab_style.build(catalogue, attached)
                tab_reader.build(catalogue, attached, Answers.from_environment())
                tab_measure.build(catalogue, attached)
        else:
            gr.Markdown(NO_MODELS)
    return page.queue(max_size=WAITING)


def launch(page: gr.Blocks, **options):
    """Serves the page; `options` are those of gradio."""
    fixed = {"theme": THEME, "css_paths": STYLE, "max_file_size": MAX_BYTES, "ssr_mode": False}
    return page.launch(**fixed, footer_links=["api", "settings"], **options)


if __name__ == "__main__":
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        launch(build())
    except (ZooError, OSError) as error:  # models that ZOO_MODELS names, a port that is taken
        sys.exit(str(error))
