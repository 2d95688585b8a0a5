"""The same request to several models, and how the models measure up."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from asking import conditions
from catalogue import Catalogue
from events import on_gpu
from jobs import News
from sampling import Result, default_request, sample
from zoo.cards.columns import COLUMNS, Column, measured
from zoo.cards.figures_text import value_of
from zoo.cards.results import Table, notes, results, title
from zoo.cards.tables import results_table
from zoo.cards.tables_html import html_rows
from zoo.cards.trilemma import draw_trilemma
from zoo.errors import ZooError
from zoo.figures import image_grid
from zoo.published.layout import INDEX_FILE
from zoo.published.metrics_file import METRICS_FILE, load_metrics

NOTHING = "None of these models has been evaluated yet."
SAMPLES = 4  # of each model
LOW, HIGH, NEAR = "↓ lower is better", "↑ higher is better", "≈ nearer to real is better"
BY_GROUP = {"copying": LOW, "diversity": NEAR, "anatomy": NEAR, "conditioning": NEAR, "utility": HIGH}
BY_KEY = (
    "precision",
    "recall",
    "density",
    "coverage",
    "ssim",
    "cc",
    "psnr",
    "samples_per_second",
    "inception",
)
# Each row has a number by which the column is sorted, the least of it best; what was not measured comes last
SORT = (
    "const head=this.closest('th'),body=head.closest('table').tBodies[0],column=head.cellIndex,"
    "best=head.dataset.best,worst=best==='ascending'?'descending':'ascending',down=head.ariaSort===best;"
    "for(const other of head.parentNode.children)other.ariaSort=null;"
    "head.ariaSort=down?worst:best;"
    "const value=row=>column?row.cells[column].dataset.rank:row.cells[0].textContent,"
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
        result (`Result`, *optional*): Its samples; absent if it failed.
        words (`str`): Classes and time taken, or why there is no picture.
    """

    name: str
    result: Result | None
    words: str


@on_gpu
def ask_models(catalogue: Catalogue, names: list[str], classes: dict[str, str], seed: int) -> Iterator:
    """Samples 0 to 3 of a seed from one model after the other, with each model's own settings.

    Args:
        catalogue (`Catalogue`): The models.
        names (`list[str]`): Which of them, in this order.
        classes (`dict[str, str]`): By condition; a model that does not know one draws its own, and says so.
        seed (`int`): The seed.

    Yields:
        `News`, and an `Answer` for each model.
    """
    for number, name in enumerate(names):
        yield News(f"{number} of {len(names)} models: asking {name}", number, len(names))
        try:
            yield from _ask(catalogue, name, classes, seed)
        except ZooError as error:
            yield Answer(name, None, str(error))


def _ask(catalogue: Catalogue, name: str, classes: dict[str, str], seed: int) -> Iterator:
    start = time.perf_counter()
    pipe = catalogue.load(name)
    loaded = time.perf_counter() - start
    first, *_ = conditions(pipe)
    asked = {first if key == "pathology" else key: label for key, label in classes.items()}
    asked = {key: label for key, label in asked.items() if label in pipe.class_names.get(key, ())}
    *_, result = sample(catalogue, default_request(pipe, name, classes=asked, count=SAMPLES, seed=seed))
    words = " · ".join(asked.values()) or ("any class" if pipe.class_names else "knows no classes")
    took = f"{result.seconds:.2f} s" + (f", {loaded:.1f} s to load" if loaded > 0.1 else "")
    yield Answer(name, result, f"{words} · {took}")


def square(images: np.ndarray) -> np.ndarray:
    """Four uint8 images `(4, height, width, channels)` as one picture."""
    return np.asarray(image_grid(images, columns=2))


def sheet(answers: list[Answer]) -> Image.Image:
    """All answers as one picture: a row a model, its name above."""
    rows = [
        (answer, image_grid(answer.result.pictures, SAMPLES, scale=max(1, 128 // answer.result.images.shape[1])))
        for answer in answers
        if answer.result is not None
    ]
    if not rows:
        raise ZooError("picture: compare something first")
    line = 18
    width = max(row.width for _, row in rows)
    canvas = Image.new("RGB", (width, sum(row.height + line for _, row in rows)))
    draw, top = ImageDraw.Draw(canvas), 0
    for answer, row in rows:
        draw.text((4, top + 3), f"synthetic: {answer.name}, {answer.words}", fill="white")
        canvas.paste(row.convert("RGB"), (0, top + line))
        top += row.height + line
    return canvas


@dataclass(frozen=True)
class Results:
    """How the models measure up.

    Args:
        table (`str`): HTML, sorted by a click on a heading; or why there is none.
        figure (`np.ndarray`, *optional*): Quality over speed, uint8.
        csv (`str`): All figures.
    """

    table: str
    figure: np.ndarray | None
    csv: str = ""


def read_results(catalogue: Catalogue) -> Results:
    """What was measured of the models of hearts, from their `metrics.json` as it is now."""
    try:
        folders = {name: catalogue.description(name) for name in catalogue.hearts}
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
        html = "".join(map(table_html, found)) + f"<p>{escape(notes(found))}</p>"
        return Results(html, figure, results_table(evaluated, "csv"))


def goal(column: Column) -> str:
    """What is better in a column: `LOW`, `HIGH` or `NEAR`."""
    if column.group in BY_GROUP:
        return BY_GROUP[column.group]
    return HIGH if column.key.startswith(BY_KEY) else LOW


def rank(column: Column, groups: dict) -> str:
    """The number that a column is sorted by, the least of it best; empty where there is none."""
    value, real = value_of(column.figure(groups)), value_of(groups.get(column.group, {}).get(column.beside))
    if not isinstance(value, int | float):
        return ""
    if goal(column) == NEAR:
        return "" if real is None else str(abs(float(value) - float(real)))
    return str(float(value) * (-1 if goal(column) == HIGH else 1))


def table_html(table: Table) -> str:
    """One table of results with the figures that say most; reference rows keep their place on top."""
    dataset, rows = table
    columns = measured([column for column in COLUMNS if column.headline], rows)
    heads = [("Model", "", "ascending")]
    heads += [(each.heading, goal(each), "descending" if goal(each) == HIGH else "ascending") for each in columns]
    headings = "".join(
        f'<th scope="col" data-best="{best}"><button type="button" onclick="{SORT}">{escape(heading)}</button>'
        f'<span class="goal">{words}</span></th>'
        for heading, words, best in heads
    )
    lines = []
    for row, (_, groups) in zip(html_rows(rows, columns), rows, strict=True):
        kind = "reference" if row.is_reference else "model"
        cells = "".join(
            f'<td data-rank="{rank(column, groups)}">{escape(text)}</td>'
            for column, (text, _) in zip(columns, row.cells, strict=True)
        )
        lines.append(f'<tr class="{kind}"><th scope="row">{escape(row.name)}</th>{cells}</tr>')
    head = f"<p>{escape(title(dataset).replace('`', ''))}</p>"
    body = f"<thead><tr>{headings}</tr></thead><tbody>{''.join(lines)}</tbody>"
    wide = '<div class="wide" tabindex="0" role="region" aria-label="Results">'
    return f'{head}{wide}<table class="figures">{body}</table></div>'


def _named_folder(name: str, found: Path, work_dir: Path) -> Path:
    """What the table reads of a model, in a folder of the model's name: a download from the Hub is named by commit."""
    folder = work_dir / name.replace("/", "--")
    folder.mkdir()
    for file in (INDEX_FILE, METRICS_FILE):
        if (found / file).is_file():
            shutil.copy(found / file, folder)
    return folder
