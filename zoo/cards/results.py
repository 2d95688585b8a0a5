"""What was measured of models, from each one's `metrics.json` alone, with the three reference rows beside them."""

import os
from collections.abc import Iterable
from pathlib import Path

from zoo.cards.columns import DAGGER, DISTANCE
from zoo.cards.figures_text import value_of
from zoo.errors import ZooError
from zoo.families import FAMILIES
from zoo.published import layout
from zoo.published.loading import name_of
from zoo.published.metrics_file import graded_by_itself, load_metrics

REFERENCES = {"real": "*real images*", "mean_image": "*mean image*", "copy": "*copy of training images*"}
GRADED_BY_ITSELF = "By a network that had a part in the making of the images; the model's card gives another first."
# Families of published models that make no images
JUDGES = {"segmenter", "classifier"}
# The dataset of a table and its rows, each a name and the groups of its figures
Table = tuple[dict, list[tuple[str, dict]]]


def results(folders: Iterable[str | os.PathLike]) -> list[Table]:
    """What was measured of models, with the reference rows beside them.

    Models are compared only where they were measured on the same split of the same dataset: each such pair has a table
    of its own, the reference rows first and then the models by Fréchet distance. Models without figures, and those that
    make no images, have no row.

    Raises:
        ZooError: If a folder is no model or no generator among them has been evaluated.
    """
    groups = {}
    for folder in map(Path, folders):
        layout.read_index(folder)
        metrics = load_metrics(folder)
        if "dataset" in metrics and metrics.get("model", {}).get("family") not in JUDGES:
            dataset = metrics["dataset"]
            models = groups.setdefault((dataset["preset"], dataset["split"], dataset["fingerprint"]), {})
            models[name_of(folder)] = metrics
    if not groups:
        raise ZooError("compare: none of the models has been evaluated; run `cardiac-zoo evaluate` first")
    return [_rows(models) for _, models in sorted(groups.items())]


def _rows(models: dict[str, dict]) -> Table:
    references = {}
    for metrics in models.values():
        for row, groups in metrics.get("references", {}).items():
            references.setdefault(row, {}).update(groups)
    rows = [(title, references[row]) for row, title in REFERENCES.items() if references.get(row)]
    return next(iter(models.values()))["dataset"], rows + sorted(models.items(), key=_rank)


def _rank(model: tuple[str, dict]) -> tuple:
    name, metrics = model
    distance = value_of(DISTANCE.figure(metrics))
    return (distance is None, graded_by_itself(metrics, DISTANCE.key), distance or 0.0, name)


def best(tables: list[Table]) -> list[Table]:
    """Of the tables of hearts the row of real images and the first model of each kind: those of one training script."""
    chosen = []
    for dataset, rows in tables:
        kinds = {}
        for name, groups in rows:
            family = groups.get("model", {}).get("family")
            kind = FAMILIES[family].script if family in FAMILIES else family
            if name == REFERENCES["real"] or family is not None and DISTANCE.figure(groups) is not None:
                kinds.setdefault(kind, (name, groups))
        if any("anatomy" in groups for _, groups in rows):
            chosen.append((dataset, list(kinds.values())))
    return chosen


def title(dataset: dict) -> str:
    """What a table is about: dataset, split and counts, in Markdown."""
    patients = f"{dataset['n_patients']} patients, " if "n_patients" in dataset else ""
    return f"{dataset['name']} `{dataset['preset']}`, {dataset['split']} ({patients}{dataset['n_images']:,} images)"


def notes(tables: list[Table]) -> str:
    """What has to be said below the tables."""
    said = ["Intervals are 95 %. Projections are read beside their latent dimensions: more make them easier."]
    if not any("fid_inception_v3" in groups.get("distribution", {}) for _, rows in tables for _, groups in rows):
        said.append("FID (Inception-v3): not measured (its weights absent).")
    if any(graded_by_itself(groups, DISTANCE.key) for _, rows in tables for _, groups in rows):
        said.append(f"{DAGGER} {GRADED_BY_ITSELF}")
    return " ".join(said)
