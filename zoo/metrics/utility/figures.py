"""Means over patients and seeds, with intervals that know of both."""

import math
from collections.abc import Sequence

import torch
from scipy.stats import t as student

from zoo.metrics.intervals import figure, folds, jackknife_error

NORMAL = 1.96  # the quantile that `figure` multiplies a standard error by


def seeds_figure(values: torch.Tensor, ids: Sequence[str], classes: torch.Tensor | None = None) -> dict:
    """The mean over seeds of a mean over items in which each class weighs the same: of hits, the balanced accuracy.

    Two things are left to chance: which patients the split holds, and what the seeds drew while networks were trained.
    The error of the one comes from leaving out patients, that of the other is s/√k for `k` seeds of standard deviation
    `s`. They are independent, so their squares add. Three seeds say little about their own spread: instead of the
    normal quantile Student's t is taken, with the degrees of freedom of such a sum (Satterthwaite, 1946, Biometrics
    Bulletin 2:110) of which the first part counts as known; `k - 1` of them if it is nothing.

    Args:
        values (`torch.Tensor` of shape `(seeds, n)`): One value an item, for each seed; the difference of two such is
            a paired comparison.
        ids (sequence of length `n`): The patient of each item.
        classes (`torch.Tensor` of shape `(n,)`, *optional*): Class indices; all items are of one class by default.

    Returns:
        `dict`: `value`, `low`, `high` and `n` (patients); `per_seed` and their standard deviation `std`.

    Raises:
        ZooError: If there are fewer than two patients.
    """
    values, person = values.double(), folds(ids, max_folds=None)
    classes = torch.zeros_like(person) if classes is None else classes
    people, kinds = int(person.max()) + 1, int(classes.max()) + 1

    def totals(items: torch.Tensor) -> torch.Tensor:
        cells = torch.zeros(people * kinds, dtype=torch.float64).index_add(0, person * kinds + classes, items)
        return cells.view(people, kinds)

    def mean(sums: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return torch.where(counts > 0, sums / counts, math.nan).nanmean(-1)  # of the classes that are there

    counts, sums = totals(torch.ones(len(ids), dtype=torch.float64)), torch.stack([totals(row) for row in values])
    per_seed = mean(sums.sum(1), counts.sum(0))
    average = sums.mean(0)
    of_patients = jackknife_error(mean(average.sum(0) - average, counts.sum(0) - counts))
    seeds, spread = len(values), per_seed.std().item()
    of_seeds, error = spread / math.sqrt(seeds), math.hypot(of_patients, spread / math.sqrt(seeds))
    freedom = (seeds - 1) * (error / of_seeds) ** 4 if of_seeds else math.inf
    entry = figure(per_seed.mean(), error * student.ppf(0.975, freedom) / NORMAL, people)
    return entry | {"std": spread, "per_seed": per_seed.tolist()}
