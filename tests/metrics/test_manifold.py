"""Precision, recall, density and coverage against a plain reading of the papers, and on sets worked out by hand."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from zoo.errors import ZooError
from zoo.metrics import density_coverage, precision_recall
from zoo.metrics.functional.manifold import Distances


def clouds(count: int = 120, shift: float = 0.7, dimensions: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(count, dimensions, generator=generator).double() * 0.8 + shift
    return samples, torch.randn(count, dimensions, generator=generator).double()


def by_the_papers(samples: np.ndarray, real: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """The formulas as loops, with scikit-learn's neighbours."""

    def radii(points):
        return NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)[0][:, -1]

    real_radii, sample_radii = radii(real), radii(samples)
    inside = np.array([[np.linalg.norm(x - y) <= r for y, r in zip(real, real_radii, strict=True)] for x in samples])
    precision = np.mean([row.any() for row in inside])
    recall = np.mean([(np.linalg.norm(samples - y, axis=1) <= sample_radii).any() for y in real])
    return precision, recall, inside.sum() / (k * len(samples)), np.mean([column.any() for column in inside.T])


@pytest.mark.parametrize("k", [1, 3, 5])
def test_scores_are_those_of_the_papers(k):
    samples, real = clouds()
    expected = by_the_papers(samples.numpy(), real.numpy(), k)
    assert 0.1 < min(expected) and expected[0] < 1  # so that a wrong side or count would show
    assert (*precision_recall(samples, real, k), *density_coverage(samples, real, k)) == pytest.approx(expected)


def test_by_hand():
    """On a line. Real balls (k = 1): 0±1, 1±1, 5±4; sample balls: 0.5±9.5, 10±9.5, 20±10."""
    real, samples = torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[0.5], [10.0], [20.0]])
    assert precision_recall(samples, real, k=1) == pytest.approx((1 / 3, 1))
    assert density_coverage(samples, real, k=1) == pytest.approx((2 / 3, 2 / 3))


def test_copies_are_precise_and_a_single_mode_has_no_recall():
    _, real = clouds()
    assert precision_recall(real, real) == (1, 1)
    assert density_coverage(real, real)[1] == 1
    one = real[:1].repeat(len(real), 1)
    assert precision_recall(one, real) == (1, pytest.approx(1 / len(real)))
    assert density_coverage(one, real)[1] < 0.2


def test_samples_of_the_real_distribution_have_the_expected_density_and_coverage():
    """Density 1 and coverage 1 - 2⁻ᵏ, nearly (Naeem et al., lemmas 1 and 2)."""
    samples, real = clouds(1000, shift=0.0)
    density, coverage = density_coverage(real[:500], real[500:], k=5)
    assert density == pytest.approx(1, abs=0.1) and coverage == pytest.approx(1 - 2**-5, abs=0.03)


def test_a_subset_of_distances_is_that_of_the_features():
    samples, real = clouds()
    ours, theirs = torch.arange(10, 60), torch.arange(5, 55)
    part, whole = Distances.between(samples[ours], real[theirs]), Distances.between(samples, real).subset(ours, theirs)
    for name in ("samples", "real", "cross"):
        torch.testing.assert_close(getattr(part, name), getattr(whole, name))


@pytest.mark.parametrize("scores", [precision_recall, density_coverage])
def test_bad_features_are_named(scores):
    good = torch.randn(10, 4)
    for samples, real, k, message in (
        (torch.full((10, 4), torch.nan), good, 3, "features of samples: NaN"),
        (good, good[:9], 3, "as many samples as real images, got 10 and 9"),
        (good, good[:, :3], 3, "equal dimensions"),
        (good, good, 10, "k: expected 1 to 9"),
        (good, good, 0, "k: expected 1 to 9"),
    ):
        with pytest.raises(ZooError, match=message):
            scores(samples, real, k)
