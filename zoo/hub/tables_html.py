"""The results table as one HTML page: every figure, sorted by a click on its heading; nothing is fetched for it."""

from pathlib import Path

from zoo.hub.columns import COLUMNS, measured
from zoo.hub.figures_text import value_of

TEMPLATE = Path(__file__).with_name("results.html.jinja")


def html(tables: list) -> str:
    """Renders the tables of `zoo.hub.tables.results` as a page.

    A cell's `data-value` is the number that its column is sorted by; reference rows keep their place above the models.
    """
    from jinja2 import Environment, StrictUndefined

    from zoo.hub.tables import REFERENCES, notes, title

    parts = []
    for dataset, rows in tables:
        columns = measured(COLUMNS, rows)
        lines = [
            {
                "name": name.strip("*"),
                "is_reference": name in REFERENCES.values(),
                "cells": [(column.cell(groups), _number(column.figure(groups))) for column in columns],
            }
            for name, groups in rows
        ]
        parts.append({"title": title(dataset).replace("`", ""), "columns": columns, "lines": lines})
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(tables=parts, notes=notes(tables))


def _number(figure) -> str:
    """What a cell is sorted by; empty for what is not measured, which comes last."""
    value = value_of(figure)
    return str(float(value)) if isinstance(value, int | float) else ""
