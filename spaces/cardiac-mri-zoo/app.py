"""The zoo as a Gradio Space: `python app.py`, or `make space` in a checkout of the project."""

import os
import sys
from pathlib import Path

import gradio as gr

import api
import tab_compare
import tab_dataset
import tab_denoise
import tab_generate
import tab_latent
import tab_measure
import tab_order
import tab_reader
import tab_style
from attached import Attached
from catalogue import Catalogue
from jobs import Jobs
from rounds import Answers
from uploads import MAX_BYTES
from zoo.errors import ZooError
from zoo.published.places import VARIABLE

NOTICE = "For research and teaching. Generated images show nobody, and nothing here may be used for diagnosis."
NO_MODELS = f"There are no models here. Publish one into `model_cards`, or name folders or Hub ids in `{VARIABLE}`."
HEADER = f'<header><h1>Cardiac MRI Zoo</h1><p id="notice">{NOTICE}</p></header>'
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
    block_label_background_fill="*background_fill_primary",
    block_label_background_fill_dark="*background_fill_primary",
    block_label_text_color="*body_text_color",
    block_label_text_color_dark="*body_text_color",
    checkbox_label_background_fill_selected="*primary_700",
    checkbox_label_background_fill_selected_dark="*primary_700",
    checkbox_label_text_color_selected="white",
    checkbox_label_text_color_selected_dark="white",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    button_primary_text_color="white",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_300",
)
FOLDER = Path(__file__).parent
WAITING = 1000  # events; the jobs have a queue of their own
MINUTE = 60  # seconds


def build() -> gr.Blocks:
    """The page, of the models that are there now and of what is attached."""
    catalogue = Catalogue.from_environment()
    # Files are fetched the moment they are made, and gone after ten minutes
    with gr.Blocks(title="Cardiac MRI Zoo", analytics_enabled=False, delete_cache=(MINUTE, 10 * MINUTE)) as page:
        gr.HTML(HEADER)
        if catalogue.images:
            _add_sheets(page, catalogue)
        else:
            gr.Markdown(NO_MODELS)
    return page.queue(max_size=WAITING, default_concurrency_limit=8)


def _add_sheets(page: gr.Blocks, catalogue: Catalogue) -> None:
    """The tabs; those are left out that nothing here could fill."""
    jobs = page.jobs = Jobs()
    attached = Attached(catalogue)
    sheets = {
        "generate": "Generate",
        "order": "To order",
        "dataset": "Build a dataset",
        "measure": "Measure",
        "reader": "Real or synthetic?",
        "compare": "Compare",
        "denoise": "Denoise",
        "latent": "Latent",
        "style": "Style",
    }
    if not tab_order.names(catalogue):
        del sheets["order"]
    if not attached.is_real:
        del sheets["reader"]
    gr.HTML(_tabs(sheets), elem_id="tabs")
    with _sheet("generate"):
        generate = tab_generate.build(catalogue, jobs, page)
    if "order" in sheets:
        with _sheet("order"):
            tab_order.build(catalogue, jobs, page)
    with _sheet("dataset"):
        tab_dataset.build(catalogue, jobs, page)
    with _sheet("measure"):
        tab_measure.build(catalogue, attached, jobs, generate)
    if "reader" in sheets:
        with _sheet("reader"):
            tab_reader.build(catalogue, attached, jobs, Answers.from_environment())
    with _sheet("compare"):
        tab_compare.build(catalogue, attached, jobs, page)
    with _sheet("denoise"):
        tab_denoise.build(catalogue, jobs, page)
    with _sheet("latent"):
        tab_latent.build(catalogue, jobs)
    with _sheet("style"):
        tab_style.build(catalogue, attached, jobs, page)
    api.add(catalogue, attached, jobs)


def _tabs(sheets: dict[str, str]) -> str:
    buttons = "".join(
        f'<button type="button" role="tab" id="tab-{name}" data-tab="{name}" aria-selected="false">{title}</button>'
        for name, title in sheets.items()
    )
    return f'<div role="tablist" aria-label="What to do">{buttons}</div>'


def _sheet(name: str) -> gr.Column:
    return gr.Column(elem_id=f"sheet-{name}", elem_classes="sheet")


def launch(page: gr.Blocks, **options):
    """Serves the page; `options` are those of gradio."""
    fixed = {"theme": THEME, "css_paths": FOLDER / "style.css", "js": (FOLDER / "page.js").read_text()}
    fixed |= {"max_file_size": MAX_BYTES, "ssr_mode": False}
    return page.launch(**fixed, footer_links=["api", "settings"], **options)


if __name__ == "__main__":
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        launch(build())
    except (ZooError, OSError) as error:  # models that ZOO_MODELS names, a port that is taken
        sys.exit(str(error))
