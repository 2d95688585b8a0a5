"""How good are the judges themselves? Dice of a segmenter, accuracy of a classifier, wrong views that are told."""

from pathlib import Path

import torch

from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.metrics.functional import binary_scores, confusion_matrix, volume_dice
from zoo.metrics.image_set import ImageSet, from_split, masks_of, volumes_of
from zoo.metrics.intervals import mean_figure, share_figure
from zoo.metrics.views import view_figures
from zoo.published.metrics_file import SCHEMA_VERSION
from zoo.published.networks import WEIGHTS_FILE, Judge, load_judge

GROUP = {"segmenter": "segmentation", "classifier": "classification", "view": "views"}


def evaluate_judge(folder: str | Path, data: BuiltDataset, split: str = "test") -> dict:
    """Measures a published network that judges on one split of a dataset.

    Args:
        folder (path): Of the network.
        data (`BuiltDataset`): With masks for a segmenter, with the classes for a classifier, of whole slices with masks
            for a network of views.
        split (`str`): `validation` to choose anything, `test` once.

    Returns:
        `dict`: `model`, `dataset` and the network's group of `metrics.json`, as `GROUP` names it.

    Raises:
        ZooError: If the folder holds no such network, or the dataset does not fit it.
    """
    judge = load_judge(folder)
    family = judge.network.family
    if family == "view":
        figures = view_figures(judge, data, split)
    elif reason := judge.misfit(data):
        raise ZooError(f"dataset {data.info['preset']}: {judge.name} {reason}")
    else:
        measure = dice_figures if family == "segmenter" else accuracy_figures
        figures = measure(judge, from_split(data, split), data.dataset[split])
    return {
        "schema_version": SCHEMA_VERSION,
        "model": {"name": judge.name, "family": family, "sha256": {WEIGHTS_FILE: judge.sha256}},
        "dataset": data.describe(split),
        GROUP[family]: figures,
    }


def dice_figures(segmenter: Judge, images: ImageSet, rows) -> dict:
    """Dice per volume against the true masks: the mean over the structures as `dice`, and each structure's.

    Args:
        segmenter (`Judge`): What labels the images.
        images (`ImageSet`): Of the rows, with their patients.
        rows (`datasets.Dataset`): With `mask`.

    Returns:
        `dict`: `dice` and `dice_<structure>`, each with its interval over patients and `std` over volumes; `volumes`.

    Raises:
        ZooError: If the rows have no masks.
    """
    if "mask" not in rows.column_names:
        raise ZooError(f"dataset: column 'mask': not there, {segmenter.name} is measured by it")
    truth = masks_of(rows)
    volumes = volumes_of(images, rows)
    structures = segmenter.network.config.class_names[1:]
    labels = range(1, 1 + len(structures))
    found, scores = volume_dice(segmenter.masks(images.images), truth, volumes, labels)
    ids = [volume[0] for volume in found]
    group = {"dice": mean_figure(scores.nanmean(1), ids)}
    for name, column in zip(structures, scores.T, strict=True):
        there = ~column.isnan()
        group[f"dice_{name}"] = mean_figure(column[there], [ids[i] for i in there.nonzero().flatten().tolist()])
    return group | {"volumes": len(found)}


def accuracy_figures(classifier: Judge, images: ImageSet, rows) -> dict:
    """Accuracy for each condition, by slice, and for what does not change within a patient also by patient.

    A patient's class is the one with the largest mean probability over the slices.

    Args:
        classifier (`Judge`): What classifies the images.
        images (`ImageSet`): Of the rows, with their patients.
        rows (`datasets.Dataset`): With a class column for each condition of the classifier.

    Returns:
        `dict`: `<condition>_accuracy_slice`, `<condition>_accuracy_patient`, `<condition>_chance` (the share of the
        most frequent class among the slices). Of two classes also `<condition>_precision`, `_recall` and `_f1` of the
        second one, and `_confusion`, counts with a row a true class.
    """
    group = {}
    patients = sorted(set(images.ids))
    place = torch.tensor([patients.index(item) for item in images.ids])
    for condition, probability in classifier.probabilities(images.images).items():
        names = classifier.network.config.class_names[condition]
        if condition not in rows.column_names or rows.features[condition].names != list(names):
            raise ZooError(f"dataset: column '{condition}': expected the classes {', '.join(names)}")
        truth = torch.tensor(rows[condition][:])
        group[f"{condition}_accuracy_slice"] = share_figure(probability.argmax(1) == truth, images.ids)
        if len(names) == 2:
            matrix = confusion_matrix(probability.argmax(1), truth, 2)
            group |= {f"{condition}_{name}": score for name, score in binary_scores(matrix, positive=1).items()}
            group[f"{condition}_confusion"] = matrix.tolist()
        group[f"{condition}_chance"] = torch.bincount(truth).max().item() / len(truth)
        own = [truth[place == index] for index in range(len(patients))]
        if all((classes == classes[0]).all() for classes in own):
            totals = torch.zeros(len(patients), len(names)).index_add(0, place, probability)
            right = totals.argmax(1) == torch.stack([classes[0] for classes in own])
            group[f"{condition}_accuracy_patient"] = share_figure(right, patients)
    return group
