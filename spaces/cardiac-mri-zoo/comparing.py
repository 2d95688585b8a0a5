"""The same request to every model, and how the models measure up."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from catalogue import Catalogue
from sampling import default_request, draw
from zoo.cards.columns import COLUMNS, measured
from zoo.cards.results import Table, notes, results, title
from zoo.cards.tables_html import html_rows
from zoo.cards.trilemma import draw_trilemma
from zoo.errors import ZooError
from zoo.figures import image_grid
from zoo.published.layout import INDEX_FILE
from zoo.published.metrics_file import METRICS_FILE, load_metrics

NOTHING = "None of these models has been evaluated yet."
SAMPLES = 4  # of each model
SORT = (
    "const head=this.closest('th'),body=head.closest('table').tBodies[0],column=head.cellIndex,"
    "down=head.ariaSort==='ascending';"
    "for(const other of head.parentNode.children)other.ariaSort=null;"
    "head.ariaSort=down?'descending':'ascending';"
    "const value=row=>column?row.cells[column].dataset.value:row.cells[0].textContent,"
    "order=(a,b)=>column?a-b:a.localeCompare(b);"
    "body.append(...[...body.querySelectorAll('.model')].sort((one,two)=>{"
    "const a=value(one),b=value(two);"
    "return a===''||b===''?(a==='')-(b===''):(down?-1:1)*order(a,b)}))"
)


@dataclass
class Answer:
    """What one model has made of a request.

    Args:
        name (`str`): Of the model.
        picture (`np.ndarray`, *optional*): Its samples in a square, uint8; absent if it failed.
        spacing_mm (`float`, *optional*): Side of a pixel.
        words (`str`): Classes and time taken, or why there is no picture.
    """

    name: str
    picture: np.ndarray | None
    spacing_mm: float | None
    words: str


def ask_everyone(catalogue: Catalogue, pathology: str, seed: int) -> Iterator[Answer]:
    """Samples 0 to 3 of a seed from one model after the other, with each model's own settings.

    Args:
        catalogue (`Catalogue`): The models.
        pathology (`str`): A class; models that do not know it draw theirs, and say so.
        seed (`int`): The seed.
    """
    for name in catalogue.names:
        try:
            yield _ask(catalogue, name, pathology, seed)
        except ZooError as error:
            yield Answer(name, None, None, str(error))


def _ask(catalogue: Catalogue, name: str, pathology: str, seed: int) -> Answer:
    start = time.perf_counter()
    pipe = catalogue.load(name)
    loaded = time.perf_counter() - start
    known = next(iter(pipe.class_names.values()), [])
    label = pathology if pathology in known else "drawn"
    with tempfile.TemporaryDirectory() as work_dir:
        request = default_request(pipe, name, [label, None, None], SAMPLES, seed)
        found = draw(pipe, request, Path(work_dir) / "png")
    words = pathology if label == pathology else "any pathology" if known else "knows no classes"
    took = f"{found.seconds:.2f} s" + (f", {loaded:.1f} s to load" if loaded > 0.1 else "")
    return Answer(name, square(found.images), pipe.config.get("pixel_spacing_mm"), f"{words} · {took}")


def square(images: np.ndarray) -> np.ndarray:
    """Four uint8 images `(4, height, width, channels)` as one picture."""
    return np.asarray(image_grid(images, columns=2))


@dataclass(frozen=True)
class Results:
    """How the models measure up.

    Args:
        table (`str`): HTML, sorted by a click on a heading; or why there is none.
        figure (`np.ndarray`, *optional*): Quality over speed, uint8.
    """

    table: str
    figure: np.ndarray | None


def read_results(catalogue: Catalogue) -> Results:
    """What was measured of the models, from their `metrics.json` as it is now."""
    try:
        folders = {name: catalogue.description(name) for name in catalogue.indices}
        files = {name: folder / METRICS_FILE for name, folder in folders.items()}
        changed = tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files.values())
        return _read_results(tuple(folders.items()), changed)
    except ZooError as error:
        return Results(f"<p>No table: {escape(str(error))}</p>", None)


@lru_cache(maxsize=1)
def _read_results(folders: tuple[tuple[str, Path], ...], changed: tuple[int, ...]) -> Results:
    """The same, kept until a file has changed: the figure takes a second to draw."""
    with tempfile.TemporaryDirectory() as work_dir:
        named = [_named_folder(name, folder, Path(work_dir)) for name, folder in folders]
        evaluated = [folder for folder in named if "dataset" in load_metrics(folder)]
        if not evaluated:
            return Results(NOTHING, None)
        try:
            figure = np.asarray(Image.open(draw_trilemma(evaluated, Path(work_dir) / "figure.png")).convert("RGB"))
        except ZooError:  # no model has both a distance and a speed
            figure = None
        found = results(evaluated)
        return Results("".join(map(table_html, found)) + f"<p>{escape(notes(found))}</p>", figure)


def table_html(table: Table) -> str:
    """One table of `zoo.cards.results` with the figures that say most; reference rows keep their place on top."""
    dataset, rows = table
    columns = measured([column for column in COLUMNS if column.headline], rows)
    headings = "".join(
        f'<th scope="col"><button type="button" onclick="{SORT}">{escape(heading)}</button></th>'
        for heading in ["Model", *(column.heading for column in columns)]
    )
    lines = []
    for row in html_rows(rows, columns):
        kind = "reference" if row.is_reference else "model"
        cells = "".join(f'<td data-value="{value}">{escape(text)}</td>' for text, value in row.cells)
        lines.append(f'<tr class="{kind}"><th scope="row">{escape(row.name)}</th>{cells}</tr>')
    head = f"<p>{escape(title(dataset).replace('`', ''))}</p>"
    body = f"<thead><tr>{headings}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'{head}<div class="wide"><table class="figures">{body}</table></div>'


def _named_folder(name: str, found: Path, work_dir: Path) -> Path:
    """What the table reads of a model, in a folder of the model's name: a download from the Hub is named by commit."""
    folder = work_dir / name.replace("/", "--")
    folder.mkdir()
    for file in (INDEX_FILE, METRICS_FILE):
        if (found / file).is_file():
            shutil.copy(found / file, folder)
    return folder
