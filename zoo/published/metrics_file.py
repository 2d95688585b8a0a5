"""`metrics.json`: reading it, and adding newly measured groups to it."""

import json
import os
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.published.metrics_schema import SCHEMA_VERSION, fault

METRICS_FILE = "metrics.json"
BY_EXTRACTOR = {"copying", "distribution"}  # groups whose figures end with an extractor's name
HAD_A_PART = "had_a_part"  # of an extractor that a model was trained or sampled with: it would grade its own homework


def load_metrics(folder: str | os.PathLike) -> dict:
    """Reads the `metrics.json` of a model's folder; `{}` if nothing has been measured yet.

    Raises:
        ZooError: If the file is not JSON, or `check` refuses it.
    """
    return read(Path(folder) / METRICS_FILE)


def read(path: str | os.PathLike) -> dict:
    """Reads a metrics file; `{}` if there is none.

    Raises:
        ZooError: If the file is not JSON, or `check` refuses it.
    """
    path = Path(path)
    if not path.exists():
        return {}
    try:
        metrics = json.loads(path.read_text())
    except ValueError as error:  # not JSON, or not text at all
        raise ZooError(f"{path}: expected JSON ({error})") from error
    check(metrics, path)
    return metrics


def check(metrics: dict, path: str | os.PathLike = METRICS_FILE) -> None:
    """Validates the content of a metrics file, as read or as it is to be written.

    Raises:
        ZooError: With its path and the field, if a type is wrong, a number not finite, or a group or unit unknown.
    """
    if not isinstance(metrics, dict) or metrics.get("schema_version") != SCHEMA_VERSION:
        raise ZooError(f"{path}: schema_version: expected {SCHEMA_VERSION}")
    if wrong := fault(metrics):
        raise ZooError(f"{path}: {wrong}")


def graded_by_itself(metrics: dict, key: str) -> bool:
    """Whether a figure is one of an extractor that had a part in the model, which cannot be its headline."""
    parts = [name for name, entry in metrics.get("extractors", {}).items() if entry.get(HAD_A_PART)]
    return key.endswith(tuple(f"_{name}" for name in parts))


def merge_metrics(old: dict, new: dict) -> dict:
    """Adds measured groups to earlier ones.

    Earlier groups are kept only if they describe the same thing: the same weights on the same split of the same
    dataset, with the same samples. Of a group measured again, figures of extractors that were not used this time are
    kept as well. The model's name and `training` are always kept.
    """
    kept = {"training": old["training"]} if "training" in old else {}
    if _same_subject(old, new):
        kept = old
        others = [name for name in old.get("extractors", {}) if name not in new.get("extractors", {})]
        old_rows, new_rows = old.get("references", {}), new.get("references", {})
        references = {row: _merged(old_rows.get(row, {}), new_rows.get(row, {}), others) for row in old_rows | new_rows}
        new = {**_merged(old, new, others), "references": references, "extractors": _joined(old, new, "extractors")}
    merged = {**kept, **new, "schema_version": SCHEMA_VERSION}
    merged["model"] = {**_joined(old, new, "model"), "name": old.get("model", new["model"])["name"]}
    return merged


def _joined(old: dict, new: dict, key: str) -> dict:
    return {**old.get(key, {}), **new.get(key, {})}


def _merged(old: dict, new: dict, extractors: list[str]) -> dict:
    """Groups of figures: the new ones where there are any, with those of other extractors from the old ones."""
    endings = tuple(f"_{name}" for name in extractors)
    groups = {**old, **new}
    for group in BY_EXTRACTOR & old.keys() & new.keys():
        kept = {key: figure for key, figure in old[group].items() if endings and key.endswith(endings)}
        groups[group] = {**kept, **new[group]}
    return groups


def _same_subject(old: dict, new: dict) -> bool:
    """Whether two files measure the same weights on the same images with the same samples."""
    keys = [("model", "sha256"), ("dataset", "fingerprint"), ("dataset", "split")]
    samples = [metrics["samples"] for metrics in (old, new) if "samples" in metrics]  # projections need none
    same_samples = len(samples) < 2 or samples[0] == samples[1]
    return same_samples and all(old.get(group, {}).get(key) == new.get(group, {}).get(key) for group, key in keys)


def save(path: str | os.PathLike, metrics: dict) -> Path:
    """Writes a metrics file; it is whole or as it was.

    Raises:
        ZooError: As `check` does; nothing is written then.
    """
    content = json.dumps(metrics, indent=2)
    check(json.loads(content), path)  # tuples are lists by now
    return write_atomic(path, content + "\n")
