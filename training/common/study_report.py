"""The report of a study from the records of its systems: tables, curves, samples, and how ours differs."""

import os
from pathlib import Path

import numpy as np
import torch

import zoo.datasets
from common.study_plan import System
from common.study_record import CURVES_FILE, Record
from common.study_table import Row, besides_table, judges_table, markdown, study_table, utility_table
from zoo.cards.figures_text import duration, text
from zoo.files import write_atomic
from zoo.published.networks import load_judge

PICTURE_ROWS = 3
Done = list[tuple[System, Record]]


def write_report(about: dict, done: Done, left_out: list[str], commands: list[str], folder: Path) -> Path:
    """Writes `README.md` and its picture of samples into the folder of the records. It shows no real image."""
    parts = [f"# {about['title']}", f"The study: {about['source']}."]
    if any("phantom" in record.metrics["dataset"]["name"].lower() for _, record in done):
        parts.append("**No ACDC was named (`DATASET=…`): some of it is of a drawn phantom, not of hearts.**")
    if done:
        parts += ["## The study's figures beside ours", *tables(about, done)]
        parts += [f"{system.title}, also reported by the study: {system.also}." for system, _ in done if system.also]
        parts += ["## What was run", ran_table(done)]
    parts += ["## What they can and cannot mean", about["reading"].strip()]
    if differs := [f"- {system.title}: {system.differs}" for system, _ in done if system.differs]:
        parts.append("\n".join(["## How ours differs", "", *differs]))
    if made := [pair for pair in done if pair[0].makes_images]:
        parts += ["## Pictures", *draw_samples(made, folder)]
    if curves := [curve for curve in (curves_of(*pair) for pair in done) if curve]:
        parts += ["## Loss curves", *curves]
    if left_out:
        parts.append("\n".join(["## Not run here", "", *(f"- {reason}" for reason in left_out)]))
    if commands:
        parts.append("\n".join(["## Commands of the last sitting", "", "```bash", *commands, "```"]))
    return write_atomic(folder / "README.md", "\n\n".join(parts) + "\n")


def by_dataset(done: Done) -> list[Done]:
    """The systems that were trained on one dataset, for each dataset."""
    keys = dict.fromkeys(record.plan["dataset"] for _, record in done)
    return [[pair for pair in done if pair[1].plan["dataset"] == key] for key in keys]


def tables(about: dict, done: Done) -> list[str]:
    """Tables of the generators of each dataset, and one of the networks that judge, each under its title."""
    parts = []
    for members in by_dataset([pair for pair in done if pair[0].makes_images]):
        dataset, rows = members[0][1].metrics["dataset"], list(map(_row, members))
        alone = ", ".join(name for names in members[0][0].chosen.values() for name in names)
        of = f", {alone} alone" if alone else ""
        parts += [f"**{dataset['preset']}{of}: {dataset['n_images']:,} images to compare with**"]
        parts += [study_table(about["figures"], rows)]
        if besides := besides_table(about.get("besides", {}), rows):
            parts += [about["besides_title"], besides]
    if judges := [_row(pair) for pair in done if pair[0].judge]:
        parts += ["**Networks that judge**", judges_table(about["judges"], judges)]
    for system, record in done:
        if system.utility:
            table = utility_table(about["utility"], system.reported, record.metrics["utility"])
            parts += [f"**{system.title}**: accuracy / precision / recall / F1", table]
    return parts + confusions(done)


def confusions(done: Done) -> list[str]:
    """The confusion matrices of what classifies, where there are two classes."""
    lines = []
    for system, record in done:
        groups = [record.metrics.get("classification", {}), *record.metrics.get("utility", {}).values()]
        for name, group in zip(["", *record.metrics.get("utility", {})], groups, strict=True):
            for key, matrix in group.items() if isinstance(group, dict) else ():
                if key.endswith("confusion"):
                    rows = " / ".join(", ".join(f"{count:.4g}" for count in row) for row in matrix)
                    lines.append(f"- {system.title}{f', {name}' if name else ''}: {rows}")
    return ["\n".join(["Confusion matrices, a row a true class:", "", *lines])] if lines else []


def _row(pair: tuple[System, Record]) -> Row:
    system, record = pair
    return Row(system.title, system.reported, record.metrics, f"{record.folder.name}/metrics.json")


def ran_table(done: Done) -> str:
    """The length of each run, its share of the study's, when it stopped, and where."""
    head = ["System", "Length", "Of the study's", "Stopped", "Best at", "Images seen", "Time", "Samples", "Machine"]
    lines = []
    for system, record in done:
        training, plan = record.metrics.get("training", {}), record.plan
        full = plan["recipe"][system.unit]
        log = record.log
        stopped = f"epoch {log[-1]['epoch']:.0f}" if log else "–"
        seconds = log[-1]["seconds"] if log else training.get("seconds")
        lines.append(
            [
                system.title,
                f"{plan[system.unit]:,} {system.unit.removeprefix('num_').replace('_', ' ')}",
                f"{min(1, plan[system.unit] / full):.4g} of {full:,}",
                stopped,
                f"epoch {training['epochs']}" if log and "epochs" in training else "–",
                f"{log[-1]['images_seen'] if log else training.get('images_seen', 0):,}",
                "–" if seconds is None else duration(seconds),
                "–" if system.judge else f"{record.evaluated['samples']:,}",
                training.get("hardware", "–"),
            ]
        )
    return markdown(head, lines)


def draw_samples(done: Done, folder: Path) -> list[str]:
    """A picture for each dataset: a column of samples of each system, uncurated."""
    from matplotlib.figure import Figure

    parts = []
    for number, members in enumerate(by_dataset(done)):
        columns = {system.title: record.samples()[:PICTURE_ROWS] for system, record in members}
        figure = Figure(figsize=(1.5 * len(columns), 1.5 * PICTURE_ROWS + 0.3), layout="constrained")
        _draw_columns(figure, columns)
        name = f"samples-{number}.png"
        figure.savefig(folder / name, dpi=100)
        said = f"From left to right: {', '.join(columns)}. Samples 0 to {PICTURE_ROWS - 1} of seed 0, uncurated."
        parts += [f"![Samples]({name})", said]
    return parts


def draw_beside_originals(done: Done, originals: np.ndarray, path: Path) -> Path:
    """As figure 4 of study A has it: originals first. It shows real images and is not for publishing.

    Args:
        done: Systems of one dataset.
        originals (`np.ndarray` of shape `(3, height, width, channels)`): uint8.
        path (`Path`): Of the picture.
    """
    from matplotlib.figure import Figure

    columns = {"original": originals} | {system.title: record.samples()[:PICTURE_ROWS] for system, record in done}
    figure = Figure(figsize=(1.5 * len(columns), 1.5 * PICTURE_ROWS + 0.3), layout="constrained")
    _draw_columns(figure, columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    return path


def draw_segmentations(folder: Path, rows, path: Path) -> Path:
    """As figure 5.19 of study C: images, their masks, those that a segmenter finds, and these laid over the images.

    Args:
        folder (`Path`): Of the segmenter.
        rows (`datasets.Dataset`): With `image` and `mask`.
        path (`Path`): Of the picture, which shows real images and is not for publishing.
    """
    from matplotlib.figure import Figure

    chosen = rows.select(np.linspace(0, len(rows) - 1, PICTURE_ROWS + 2)[1:-1].round().astype(int))
    images, masks = zoo.datasets.images(chosen), zoo.datasets.images(chosen, "mask")[..., 0]
    judge = load_judge(folder, "segmenter")
    found = judge.masks(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    shades = 255 // (len(judge.network.config.class_names) - 1)
    overlaid = images.repeat(3 // images.shape[-1], axis=-1).copy()
    overlaid[..., 0] = np.where(found > 0, 255, overlaid[..., 0])
    columns = {"image": images, "mask": masks * shades, "prediction": found * shades, "overlaid": overlaid}
    figure = Figure(figsize=(1.5 * len(columns), 1.5 * PICTURE_ROWS + 0.3), layout="constrained")
    _draw_columns(figure, columns)
    figure.savefig(path, dpi=100)
    return path


def _draw_columns(figure, columns: dict[str, np.ndarray]) -> None:
    axes = figure.subplots(PICTURE_ROWS, len(columns), squeeze=False)
    for column, (title, images) in enumerate(columns.items()):
        axes[0, column].set_title(title, fontsize=8)
        for axis, image in zip(axes[:, column], images, strict=True):
            axis.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
            axis.axis("off")


def curves_of(system: System, record: Record) -> str:
    """The loss curves of a run, empty of what was not trained."""
    if not (record.folder / CURVES_FILE).is_file():
        return ""
    best = record.metrics.get("training", {}).get("selected_by", {})
    said = "; ".join(f"{name} {text(value)}" for name, value in best.items())
    picture = os.path.join(record.folder.name, CURVES_FILE)
    return f"{system.title}{f', kept by {said}' if said else ''}:\n\n![{system.title}]({picture})"
