"""The Fréchet distance between two sets of features (Heusel et al., 2017, arXiv 1706.08500)."""

import torch

from zoo.errors import ZooError
from zoo.metrics.checks import check_features


class FeatureStatistics:
    """Mean and covariance of a stream of features in float64: 50,000 images take no more memory than 1,000.

    Args:
        dimensions (`int`): Length of a feature vector.

    Batches are merged by the pairwise formula of Chan et al. (1979), which loses no digits to large means.
    """

    def __init__(self, dimensions: int):
        self.count = 0
        self.mean = torch.zeros(dimensions, dtype=torch.float64)
        self._scatter = torch.zeros(dimensions, dimensions, dtype=torch.float64)

    def update(self, features: torch.Tensor) -> "FeatureStatistics":
        """Adds features of shape `(n, dimensions)`.

        Raises:
            ZooError: If the shape is another or a number is NaN or infinite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ZooError(f"features: expected shape (n, {len(self.mean)}), got {tuple(features.shape)}")
        if not torch.isfinite(features).all():
            raise ZooError("features: NaN or infinite values")
        features = features.to(self.mean)
        if len(features) == 0:
            return self
        mean = features.mean(0)
        centred = features - mean
        shift = mean - self.mean
        total = self.count + len(features)
        self._scatter += centred.T @ centred + torch.outer(shift, shift) * (self.count * len(features) / total)
        self.mean = self.mean + shift * (len(features) / total)
        self.count = total
        return self

    @property
    def covariance(self) -> torch.Tensor:
        """The unbiased covariance, `(dimensions, dimensions)`."""
        if self.count < 2:
            raise ZooError(f"features: a covariance needs at least two images, got {self.count}")
        return self._scatter / (self.count - 1)


def frechet_distance(a: torch.Tensor | FeatureStatistics, b: torch.Tensor | FeatureStatistics) -> float:
    """Fréchet distance between the normal distributions fitted to two sets of features. Lower is better.

    |m₁ - m₂|² + tr S₁ + tr S₂ - 2 tr (S₁^½ S₂ S₁^½)^½ in float64, with nothing added to the diagonals. From
    statistics, the roots are taken by eigendecomposition of symmetric matrices. From features, with Sᵢ = AᵢᵀAᵢ, the
    last trace is the sum of the singular values of A₁A₂ᵀ: the same number, but the matrix is as large as the sets are,
    which for a thousand images and 1,280 dimensions is several times faster.

    Args:
        a (`torch.Tensor` of shape `(n, dimensions)` or `FeatureStatistics`): One set.
        b (`torch.Tensor` of shape `(m, dimensions)` or `FeatureStatistics`): The other.

    Returns:
        `float`: The distance, not below 0 but for rounding. It falls as `n` and `m` grow: compare at equal counts only.

    Raises:
        ZooError: If features are NaN or infinite, fewer than two, or of differing dimensions.

    Example:
        >>> a = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
        >>> round(frechet_distance(a, a + 3), 6)
        18.0
    """
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return _from_features(check_features(a, "first features"), check_features(b, "second features"))
    return _from_statistics(_statistics(a), _statistics(b))


def _statistics(source: torch.Tensor | FeatureStatistics) -> FeatureStatistics:
    return source if isinstance(source, FeatureStatistics) else FeatureStatistics(source.shape[1]).update(source)


def _check_dimensions(a: int, b: int) -> None:
    if a != b:
        raise ZooError(f"features: expected equal dimensions, got {a} and {b}")


def _from_statistics(a: FeatureStatistics, b: FeatureStatistics) -> float:
    _check_dimensions(len(a.mean), len(b.mean))
    values, vectors = torch.linalg.eigh(a.covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp(min=0).sqrt().sum()
    shift = (a.mean - b.mean).square().sum()
    return (shift + a.covariance.trace() + b.covariance.trace() - 2 * overlap).item()


def _from_features(a: torch.Tensor, b: torch.Tensor) -> float:
    _check_dimensions(a.shape[1], b.shape[1])
    shift = (a.mean(0) - b.mean(0)).square().sum()
    a = (a - a.mean(0)) / (len(a) - 1) ** 0.5
    b = (b - b.mean(0)) / (len(b) - 1) ** 0.5
    overlap = torch.linalg.svdvals(a @ b.T).sum()
    return (shift + a.square().sum() + b.square().sum() - 2 * overlap).item()
