"""Fidelity and coverage by nearest neighbours: the manifold of a set is the union of a ball around each of its images.

Precision and recall: Kynkäänniemi et al., 2019, arXiv 1904.06991. Density and coverage: Naeem et al., 2020, arXiv
2002.09797. A ball reaches to its image's k-th nearest neighbour in the image's own set, the image itself not counted.
"""

from dataclasses import dataclass

import torch

from zoo.errors import ZooError
from zoo.metrics.checks import check_features

K_PRECISION = 3
K_DENSITY = 5


@dataclass(frozen=True)
class Distances:
    """The distances within and between `n` samples and `m` real images, from which all four scores follow.

    Args:
        samples (`torch.Tensor` of shape `(n, n)`): Between samples.
        real (`torch.Tensor` of shape `(m, m)`): Between real images.
        cross (`torch.Tensor` of shape `(n, m)`): From each sample to each real image.
    """

    samples: torch.Tensor
    real: torch.Tensor
    cross: torch.Tensor

    @classmethod
    def between(cls, samples: torch.Tensor, real: torch.Tensor) -> "Distances":
        """Euclidean distances of features `(n, dimensions)` and `(m, dimensions)`, in float64.

        Raises:
            ZooError: If features are NaN or infinite, fewer than two, or of differing dimensions.
        """
        samples, real = check_features(samples, "features of samples"), check_features(real, "features of real images")
        if samples.shape[1] != real.shape[1]:
            raise ZooError(f"features: expected equal dimensions, got {samples.shape[1]} and {real.shape[1]}")
        return cls(*(_distances(a, b) for a, b in ((samples, samples), (real, real), (samples, real))))

    def subset(self, samples: torch.Tensor, real: torch.Tensor) -> "Distances":
        """Those of some samples and real images alone, given by index."""
        return Distances(self.samples[samples][:, samples], self.real[real][:, real], self.cross[samples][:, real])

    def precision(self, k: int = K_PRECISION) -> float:
        """The share of samples that lie in a ball of real images (equation 2)."""
        return (self.cross <= _radii(self.real, k)).any(1).double().mean().item()

    def recall(self, k: int = K_PRECISION) -> float:
        """The share of real images that lie in a ball of samples (equation 2)."""
        return (self.cross <= _radii(self.samples, k)[:, None]).any(0).double().mean().item()

    def density(self, k: int = K_DENSITY) -> float:
        """How many balls of real images a sample lies in, on average, divided by `k` (equation 3)."""
        return (self.cross <= _radii(self.real, k)).sum().item() / (k * len(self.cross))

    def coverage(self, k: int = K_DENSITY) -> float:
        """The share of real images in whose balls there is a sample (equation 4)."""
        return (self.cross.amin(0) <= _radii(self.real, k)).double().mean().item()


def precision_recall(samples: torch.Tensor, real: torch.Tensor, k: int = K_PRECISION) -> tuple[float, float]:
    """Improved precision (are samples like real images?) and recall (the other way round). Higher is better.

    Args:
        samples (`torch.Tensor` of shape `(n, dimensions)`): Features of samples.
        real (`torch.Tensor` of shape `(n, dimensions)`): Features of as many real images: both scores depend on the
            counts, and are compared at equal ones.
        k (`int`): Which neighbour a ball reaches to.

    Returns:
        Two `float`, both in [0, 1].

    Raises:
        ZooError: If the counts differ or do not exceed `k`, or features are NaN, infinite or of differing dimensions.

    Example:
        >>> real = torch.arange(4.0)[:, None]
        >>> precision_recall(real + 1.5, real, k=1)
        (0.75, 0.75)
    """
    distances = _equal_counts(Distances.between(samples, real))
    return distances.precision(k), distances.recall(k)


def density_coverage(samples: torch.Tensor, real: torch.Tensor, k: int = K_DENSITY) -> tuple[float, float]:
    """Density (how crowded with real images the samples' places are) and coverage. Higher is better.

    Unlike precision, density is not fooled by one outlier among the real images; unlike recall, coverage is not raised
    by samples that are far off.

    Args:
        samples (`torch.Tensor` of shape `(n, dimensions)`): Features of samples.
        real (`torch.Tensor` of shape `(n, dimensions)`): Features of as many real images.
        k (`int`): Which neighbour a ball reaches to.

    Returns:
        Two `float`: density, not below 0 and near 1 for samples of the real distribution, and coverage in [0, 1], which
        is near 1 - 2⁻ᵏ for these.

    Raises:
        ZooError: If the counts differ or do not exceed `k`, or features are NaN, infinite or of differing dimensions.
    """
    distances = _equal_counts(Distances.between(samples, real))
    return distances.density(k), distances.coverage(k)


def _equal_counts(distances: Distances) -> Distances:
    n, m = distances.cross.shape
    if n != m:
        raise ZooError(f"features: expected as many samples as real images, got {n:,} and {m:,}")
    return distances


def _distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    # Without the matrix-product trick, by which an image would lie some 1e-6 away from its copy.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _radii(within: torch.Tensor, k: int) -> torch.Tensor:
    """Distance of each image to its k-th nearest neighbour; `within` also holds that to itself, which is 0."""
    if not 1 <= k < len(within):
        raise ZooError(f"k: expected 1 to {len(within) - 1} with {len(within)} images, got {k}")
    return within.kthvalue(k + 1, dim=1).values
