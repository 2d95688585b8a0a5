"""The trilemma of the field as measured: quality over speed, one point a model, coloured by its coverage of the data.

No generator is at once good, quick and varied (Xiao et al., 2022, arXiv 2112.07804).
"""

import os
from collections.abc import Iterable
from pathlib import Path

from zoo.cards.columns import COVERAGE, DISTANCE, SPEED
from zoo.cards.figures_text import value_of
from zoo.cards.results import REFERENCES, results, title
from zoo.errors import ZooError

UNKNOWN = "lightgrey"
FONT, LINE = 9, 13  # points


def draw_trilemma(folders: Iterable[str | os.PathLike], path: str | os.PathLike) -> Path:
    """Draws a panel for each dataset and split: Fréchet distance ÷ that of real images over samples/s, on log axes.

    The dashed lines are the reference rows, real images at 1. A model whose coverage was not measured is grey; one
    without a distance or a speed is left out.

    Args:
        folders: The folders of the models.
        path: The picture to write; its suffix says the format, such as `.png`.

    Raises:
        ZooError: If no model has both figures, or matplotlib does not know the format.
    """
    import matplotlib
    from matplotlib.figure import Figure

    panels = [(dataset, points, rows) for dataset, rows in results(folders) if (points := _points(rows))]
    if not panels:
        raise ZooError("compare: no model has a Fréchet distance and a speed; run `cardiac-zoo evaluate` first")
    figure = Figure(figsize=(9, 6 * len(panels)), layout="constrained")
    if Path(path).suffix.removeprefix(".") not in figure.canvas.get_supported_filetypes():
        raise ZooError(f"{path}: expected a picture, such as {Path(path).stem or 'figure'}.png")
    shades = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), "viridis")
    axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for axis, (dataset, points, rows) in zip(axes, panels, strict=True):
        axis.set(xscale="log", yscale="log", title=title(dataset).replace("`", ""))
        axis.set(xlabel="samples/s at batch 16 (faster →)", ylabel="Fréchet distance ÷ that of real images (better ↓)")
        for bound in (axis.xaxis, axis.yaxis):
            bound.set_major_formatter("{x:g}")
        for name, groups in rows:
            if name in REFERENCES.values() and (ratio := _ratio(groups)) is not None:
                axis.axhline(ratio, color="grey", linestyle="--", linewidth=0.8, zorder=0)
                where = {"ha": "center", "va": "top" if ratio <= 1 else "bottom", "fontsize": FONT, "color": "grey"}
                axis.annotate(name.strip("*"), (0.5, ratio), xycoords=("axes fraction", "data"), **where)
        for _, speed, ratio, coverage in points:
            colour = UNKNOWN if coverage is None else shades.to_rgba(coverage)
            axis.scatter(speed, ratio, s=60, color=colour, edgecolor="black", linewidth=0.6, zorder=3)
        axis.margins(x=0.15, y=0.1)
        figure.colorbar(shades, ax=axis, label="share of real images that samples cover (grey: not measured)")
    figure.draw_without_rendering()  # only now is it known where the points lie on the page
    for axis, (_, points, _) in zip(axes, panels, strict=True):
        _label(axis, points)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def _ratio(groups: dict) -> float | None:
    figure = DISTANCE.figure(groups)
    return figure.get("ratio_to_real") if isinstance(figure, dict) else None


def _points(rows: list[tuple[str, dict]]) -> list[tuple[str, float, float, float | None]]:
    """Name, samples/s, distance ratio and coverage of each model that has the first two."""
    found = []
    for name, groups in rows:
        speed, ratio = value_of(SPEED.figure(groups)), _ratio(groups)
        if name not in REFERENCES.values() and speed and ratio:
            found.append((name, speed, ratio, value_of(COVERAGE.figure(groups))))
    return found


def _label(axis, points: list[tuple[str, float, float, float | None]]) -> None:
    """Writes the names beside the points, towards the middle, each at least a line above the one below it."""
    height = LINE * axis.figure.dpi / 72
    middle = sum(axis.bbox.intervalx) / 2
    free = {"left": float("-inf"), "right": float("-inf")}  # the lowest place where there is no name yet
    for name, speed, ratio, _ in sorted(points, key=lambda point: point[2]):
        x, y = axis.transData.transform((speed, ratio))
        side = "left" if x < middle else "right"
        lifted = max(y, free[side])
        free[side] = lifted + height
        offset = (8 if side == "left" else -8, (lifted - y) * 72 / axis.figure.dpi)
        line = {"arrowstyle": "-", "color": "grey", "linewidth": 0.5}
        text = {"ha": side, "va": "center", "fontsize": FONT}
        axis.annotate(name, (speed, ratio), offset, textcoords="offset points", arrowprops=line, **text)
