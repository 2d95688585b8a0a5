"""Writes the rows of the studies' systems into the page that has every line of the studies.

    python training/index_reports.py

What was run, and our figures, come from the records in `training/reports/study_*/`; what a study reports, from
`training/studies.yaml`.
"""

import os
from pathlib import Path

from common.errors import told_in_one_line
from common.study_plan import System, read_study, systems_of
from common.study_record import Record, find_record
from common.study_table import markdown
from zoo.cards.columns import DISTANCE
from zoo.cards.figures_text import text, value_of
from zoo.cards.tables import update_section

ROOT = Path(__file__).resolve().parents[1]
REPORTS = Path("training/reports")
HEAD = ["System", "Where", "Command", "Ran at which share", "Our figures", "Theirs", "Differs how"]


def row(study: str, system: System, record: Record | None, figures: dict) -> list[str]:
    """The cells of a system under `HEAD`."""
    where = f"`training/recipes/study_{study}/{system.recipe or system.key}.yaml`"
    if system.sampler:
        where = f"`{system.made_of}`, sampled by " + ", ".join(f"{value}" for value in system.sampler.values())
    if system.utility:
        where = "`zoo/metrics/utility/one_class.py`"
    reported = ", ".join(f"{name} {value}" for name, value in system.reported.items())
    theirs = "; ".join(part for part in (reported, system.also) if part) or "none printed"
    needed = " ".join([*system.bases, system.key])
    command = f'`make study-{study} FRACTION=1.0 ONLY="{needed}"`'
    return [system.title, where, command, share(system, record), ours(record, figures), theirs, system.differs or "–"]


def share(system: System, record: Record | None) -> str:
    """How much of the study's own length was run here."""
    if record is None:
        return "not run here: weights" if system.weights else "not yet"
    full = record.plan["recipe"][system.unit]
    unit = system.unit.removeprefix("num_").replace("_", " ")
    return f"{record.plan[system.unit]:,} of {full:,} {unit}"


def ours(record: Record | None, figures: dict) -> str:
    """Our figures of those that the study has, and FID where it was measured."""
    if record is None:
        return "–"
    found = []
    for name, (group, key) in figures.items():
        figure = record.metrics.get(group, {}).get(key)
        if figure is not None:
            found.append(f"{name} {text(value_of(figure), key)}")
    if DISTANCE.figure(record.metrics) is not None:
        found.append(f"FID (EfficientNet-Lite0) {text(value_of(DISTANCE.figure(record.metrics)))}")
    return ", ".join(found) or f"[metrics]({record.folder.parent.name}/{record.folder.name}/metrics.json)"


def section(study: str) -> str:
    """The table of a study."""
    about = read_study(study)
    figures, reports = about["figures"] | about.get("judges", {}), REPORTS / f"study_{study}"
    rows = [row(study, system, find_record(reports, system.key), figures) for system in systems_of(about)]
    return markdown(HEAD, rows) + "\n"


def main() -> None:
    os.chdir(ROOT)
    for study in "abc":
        update_section(REPORTS / "README.md", section(study), f"study-{study}")


if __name__ == "__main__":
    with told_in_one_line():
        main()
