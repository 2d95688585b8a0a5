"""The tab with the results table."""

import shutil
import tempfile
from pathlib import Path

import gradio as gr

from catalogue import Catalogue
from zoo.errors import ZooError
from zoo.hub.layout import INDEX_FILE
from zoo.hub.loading import find_folder
from zoo.hub.metrics_file import METRICS_FILE, load_metrics
from zoo.hub.tables import results_table

NOTHING = "None of these models has been evaluated yet."
HOW_TO_READ = """
### How to read it

- **Fréchet distance and KID** compare a set of samples with patients that no model has seen. They mean something only
  beside the row of *real images*, which is what real training images score.
- **Projections** (SSIM, CC, MSE, PSNR) ask whether a model can express a heart it has never seen. More latent
  dimensions make that easier.
- **The *mean image*** is a blur that no one would take for a heart. Where it scores well, the score says little.
- **Copies** are samples nearer to one training image than real patients are to one another. The row *copy of training
  images* is what a memoriser scores.
"""


def build(catalogue: Catalogue) -> None:
    """Adds the tab."""
    with gr.Tab("Results"):
        gr.Markdown(lambda: table(catalogue), elem_classes="wide")  # a function: rendered when the page is opened
        gr.Markdown(HOW_TO_READ)


def table(catalogue: Catalogue) -> str:
    """The results table as Markdown, or a line that says why there is none."""
    with tempfile.TemporaryDirectory() as work_dir:
        try:
            folders = [_named_folder(name, source, Path(work_dir)) for name, source in catalogue.sources.items()]
            evaluated = [folder for folder in folders if "dataset" in load_metrics(folder)]
            return results_table(evaluated) if evaluated else NOTHING
        except ZooError as error:
            return f"No table: {error}"


def _named_folder(name: str, source: str | Path, work_dir: Path) -> Path:
    """What the table reads of a model, in a folder of the model's name: a download from the Hub is named by commit."""
    folder = work_dir / name.replace("/", "--")
    folder.mkdir()
    found = find_folder(source)
    for file in (INDEX_FILE, METRICS_FILE):
        if (found / file).is_file():
            shutil.copy(found / file, folder)
    return folder
