"""How long a study takes on this machine: each training is timed for some seconds."""

import json
import tempfile
from pathlib import Path

import zoo.datasets
from common.study_plan import System
from common.study_table import markdown
from zoo.errors import ZooError

SECONDS = 20  # of each training


def time_training(shell, script: list, recipe: Path, system: System) -> float:
    """Images a second of a training that is stopped after some seconds; what it leaves is removed.

    Args:
        shell ([`Shell`]): Runs the command.
        script (`list`): The command, but for its options.
        recipe (`Path`): Its recipe.
        system (`System`): Prepared.

    Raises:
        ZooError: If it ends before the first step of its optimiser.
    """
    with tempfile.TemporaryDirectory() as folder:
        where = ["--output_dir", folder, "--name", system.key, "--dataset", system.dataset]
        shell.command(*script, "--config", recipe, *where, "--max_seconds", SECONDS)
        lines = (Path(folder) / system.key / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["images_seen"]]
    if not rows:
        raise ZooError(f"{recipe}: no step within {SECONDS} seconds")
    return rows[0]["images_per_second"]


def hours_table(rows: list[tuple[System, str | None, float | None]]) -> str:
    """A Markdown table: a row for each system, why it is left out, and the images a second of its training."""
    lines, total = [], 0.0
    for system, reason, rate in rows:
        if reason or rate is None:
            lines.append([system.title, "–", "–", "–", reason or "not trained"])
            continue
        images = len(zoo.datasets.load(system.dataset).dataset["train"]) * system.full_length
        total += (hours := images / rate / 3600)
        lines.append([system.title, f"{images:,}", f"{rate:.1f}", f"{hours:,.1f}", ""])
    lines.append(["all", "", "", f"{total:,.1f}", "training alone, on this machine"])
    return markdown(["System", "Training images", "Images/s", "Hours of the whole study", ""], lines)
