"""The jackknife against closed forms, and against what repeated experiments really scatter by."""

import pytest
import torch

from zoo.errors import ZooError
from zoo.metrics.functional import frechet_distance
from zoo.metrics.intervals import (
    figure,
    folds,
    mean_figure,
    one_sample_figure,
    share_figure,
    two_sample_figure,
    within,
)


def test_mean_of_independent_images_has_the_textbook_interval():
    values = torch.randn(50, generator=torch.Generator().manual_seed(0)).double()
    found = mean_figure(values, range(50))
    assert found["value"] == pytest.approx(values.mean().item())
    assert found["high"] - found["value"] == pytest.approx(1.96 * values.std().item() / 50**0.5)
    assert found["n"] == 50 and found["std"] == pytest.approx(values.std().item())


def test_repeated_images_of_a_patient_add_no_certainty():
    values = torch.randn(10, generator=torch.Generator().manual_seed(0)).double()
    once, often = mean_figure(values, range(10)), mean_figure(values.repeat_interleave(7), [i // 7 for i in range(70)])
    assert {key: often[key] for key in ("value", "low", "high", "n")} == pytest.approx(
        {key: once[key] for key in ("value", "low", "high", "n")}
    )


def test_folds_keep_a_patient_together():
    ids = [f"p{i // 3}" for i in range(120)]
    fold = folds(ids, 25)
    assert fold.unique().tolist() == list(range(25))
    assert all(len(set(fold[3 * i : 3 * i + 3].tolist())) == 1 for i in range(40))
    with pytest.raises(ZooError, match="at least two patients"):
        folds(["one", "one"])


def test_share_figure_is_wilsons_interval():
    flags = torch.tensor([True] * 10 + [False] * 90)
    found = share_figure(flags, range(100))
    # Newcombe (1998), method 3, worked by hand for 10 of 100
    assert (found["value"], found["low"], found["high"]) == pytest.approx((0.1, 0.05523, 0.17437), abs=1e-4)
    assert share_figure(torch.zeros(100, dtype=torch.bool), range(100))["high"] == pytest.approx(0.037, abs=1e-3)


def test_two_sample_error_is_the_real_scatter():
    """The half-width, on average, is 1.96 standard deviations of the Fréchet distance over new patients and samples."""
    generator = torch.Generator().manual_seed(0)

    def experiment() -> dict:
        patients = torch.randn(20, 1, 3, generator=generator)
        real = (patients + 0.5 * torch.randn(20, 5, 3, generator=generator)).reshape(100, 3)
        samples = torch.randn(200, 3, generator=generator) + 2
        return two_sample_figure(frechet_distance, samples, real, range(200), [i // 5 for i in range(100)])

    found = [experiment() for _ in range(150)]
    scatter = torch.tensor([f["value"] for f in found]).std()
    claimed = torch.tensor([(f["high"] - f["low"]) / (2 * 1.96) for f in found]).mean()
    assert found[0]["n"] == 20
    assert claimed / scatter == pytest.approx(1, abs=0.25)


def test_a_number_that_is_none_is_refused():
    with pytest.raises(ZooError, match="finite"):
        figure(float("nan"), 1.0, 10)


def test_a_statistic_of_one_set_has_the_interval_of_the_mean():
    """Of the mean itself, where the textbook knows the answer; patients count once, however many images they have."""
    values = torch.randn(20, generator=torch.Generator().manual_seed(0)).double()
    found = one_sample_figure(lambda x: x.mean().item(), values, range(20))
    assert found["high"] - found["value"] == pytest.approx(1.96 * values.std().item() / 20**0.5)
    often = one_sample_figure(lambda x: x.mean().item(), values.repeat_interleave(3), [i // 3 for i in range(60)])
    assert often == pytest.approx(found)


def test_bounds_end_where_values_do():
    share = figure(0.3, 0.5, 10)
    assert share["low"] < 0 and share["high"] > 1
    assert within(share, high=1.0) == {"value": 0.3, "low": 0.0, "high": 1.0, "n": 10}
