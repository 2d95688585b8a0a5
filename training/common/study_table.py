"""A study's figures and ours, side by side."""

from dataclasses import dataclass

from zoo.cards.columns import DISTANCE, SPEED
from zoo.cards.figures_text import text
from zoo.cards.results import REFERENCES

Figures = dict[str, tuple[str, str]]  # the group and the key in `metrics.json` of each figure, by its name in the study


@dataclass
class Row:
    """One system.

    Args:
        title (`str`): As the study calls it.
        reported (`dict`): The study's figures by their names there.
        metrics (`dict`): Our `metrics.json`.
        report (`str`): Where our full report is, from where the table will stand.
    """

    title: str
    reported: dict
    metrics: dict
    report: str

    @property
    def link(self) -> str:
        return f"[{'card' if self.report.endswith('README.md') else 'metrics'}]({self.report})"


def study_table(figures: Figures, rows: list[Row]) -> str:
    """Each figure of a study with ours beside it, as Markdown; the reference rows last.

    Args:
        figures (`dict`): Those of the study. One that no row has, neither there nor here, gets no columns.
        rows (`list[Row]`): Systems of one dataset.
    """
    figures = _known(figures, rows)
    head = ["System", *_heads(figures), DISTANCE.heading, "Latent dimensions", SPEED.heading]
    head += ["Training images seen", "Full report"]
    lines = []
    for row in rows:
        latent = row.metrics.get("projection", {}).get("latent_dimensions")
        cells = [DISTANCE.cell(row.metrics), "–" if latent is None else f"{latent:,}", SPEED.cell(row.metrics)]
        seen = row.metrics.get("training", {}).get("images_seen")
        lines.append([row.title, *_pairs(figures, row), *cells, "–" if seen is None else f"{seen:,}", row.link])
    for title, groups, found in _reference_rows(figures, rows):
        lines.append([title, *(cell for our in found for cell in ("", our)), DISTANCE.cell(groups), "", "", "", ""])
    return markdown(head, lines)


def judges_table(figures: Figures, rows: list[Row]) -> str:
    """The figures of networks that judge, as Markdown."""
    figures = _known(figures, rows)
    lines = [[row.title, *_pairs(figures, row), row.link] for row in rows]
    return markdown(["Network", *_heads(figures), "Full report"], lines)


ARMS = {"baseline": "real images alone", "cas": "CAS", "nas": "NAS"}
SCORES = ("accuracy", "precision", "recall", "f1")


def utility_table(classifiers: dict[str, str], reported: dict, group: dict) -> str:
    """Accuracy, precision, recall and F1 of classifiers trained on samples, real images and both, as Markdown.

    Args:
        classifiers (`dict[str, str]`): How the study calls each, and its name in group `utility`.
        reported (`dict`): The study's figures as text.
        group (`dict`): Group `utility` of ours.
    """
    lines = []
    for title, classifier in classifiers.items():
        for arm, words in ARMS.items():
            figure, name = group.get(f"{arm}_{classifier}", {}), f"{words}, {title}"
            ours = " / ".join(f"{figure[key]['value']:.3f}" if key in figure else "–" for key in SCORES)
            lines.append([name, str(reported.get(name, "–")), ours])
    return markdown(["Trained on", "study", "here"], lines)


def besides_table(figures: Figures, rows: list[Row]) -> str:
    """Figures of ours that a study does not print, as Markdown; empty if nobody has them."""
    figures = _known(figures, rows)
    lines = [[row.title, *_ours(figures, row.metrics)] for row in rows]
    lines += [[title, *found] for title, _, found in _reference_rows(figures, rows)]
    return markdown(["System", *figures], lines) if figures else ""


def markdown(head: list[str], lines: list[list[str]]) -> str:
    """A table whose first column is text."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


def _known(figures: Figures, rows: list[Row]) -> Figures:
    return {
        name: (group, key)
        for name, (group, key) in figures.items()
        if any(name in row.reported or key in row.metrics.get(group, {}) for row in rows)
    }


def _heads(figures: Figures) -> list[str]:
    return [f"{name}, {whose}" for name in figures for whose in ("study", "here")]


def _ours(figures: Figures, metrics: dict) -> list[str]:
    found = [(key, metrics.get(group, {}).get(key)) for group, key in figures.values()]
    return ["–" if figure is None else text(figure, key) for key, figure in found]


def _pairs(figures: Figures, row: Row) -> list[str]:
    pairs = zip(figures, _ours(figures, row.metrics), strict=True)
    return [cell for name, ours in pairs for cell in (str(row.reported.get(name, "–")), ours)]


def _reference_rows(figures: Figures, rows: list[Row]) -> list[tuple[str, dict, list[str]]]:
    """Title, groups and figures of each reference row that has any."""
    references = {}
    for row in rows:
        for name, groups in row.metrics.get("references", {}).items():
            references.setdefault(name, {}).update(groups)
    found = [
        (title, references[name], _ours(figures, references[name]))
        for name, title in REFERENCES.items()
        if name in references
    ]
    return [row for row in found if set(row[2]) != {"–"}]
