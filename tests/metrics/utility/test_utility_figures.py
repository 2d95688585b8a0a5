"""Means over patients and seeds: values by hand and by another package, intervals that cover the truth."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from zoo.errors import ZooError
from zoo.metrics.intervals import mean_figure
from zoo.metrics.utility.figures import seeds_figure

IDS = [f"p{i // 3}" for i in range(24)]


def test_value_seeds_and_spread():
    values = torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    entry = seeds_figure(values, ["a", "a", "b", "c"])
    assert entry["per_seed"] == [0.75, 0.5, 1.0] and entry["value"] == 0.75 and entry["n"] == 3
    assert entry["std"] == pytest.approx(0.25)


def test_alike_seeds_leave_the_interval_over_patients():
    values = torch.rand(24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    entry, plain = seeds_figure(values.repeat(3, 1), IDS), mean_figure(values, IDS)
    assert [entry[key] for key in ("value", "low", "high", "n")] == pytest.approx(list(plain.values())[:4], rel=1e-4)
    assert entry["std"] == pytest.approx(0)


def test_seeds_that_differ_widen_it_by_students_t():
    values = torch.tensor([0.4, 0.5, 0.6])[:, None].repeat(1, 24)  # patients are all alike
    entry = seeds_figure(values, IDS)
    half = 4.3027 * 0.1 / 3**0.5
    assert entry["high"] - 0.5 == pytest.approx(half, rel=1e-3) and 0.5 - entry["low"] == pytest.approx(half, rel=1e-3)


def test_balanced_accuracy_of_another_package():
    rng = np.random.default_rng(0)
    truth, answers = np.array([0] * 15 + [1] * 6 + [2] * 3), rng.integers(3, size=(3, 24))
    entry = seeds_figure(torch.from_numpy(answers == truth), IDS, torch.from_numpy(truth))
    assert entry["per_seed"] == pytest.approx([balanced_accuracy_score(truth, row) for row in answers])


def test_a_class_that_leaves_with_its_only_patient():
    classes = torch.tensor([0] * 21 + [1] * 3)
    entry = seeds_figure(torch.stack([classes.double()] * 3), IDS, classes)
    assert entry["value"] == 0.5 and 0.5 - entry["low"] > 0.4  # all of the other class's recall is at stake


def test_a_difference_of_nothing_is_no_difference():
    entry = seeds_figure(torch.zeros(3, 24), IDS)
    assert (entry["low"], entry["value"], entry["high"]) == (0, 0, 0)


def test_intervals_cover_the_truth():
    """Patients and seeds shift scores by amounts of their own; 95 % intervals hold the mean of both."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        patients, seeds = rng.normal(0, 0.1, 12), rng.normal(0, 0.05, 3)
        values = seeds[:, None] + patients.repeat(4) + rng.normal(0, 0.05, (3, 48))
        entry = seeds_figure(torch.from_numpy(values), [f"p{i // 4}" for i in range(48)])
        covered += entry["low"] <= 0 <= entry["high"]
    assert 0.92 <= covered / 300


def test_one_patient_has_no_interval():
    with pytest.raises(ZooError, match="at least two patients"):
        seeds_figure(torch.ones(3, 4), ["a"] * 4)
