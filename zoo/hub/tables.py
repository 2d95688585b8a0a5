"""The results table: one row a model beside the three reference rows, from each model's `metrics.json` alone."""

import csv
import io
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.hub import layout
from zoo.hub.figures_text import text, value_of
from zoo.hub.metrics_file import load_metrics

REFERENCES = {"real": "*real images*", "mean_image": "*mean image*", "copy": "*copy of training images*"}
EXTRACTOR = "efficientnet_lite0"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
# Heading of the table, name in the CSV, group and key in metrics.json
COLUMNS = (
    ("Fréchet distance (× real)", f"fd_{EXTRACTOR}", "distribution", f"fd_{EXTRACTOR}"),
    ("KID", f"kid_{EXTRACTOR}", "distribution", f"kid_{EXTRACTOR}"),
    ("FID (Inception v3)", "fid_inception_v3", "distribution", "fid_inception_v3"),
    ("SSIM", "projection_ssim", "projection", "ssim"),
    ("CC", "projection_cc", "projection", "cc"),
    ("MSE", "projection_mse", "projection", "mse"),
    ("PSNR (dB)", "projection_psnr", "projection", "psnr"),
    ("Latent dimensions", "latent_dimensions", "projection", "latent_dimensions"),
    ("Copies", "share_copies", "copying", "share_copies"),
    ("MS-SSIM (training images)", "diversity_ms_ssim", "diversity", "ms_ssim"),
    ("Samples/s, batch 1", "samples_per_second_batch_1", "cost", "samples_per_second_batch_1"),
    ("Samples/s, batch 16", "samples_per_second_batch_16", "cost", "samples_per_second_batch_16"),
    ("Parameters", "parameters", "cost", "parameters"),
    ("Training images seen", "images_seen", "training", "images_seen"),
)
# Shown only where somebody has measured it; the others are always there
OPTIONAL = "fid_inception_v3"
FILE_WIDTH = 160  # characters


def list_models(root: str | os.PathLike) -> list[Path]:
    """The folders of published models directly under `root`, by name."""
    return sorted(path.parent for path in Path(root).glob(f"*/{layout.INDEX_FILE}"))


def results_table(folders: Iterable[str | os.PathLike], format: str = "md") -> str:
    """Renders what was measured of models, with the reference rows beside them.

    Models are compared only where they were measured on the same split of the same dataset: each such pair has a table
    of its own, sorted by Fréchet distance. A figure that was not measured is an en dash, in CSV an empty cell.

    Args:
        folders: The folders of the models.
        format (`str`): `"md"`, `"csv"` or `"text"` for a terminal.

    Raises:
        ZooError: If the format is unknown, a folder is no model or none of them has been evaluated.
    """
    renderers = {"md": _markdown, "csv": _csv, "text": _text}
    if format not in renderers:
        raise ZooError(f"format: expected one of {', '.join(renderers)}, got {format!r}")
    groups = {}
    for folder in map(Path, folders):
        layout.read_index(folder)
        metrics = load_metrics(folder)
        if "dataset" in metrics:
            dataset = metrics["dataset"]
            models = groups.setdefault((dataset["preset"], dataset["split"], dataset["fingerprint"]), {})
            models[folder.resolve().name] = metrics
    if not groups:
        raise ZooError("compare: none of the models has been evaluated; run `cardiac-zoo evaluate` first")
    return renderers[format]([_rows(models) for _, models in sorted(groups.items())])


def _rows(models: dict[str, dict]) -> tuple[dict, list[tuple[str, dict]]]:
    """The dataset of a table and its rows, each a name and groups of figures; references first, then the best model."""
    references = {}
    for metrics in models.values():
        for row, groups in metrics.get("references", {}).items():
            references.setdefault(row, {}).update(groups)
    rows = [(title, references[row]) for row, title in REFERENCES.items() if references.get(row)]
    return next(iter(models.values()))["dataset"], rows + sorted(models.items(), key=_rank)


def _rank(model: tuple[str, dict]) -> tuple:
    name, metrics = model
    distance = value_of(metrics.get("distribution", {}).get(f"fd_{EXTRACTOR}"))
    return (distance is None, distance or 0.0, name)


def _cell(groups: dict, group: str, key: str) -> str:
    figure = groups.get(group, {}).get(key)
    if figure is None:
        return "–"
    cell = text(figure, key)
    if isinstance(figure, dict) and "ratio_to_real" in figure:
        cell += f" (× {figure['ratio_to_real']:.2f})"
    if (group, key) == ("diversity", "ms_ssim") and "ms_ssim_train" in groups[group]:
        cell += f" ({text(value_of(groups[group]['ms_ssim_train']))})"
    return cell


def _title(dataset: dict) -> str:
    patients = f"{dataset['n_patients']} patients, " if "n_patients" in dataset else ""
    return f"{dataset['name']} `{dataset['preset']}`, {dataset['split']} ({patients}{dataset['n_images']:,} images)"


def _table(rows: list[tuple[str, dict]]) -> list[list[str]]:
    """Headings and cells as text."""
    columns = [c for c in COLUMNS if c[1] != OPTIONAL or any(c[3] in groups.get(c[2], {}) for _, groups in rows)]
    cells = [[name, *(_cell(groups, group, key) for *_, group, key in columns)] for name, groups in rows]
    return [["Model", *(heading for heading, *_ in columns)], *cells]


def _markdown(tables: list[tuple[dict, list]]) -> str:
    parts = []
    for dataset, rows in tables:
        head, *body = _table(rows)
        lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---", *["---:"] * (len(head) - 1)], *body)]
        parts.append(f"**{_title(dataset)}**\n\n" + "\n".join(lines))
    notes = ["Intervals are 95 %. Projections (SSIM to PSNR) are read beside their latent dimensions."]
    if not any(OPTIONAL in groups.get("distribution", {}) for _, rows in tables for _, groups in rows):
        notes.append("FID: not measured (Inception weights absent).")
    return "\n\n".join([*parts, " ".join(notes)]) + "\n"


def _csv(tables: list[tuple[dict, list]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [f"{column[1]}{bound}" for column in COLUMNS for bound in ("", "_low", "_high")]
    writer.writerow(["dataset", "split", "fingerprint", "model", *names])
    for dataset, rows in tables:
        for name, groups in rows:
            cells = []
            for *_, group, key in COLUMNS:
                figure = groups.get(group, {}).get(key)
                bounds = (figure.get("low"), figure.get("high")) if isinstance(figure, dict) else (None, None)
                cells += [value_of(figure), *bounds]
            where = (dataset["preset"], dataset["split"], dataset["fingerprint"])
            writer.writerow([*where, name.strip("*"), *cells])
    return stream.getvalue()


def _text(tables: list[tuple[dict, list]]) -> str:
    """Metrics as rows and models as columns, which fits a terminal."""
    from rich.table import Table

    rendered = []
    for dataset, rows in tables:
        (corner, *models), *lines = zip(*_table(rows), strict=True)
        table = Table(corner, title=_title(dataset).replace("`", ""), title_justify="left")
        for name in models:
            table.add_column(name.strip("*"), justify="right")
        for line in lines:
            table.add_row(*line)
        rendered.append(table)
    return _rendered(*rendered)


def models_table(root: str | os.PathLike) -> str:
    """What models a folder holds, as text for a terminal.

    Raises:
        ZooError: If it holds none.
    """
    from rich.table import Table

    folders = list_models(root)
    if not folders:
        raise ZooError(f"{root}: no models, expected folders with {layout.INDEX_FILE}")
    table = Table()
    for heading in ("Model", "Class", "Trained on", "Parameters", "Checkpoint (MB)", "Fréchet distance (× real)"):
        table.add_column(heading, justify="left" if heading in ("Model", "Class", "Trained on") else "right")
    for folder in folders:
        metrics = load_metrics(folder)
        size = sum(file.stat().st_size for file in folder.rglob("*.safetensors")) / 1e6
        trained_on = metrics.get("training", {}).get("dataset", {}).get("preset", "–")
        name = layout.pipeline_name(layout.read_index(folder))
        cells = (_cell(metrics, "cost", "parameters"), f"{size:.1f}", _cell(metrics, "distribution", f"fd_{EXTRACTOR}"))
        table.add_row(folder.name, name, trained_on, *cells)
    return _rendered(table)


def _rendered(*tables) -> str:
    """Tables of rich as text, as wide as the terminal, or wide enough for a file or pipe."""
    from rich.console import Console

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else FILE_WIDTH
    console = Console(file=io.StringIO(), width=width)
    console.print(*tables, sep="\n")
    return console.file.getvalue()


def update_section(path: str | os.PathLike, content: str) -> None:
    """Replaces what stands between the results markers of a Markdown file.

    Raises:
        ZooError: If the file is missing or has no markers.
    """
    path = Path(path)
    if not path.is_file():
        raise ZooError(f"{path}: not found; expected a Markdown file with {BEGIN} and {END}")
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ZooError(f"{path}: expected the markers {BEGIN} and {END}")
    write_atomic(path, f"{before}{BEGIN}\n{content}{END}{after}")
