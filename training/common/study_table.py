"""A study's figures and ours, side by side."""

from dataclasses import dataclass

from zoo.cards.columns import DISTANCE, SPEED
from zoo.cards.figures_text import text
from zoo.cards.results import REFERENCES


@dataclass
class Row:
    """One system.

    Args:
        title (`str`): As the study calls it.
        reported (`dict`): The study's figures by their names there.
        metrics (`dict`): Our `metrics.json`.
        card (`str`): Where our full report is, from where the table will stand.
    """

    title: str
    reported: dict
    metrics: dict
    card: str


def study_table(figures: dict[str, tuple[str, str]], rows: list[Row]) -> str:
    """Each figure of a study with ours beside it, as Markdown; the reference rows last.

    Args:
        figures (`dict`): The group and the key in `metrics.json` of each figure, by its name in the study. One that no
            row has, neither there nor here, gets no columns.
        rows (`list[Row]`): Systems of one dataset.
    """
    figures = {
        name: (group, key)
        for name, (group, key) in figures.items()
        if any(name in row.reported or key in row.metrics.get(group, {}) for row in rows)
    }
    head = ["System", *(f"{name}, {whose}" for name in figures for whose in ("study", "here"))]
    head += [DISTANCE.heading, "Latent dimensions", SPEED.heading, "Training images seen", "Full report"]
    lines, references = [], {}
    for row in rows:
        for name, groups in row.metrics.get("references", {}).items():
            references.setdefault(name, {}).update(groups)
        cells = [row.title]
        for name, (group, key) in figures.items():
            ours = row.metrics.get(group, {}).get(key)
            cells += [str(row.reported.get(name, "–")), "–" if ours is None else text(ours, key)]
        latent = row.metrics.get("projection", {}).get("latent_dimensions")
        cells += [DISTANCE.cell(row.metrics), "–" if latent is None else f"{latent:,}", SPEED.cell(row.metrics)]
        lines.append([*cells, f"{row.metrics['training']['images_seen']:,}", f"[card]({row.card})"])
    for name, title in REFERENCES.items():
        found = [references.get(name, {}).get(group, {}).get(key) for group, key in figures.values()]
        if any(figure is not None for figure in found):
            ours = ["–" if figure is None else text(figure) for figure in found]
            distance = DISTANCE.cell(references[name])
            lines.append([title, *(cell for our in ours for cell in ("", our)), distance, "", "", "", ""])
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))
