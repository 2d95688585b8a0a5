"""CMMD, MIFID, Inception Score and AUC against other implementations."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from torchmetrics.image.mifid import _compute_cosine_distance

from zoo.errors import ZooError
from zoo.metrics import cmmd, frechet_distance, inception_score, mifid
from zoo.metrics.functional import auc
from zoo.metrics.functional.mifid import memorisation_distance, penalty


def features(count: int, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 12, generator=torch.Generator().manual_seed(seed)).double() + 1 + shift


def test_cmmd_is_scikit_learns_kernel_on_features_of_length_one():
    a, b = features(40), features(30, shift=0.5, seed=1)
    x, y = ((v / v.norm(dim=1, keepdim=True)).numpy() for v in (a, b))
    gamma = 1 / (2 * 10**2)
    within = [(rbf_kernel(v, v, gamma).sum() - len(v)) / (len(v) * (len(v) - 1)) for v in (x, y)]
    expected = 1000 * (sum(within) - 2 * rbf_kernel(x, y, gamma).mean())
    assert expected > 0.1 and cmmd(a, b) == pytest.approx(expected, rel=1e-8)
    assert cmmd(3 * a, b / 7) == pytest.approx(expected, rel=1e-8)


def test_cmmd_is_unbiased():
    values = [cmmd(features(20, seed=2 * i), features(30, seed=2 * i + 1)) for i in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 200**0.5
    assert min(values) < 0 < max(values)


@pytest.mark.parametrize("noise", [1e-3, 0.05, 5.0])
def test_memorisation_is_torchmetrics(noise):
    """Small distances punish, large ones do not; torchmetrics' first set is the one that is averaged over."""
    training = features(60)
    samples = training[:40] + noise * features(40, seed=1)
    expected = _compute_cosine_distance(samples, training, cosine_distance_eps=0.1).item()
    assert (noise < 1) == (expected < 0.1)
    assert penalty(memorisation_distance(samples, training)) == pytest.approx(expected, rel=1e-8)
    real = features(50, seed=2)
    assert mifid(samples, real, training) == pytest.approx(frechet_distance(samples, real) / expected)


def test_memorisation_of_copies_and_of_what_has_no_direction():
    training = features(10)
    assert memorisation_distance(-2 * training[3:5], training).tolist() == pytest.approx([0, 0], abs=1e-12)
    assert memorisation_distance(torch.zeros(2, 12), training).tolist() == [1, 1]
    assert np.isfinite(mifid(training, features(20, seed=1), training))


def test_inception_score_is_the_mean_divergence():
    probabilities = torch.rand(50, 7, generator=torch.Generator().manual_seed(0)).double() ** 3
    probabilities /= probabilities.sum(1, keepdim=True)
    p = probabilities.numpy()
    expected = np.exp(np.mean([entropy(row, p.mean(0)) for row in p]))
    assert inception_score(probabilities) == pytest.approx(expected)
    assert inception_score(torch.eye(5).repeat(4, 1)) == pytest.approx(5)  # sure of all classes
    assert inception_score(torch.full((4, 5), 0.2)) == pytest.approx(1)  # sure of none
    assert inception_score(torch.eye(5)[[2, 2, 2]]) == pytest.approx(1)  # one class alone


def test_auc_is_scikit_learns_with_ties():
    random = np.random.default_rng(0)
    positive, negative = random.integers(3, 10, 40), random.integers(0, 8, 30)
    expected = roc_auc_score([1] * 40 + [0] * 30, np.concatenate([positive, negative]))
    assert auc(torch.from_numpy(positive).double(), torch.from_numpy(negative).double()) == pytest.approx(expected)


@pytest.mark.parametrize("distance", [cmmd, memorisation_distance])
def test_bad_features_are_named(distance):
    good = torch.randn(10, 4)
    with pytest.raises(ZooError, match="NaN"):
        distance(good, torch.full((10, 4), torch.nan))
    with pytest.raises(ZooError, match="at least two rows"):
        distance(good, good[:1])
    with pytest.raises(ZooError, match="equal dimensions"):
        distance(good, good[:, :3])


def test_what_is_no_distribution_and_no_score():
    for rows in (torch.ones(3, 4), torch.tensor([[1.5, -0.5]] * 3), torch.full((3, 2), torch.nan)):
        with pytest.raises(ZooError, match="sum to 1"):
            inception_score(rows)
    with pytest.raises(ZooError, match="at least two rows"):
        inception_score(torch.ones(3))
    with pytest.raises(ZooError, match="NaN"):
        auc(torch.tensor([torch.nan]), torch.ones(2))
    with pytest.raises(ZooError, match="two lists"):
        auc(torch.ones(0), torch.ones(2))
