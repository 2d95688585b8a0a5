"""95 % intervals, by leaving out patients.

Slices of one patient resemble each other, so the independent items are patients. Each interval here comes from a
delete-a-group jackknife: the statistic is computed again without each group of patients in turn, and the spread of
these values, times √(groups - 1), estimates the standard error (Shao & Wu, 1989, Ann. Stat. 17:1176). Nothing is drawn
twice: a bootstrap fills a set with repeated images, which lowers its covariance's rank and inflates Fréchet distances.
"""

from collections.abc import Callable, Hashable, Sequence

import torch

from zoo.errors import ZooError

MAX_FOLDS = 25


def figure(value: float, standard_error: float, n: int) -> dict:
    """A measured figure as `metrics.json` holds it, with normal 95 % bounds.

    Raises:
        ZooError: If a number is NaN or infinite.
    """
    value, standard_error = float(value), float(standard_error)
    if not torch.isfinite(torch.tensor([value, standard_error])).all():
        raise ZooError(f"figure: expected a finite value and standard error, got {value} and {standard_error}")
    return {"value": value, "low": value - 1.96 * standard_error, "high": value + 1.96 * standard_error, "n": n}


def within(entry: dict, low: float = 0.0, high: float = float("inf")) -> dict:
    """A figure whose bounds go no further than its values can: a share has none below 0."""
    return entry | {"low": max(low, entry["low"]), "high": min(high, entry["high"])}


def folds(ids: Sequence[Hashable], max_folds: int | None = MAX_FOLDS) -> torch.Tensor:
    """The group that each item is left out with: `(len(ids),)` integers; items of one id stay together.

    Ids are dealt out in sorted order, so that neighbours in a list sorted by pathology fall into different groups.

    Raises:
        ZooError: If there are fewer than two ids.
    """
    unique = sorted(set(ids))
    if len(unique) < 2:
        raise ZooError(f"interval: expected images of at least two patients, got {len(unique)}")
    count = min(len(unique), max_folds or len(unique))
    fold_of = {item: rank % count for rank, item in enumerate(unique)}
    return torch.tensor([fold_of[item] for item in ids])


def jackknife_error(left_out: Sequence[float] | torch.Tensor) -> float:
    """The standard error of a statistic, from its values without each group."""
    values = torch.as_tensor(left_out, dtype=torch.float64)
    return ((values - values.mean()).square().sum() * (len(values) - 1) / len(values)).sqrt().item()


def mean_figure(values: torch.Tensor, ids: Sequence[Hashable]) -> dict:
    """The mean of one value an image, its interval over patients, and the values' standard deviation as `std`.

    Args:
        values (`torch.Tensor` of shape `(n,)`): One value an image.
        ids (sequence of length `n`): The patient of each image.
    """
    values = values.double()
    fold = folds(ids, max_folds=None)
    sums = torch.zeros(fold.max() + 1, dtype=torch.float64).index_add(0, fold, values)
    counts = torch.bincount(fold)
    left_out = (values.sum() - sums) / (len(values) - counts)
    return figure(values.mean(), jackknife_error(left_out), len(counts)) | {"std": values.std().item()}


def share_figure(flags: torch.Tensor, ids: Sequence[Hashable]) -> dict:
    """The share of images that are flagged, with Wilson's interval for as many trials as there are patients.

    Wilson's bounds say something about a share of zero, where a normal interval has no width. Counting patients rather
    than images makes them wide enough for patients whose images are all flagged together.
    """
    share, n, z = flags.double().mean().item(), len(set(ids)), 1.96
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    return {"value": share, "low": max(0.0, centre - half), "high": min(1.0, centre + half), "n": n}


def one_sample_figure(
    statistic: Callable[[torch.Tensor], float], samples: torch.Tensor, ids: Sequence[Hashable]
) -> dict:
    """A statistic of one set that is no mean over images, such as `inception_score`.

    Args:
        statistic: What is measured.
        samples (`torch.Tensor` of shape `(n, …)`): One row an image.
        ids (sequence of length `n`): What is independent: the sample, or its patient; `n` is their number.
    """
    fold = folds(ids)
    left_out = [statistic(samples[fold != k]) for k in range(int(fold.max()) + 1)]
    return figure(statistic(samples), jackknife_error(left_out), len(set(ids)))


def two_sample_figure(
    statistic: Callable[[torch.Tensor, torch.Tensor], float],
    samples: torch.Tensor,
    real: torch.Tensor,
    sample_ids: Sequence[Hashable],
    real_ids: Sequence[Hashable],
) -> dict:
    """A distance between two sets of features. Each round leaves out a group of patients and an equal share of samples.

    Args:
        statistic: What is measured, such as `frechet_distance`.
        samples (`torch.Tensor` of shape `(n, dimensions)`): Features of the samples.
        real (`torch.Tensor` of shape `(m, dimensions)`): Features of the real images.
        sample_ids (sequence of length `n`): What is independent on the sample side: the sample, or its patient.
        real_ids (sequence of length `m`): The patient of each real image; `n` of the figure is their number.
    """
    rounds = min(MAX_FOLDS, len(set(sample_ids)), len(set(real_ids)))
    sample_fold, real_fold = folds(sample_ids, rounds), folds(real_ids, rounds)
    left_out = [statistic(samples[sample_fold != k], real[real_fold != k]) for k in range(rounds)]
    return figure(statistic(samples, real), jackknife_error(left_out), len(set(real_ids)))
