"""`metrics.json`: reading it, and adding newly measured groups to it."""

import json
import os
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import write_atomic

METRICS_FILE = "metrics.json"
SCHEMA_VERSION = 1
MEASURED_GROUPS = (
    "projection",
    "inversion",
    "distribution",
    "diversity",
    "copying",
    "anatomy",
    "conditioning",
    "utility",
    "cost",
)


def load_metrics(folder: str | os.PathLike) -> dict:
    """Reads the `metrics.json` of a model's folder; `{}` if nothing has been measured yet.

    Raises:
        ZooError: If the file is not JSON or of another schema.
    """
    path = Path(folder) / METRICS_FILE
    if not path.is_file():
        return {}
    try:
        metrics = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ZooError(f"{path}: expected JSON ({error})") from error
    if not isinstance(metrics, dict) or metrics.get("schema_version") != SCHEMA_VERSION:
        raise ZooError(f"{path}: schema_version: expected {SCHEMA_VERSION}")
    if wrong := [key for key, group in metrics.items() if key != "schema_version" and not isinstance(group, dict)]:
        raise ZooError(f"{path}: {wrong[0]}: expected a group of figures")
    return metrics


def merge_metrics(old: dict, new: dict) -> dict:
    """Adds measured groups to earlier ones.

    Earlier groups are kept only if they describe the same thing: the same weights on the same split of the same
    dataset, with the same samples. `training` is always kept, and what `model` says is added to.
    """
    merged = {"schema_version": SCHEMA_VERSION, **new}
    merged["model"] = {**old.get("model", {}), **new.get("model", {})}
    if "training" in old:
        merged["training"] = old["training"]
    if _subject(old) == _subject(new):
        merged = {**old, **merged}
        merged["extractors"] = {**old.get("extractors", {}), **new.get("extractors", {})}
        rows = {**old.get("references", {}), **new.get("references", {})}
        merged["references"] = {
            row: {**old.get("references", {}).get(row, {}), **new.get("references", {}).get(row, {})} for row in rows
        }
    return merged


def _subject(metrics: dict) -> tuple:
    """What the groups of a file were measured on."""
    dataset, samples = metrics.get("dataset", {}), metrics.get("samples", {})
    return metrics.get("model", {}).get("sha256"), dataset.get("fingerprint"), dataset.get("split"), samples


def save_metrics(path: str | os.PathLike, metrics: dict) -> Path:
    """Writes a metrics file; it is whole or as it was."""
    return write_atomic(path, json.dumps(metrics, indent=2) + "\n")
