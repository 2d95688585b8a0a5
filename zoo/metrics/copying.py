"""Does it copy patients? How near samples come to training images, beside real images of patients not trained on."""

import torch

from zoo.metrics import copy_report
from zoo.metrics.context import Context, Group
from zoo.metrics.distribution import MIN_REFERENCE, NUM_SAMPLES
from zoo.metrics.feature_copying import FeatureCopies
from zoo.metrics.functional import auc
from zoo.metrics.image_set import ImageSet, from_split
from zoo.metrics.intervals import mean_figure, share_figure, two_sample_figure, within
from zoo.metrics.nearest import Neighbours, nearest_training

SECONDS_PER_COMPARISON = 5e-6  # of an image with a training image, on one core at 64x64


def threshold(copies: torch.Tensor, real: torch.Tensor) -> float:
    """The ratio up to which a sample counts as a copy: the larger of two.

    Args:
        copies (`torch.Tensor`): Ratios of the `copy` row; at least 99 % of them must be caught.
        real (`torch.Tensor`): Ratios of real images of unseen patients; where it costs no more than 1 % of false
            alarms, the threshold is raised to that, since copies of a generator are not as exact as those of the row.
    """
    caught = torch.quantile(copies, 0.99, interpolation="higher")
    return max(caught, torch.quantile(real, 0.01, interpolation="lower")).item()


def copying_row(neighbours: Neighbours, ids: list[str], limit: float, classes: list[str] | None = None) -> dict:
    """The figures of one row: the share of images whose ratio is at most `limit`, CC and SSIM to the nearest image.

    Args:
        neighbours (`Neighbours`): Of the row's images.
        ids (`list[str]` of length `n`): What is independent among them.
        limit (`float`): The threshold of the ratio.
        classes (`list[str]` of length `m`, *optional*): The pathology of each training image. With it the share is
            also given for the images nearest to each pathology: where patients are few, more may be copied.
    """
    copied = neighbours.ratio <= limit
    row = {
        "share_copies": share_figure(copied, ids),
        "nearest_cc_train": mean_figure(neighbours.cc, ids),
        "nearest_ssim_train": mean_figure(neighbours.ssim, ids),
    }
    for name in dict.fromkeys(classes or []):
        chosen = [i for i, nearest in enumerate(neighbours.index.tolist()) if classes[nearest] == name]
        if chosen:
            row[f"share_copies_{name}"] = share_figure(copied[chosen], [ids[i] for i in chosen])
    return row


def membership_figure(train: Neighbours, other: Neighbours, train_ids: list[str], other_ids: list[str]) -> dict:
    """How well an attacker who has the samples alone can tell training images from images of other patients.

    The attack calls a real image the likelier to have been trained on, the nearer a sample is to it (GAN-Leaks, Chen et
    al., 2020, arXiv 1909.03935, without access to the generator). The figure is its AUC, 0.5 if nothing leaks.

    Args:
        train (`Neighbours`): Of the samples among the training images.
        other (`Neighbours`): Of the samples among images of patients that training has not seen.
        train_ids, other_ids (`list[str]`): The patients of these images; the interval leaves out those of both.
    """
    return within(two_sample_figure(auc, train.training_cc, other.training_cc, train_ids, other_ids), high=1.0)


def measure(run: Context) -> tuple[dict, dict]:
    """Group `copying`: the samples, the thresholds that real images and copies calibrate, and the reference rows."""
    samples, others = run.samples, len(run.train) + len(run.reference)
    details = f"{len(samples):,} samples with {len(run.train):,} training and {len(run.reference):,} other images"
    run.announce("copying", details, len(samples) * others * SECONDS_PER_COMPARISON)
    impartial = [extractor for extractor in run.extractors if not extractor.knows_patients]
    checks = [FeatureCopies(extractor, run.train, run.feature_dir, run.progress) for extractor in impartial]
    described = [extractor.describe() for extractor in run.extractors]
    found = run.references("copying", lambda: _references(run, checks), described)
    rows = found.pop("rows")
    near = _nearest(run, samples)
    group = _row(run, checks, samples, near, found) | found
    if "patient_ids" in run.data.info["splits"]["train"]:
        copied = near[0].index[near[0].ratio <= found["threshold"]].tolist()
        group["copied_patients"] = sorted({run.train.ids[i] for i in copied})
    if run.report_dir is not None:
        copy_report.write_report(run.report_dir, samples, run.train, near[0], found["threshold"])
    return group, rows


def _references(run: Context, checks: list[FeatureCopies]) -> dict:
    """The rows, the thresholds they calibrate, and the false alarms on patients that training has not seen."""
    sets = dict(run.rows()) | {"real": _unseen(run)}
    near = {row: _nearest(run, images) for row, images in sets.items()}
    result = {"threshold": threshold(*(near[row][0].ratio for row in ("copy", "real")))}
    for check in checks:
        result[f"threshold_{check.name}"] = threshold(*(check.ratio(sets[row]) for row in ("copy", "real")))
        result[f"threshold_mifid_{check.name}"] = check.mifid_threshold(sets["real"])
    rows = {row: _row(run, checks, images, near[row], result) for row, images in sets.items()}
    false_alarms = {"real": rows["real"]}
    if run.split == "test":  # the thresholds know nothing of these patients
        to_train = nearest_training(run.reference.images, run.train, run.progress)
        test = copying_row(to_train, run.reference.ids, result["threshold"])
        for check in checks:
            test |= check.row(run.reference, result[f"threshold_{check.name}"])
        false_alarms["real_test"] = test
    for kind, row in false_alarms.items():
        for name in ("", *(f"_{check.name}" for check in checks)):
            result[f"share_copies_{kind}{name}"] = row[f"share_copies{name}"]
    return result | {"rows": rows}


def _row(run: Context, checks: list, images: ImageSet, near: tuple[Neighbours, Neighbours], limits: dict) -> dict:
    """The figures of a row from its nearest images in `train` and in the split, in pixels and in features."""
    train, split = near
    row = copying_row(train, images.ids, limits["threshold"], _pathologies(run.data.dataset["train"]))
    row[f"nearest_ssim_{run.split}"] = mean_figure(split.ssim, images.ids)
    row["membership_auc"] = membership_figure(train, split, run.train.ids, run.reference.ids)
    for check in checks:
        row |= check.row(images, limits[f"threshold_{check.name}"])
        if len(images) == NUM_SAMPLES and len(run.reference) >= MIN_REFERENCE:
            row |= check.mifid(images, run.reference, limits[f"threshold_mifid_{check.name}"])
    return row


def _nearest(run: Context, images: ImageSet) -> tuple[Neighbours, Neighbours]:
    """The nearest images in `train` and in the split."""
    return tuple(nearest_training(images.images, among, run.progress) for among in (run.train, run.reference))


def _unseen(run: Context) -> ImageSet:
    """Real images of patients that training has not seen, whatever the split."""
    return run.once("unseen", lambda: from_split(run.data, "validation"))


def _pathologies(rows) -> list[str] | None:
    """The pathology of each row, where the dataset says it of all."""
    if "pathology" not in rows.column_names or None in rows["pathology"][:]:
        return None
    return rows.features["pathology"].int2str(rows["pathology"][:])


GROUP = Group("copying", measure, check=_unseen)
