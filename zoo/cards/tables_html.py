"""The results table as one HTML page: every figure, sorted by a click on its heading; nothing is fetched for it."""

from dataclasses import dataclass
from pathlib import Path

from zoo.cards.columns import COLUMNS, measured
from zoo.cards.figures_text import value_of
from zoo.cards.results import REFERENCES, notes, title

TEMPLATE = Path(__file__).with_name("results.html.jinja")


def html(tables: list) -> str:
    """Renders the tables of `zoo.cards.results.results` as a page.

    A cell's `data-value` is the number that its column is sorted by; reference rows keep their place above the models.
    """
    from jinja2 import Environment, StrictUndefined

    parts = []
    for dataset, rows in tables:
        columns = measured(COLUMNS, rows)
        lines = html_rows(rows, columns)
        parts.append({"title": title(dataset).replace("`", ""), "columns": columns, "lines": lines})
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(tables=parts, notes=notes(tables))


@dataclass(frozen=True)
class HtmlRow:
    """A row of a results table.

    Args:
        name (`str`): Of the model or the reference.
        is_reference (`bool`): Whether it is one.
        cells (`list[(str, str)]`): By column, the text and the number that the column is sorted by; the latter is empty
            for what is not measured, which comes last.
    """

    name: str
    is_reference: bool
    cells: list[tuple[str, str]]


def html_rows(rows: list[tuple[str, dict]], columns: list) -> list[HtmlRow]:
    """Rows of a table of `zoo.cards.results.results`, with some columns of `zoo.cards.columns`."""
    return [
        HtmlRow(
            name.strip("*"),
            name in REFERENCES.values(),
            [(column.cell(groups), _number(column.figure(groups))) for column in columns],
        )
        for name, groups in rows
    ]


def _number(figure) -> str:
    value = value_of(figure)
    return str(float(value)) if isinstance(value, int | float) else ""
