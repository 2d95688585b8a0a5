"""The results table: one row a model beside the three reference rows, from each model's `metrics.json` alone."""

import csv
import io
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from zoo.cards.columns import COLUMNS, DAGGER, DISTANCE, Column, measured
from zoo.cards.figures_text import value_of
from zoo.cards.results import GRADED_BY_ITSELF, Table, best, notes, results, title
from zoo.cards.tables_html import html
from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.published import layout
from zoo.published.metrics_file import load_metrics

FILE_WIDTH = 160  # characters


def results_table(folders: Iterable[str | os.PathLike], format: str = "md") -> str:
    """Renders `results`. A figure that was not measured is an en dash, in CSV an empty cell.

    Args:
        folders: The folders of the models.
        format (`str`): `"md"`, the figures that say most, with their bounds; `"csv"`, all of them as raw numbers;
            `"html"`, all of them in a page that sorts by any column and needs nothing from elsewhere; `"text"`, those
            that say most without bounds, for a terminal.

    Raises:
        ZooError: If the format is unknown, a folder is no model or none of them has been evaluated.
    """
    renderers = {"md": _markdown, "csv": _csv, "html": html, "text": _text}
    if format not in renderers:
        raise ZooError(f"format: expected one of {', '.join(renderers)}, got {format!r}")
    return renderers[format](results(folders))


def front_table(folders: Iterable[str | os.PathLike]) -> str:
    """A short table of hearts for a stranger, in Markdown: real images and the best model of each kind.

    Raises:
        ZooError: As `results_table`, or if no model of hearts has been evaluated.
    """
    tables = best(results(folders))
    if not tables:
        raise ZooError("compare: no model of hearts has been evaluated; run `cardiac-zoo evaluate` first")
    text = "\n\n".join(_markdown_table(table, front=True) for table in tables)
    return text + (f"\n\n{DAGGER} {GRADED_BY_ITSELF}\n" if DAGGER in text else "\n")


def _headlines(rows: list[tuple[str, dict]], bounds: bool = True, front: bool = False) -> list[list[str]]:
    """Headings and cells as text, of the columns that fit a page, or of those at the front."""
    columns = measured([column for column in COLUMNS if (column.front if front else column.headline)], rows)
    cells = [[name, *(column.cell(groups, bounds) for column in columns)] for name, groups in rows]
    return [["Model", *(column.heading for column in columns)], *cells]


def _markdown(tables: list[Table]) -> str:
    return "\n\n".join([*map(_markdown_table, tables), notes(tables)]) + "\n"


def _markdown_table(table: Table, front: bool = False) -> str:
    dataset, rows = table
    head, *body = _headlines(rows, front=front)
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---", *["---:"] * (len(head) - 1)], *body)]
    return f"**{title(dataset)}**\n\n" + "\n".join(lines)


def _csv(tables: list[Table]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    figures = {}  # group and key by name; what stands in brackets elsewhere has columns of its own here
    for column in COLUMNS:
        figures[column.name] = (column.group, column.key)
        if column.beside:
            figures.setdefault(column.beside, (column.group, column.beside))
    names = [f"{name}{bound}" for name in figures for bound in ("", "_low", "_high")]
    writer.writerow(["dataset", "split", "fingerprint", "model", *names])
    for dataset, rows in tables:
        where = (dataset["preset"], dataset["split"], dataset["fingerprint"])
        for name, groups in rows:
            cells = []
            for group, key in figures.values():
                figure = groups.get(group, {}).get(key)
                bounds = (figure.get("low"), figure.get("high")) if isinstance(figure, dict) else (None, None)
                cells += [value_of(figure), *bounds]
            writer.writerow([*where, name.strip("*"), *cells])
    return stream.getvalue()


def _text(tables: list[Table]) -> str:
    from rich.table import Table as RichTable

    rendered = []
    for dataset, rows in tables:
        (corner, *headings), *lines = _headlines(rows, bounds=False)
        table = RichTable(corner, title=title(dataset).replace("`", ""), title_justify="left")
        for heading in headings:
            table.add_column(heading, justify="right")
        for name, *cells in lines:
            table.add_row(name.strip("*"), *cells)
        rendered.append(table)
    return to_text(*rendered)


def models_table(models: Mapping[str, str | os.PathLike]) -> str:
    """What is known of models, as text for a terminal.

    Args:
        models: Their folders by name, at least with index and metrics. Where the weights are elsewhere, the size is the
            one that was measured.
    """
    from rich.table import Table as RichTable

    parameters, checkpoint = Column("Parameters", "cost", "parameters"), Column("", "cost", "checkpoint_mb")
    table = RichTable()
    for heading in ("Model", "Class", "Trained on", parameters.heading, "Checkpoint (MB)", DISTANCE.heading):
        table.add_column(heading, justify="left" if heading in ("Model", "Class", "Trained on") else "right")
    for model, folder in models.items():
        folder = Path(folder)
        metrics = load_metrics(folder)
        sizes = [file.stat().st_size for file in folder.rglob("*.safetensors")]
        size = f"{sum(sizes) / 1e6:.1f}" if sizes else checkpoint.cell(metrics)
        trained_on = metrics.get("training", {}).get("dataset", {}).get("preset", "–")
        name = layout.pipeline_name(layout.read_index(folder))
        cells = (parameters.cell(metrics), size, DISTANCE.cell(metrics))
        table.add_row(model, name, trained_on, *cells)
    return to_text(table)


def to_text(*tables) -> str:
    """Tables of rich as text, as wide as the terminal, or wide enough for a file or pipe."""
    from rich.console import Console

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else FILE_WIDTH
    console = Console(file=io.StringIO(), width=width)
    console.print(*tables, sep="\n")
    return console.file.getvalue()


def update_section(path: str | os.PathLike, content: str, name: str = "results") -> None:
    """Replaces what stands between the markers of a section of a Markdown file.

    Raises:
        ZooError: If the file is missing or has no such markers.
    """
    path, begin, end = Path(path), f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if not path.is_file():
        raise ZooError(f"{path}: not found; expected a Markdown file with {begin} and {end}")
    before, found, rest = path.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ZooError(f"{path}: expected the markers {begin} and {end}")
    write_atomic(path, f"{before}{begin}\n{content}{end}{after}")
