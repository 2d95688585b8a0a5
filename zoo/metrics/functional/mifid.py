"""The Fréchet distance that punishes memorising (Bai et al., 2021, arXiv 2106.03062)."""

import torch
from torch.nn import functional as F

from zoo.errors import ZooError
from zoo.metrics.checks import check_features
from zoo.metrics.functional.frechet import frechet_distance

THRESHOLD = 0.1


def memorisation_distance(samples: torch.Tensor, training: torch.Tensor) -> torch.Tensor:
    """The cosine distance 1 - |cos| of each sample to the nearest training image.

    Args:
        samples (`torch.Tensor` of shape `(n, dimensions)`): Features of samples.
        training (`torch.Tensor` of shape `(m, dimensions)`): Features of the training images.

    Returns:
        `torch.Tensor` of shape `(n,)`, float64 in [0, 1]; 0 for a copy, 1 for features that are zero throughout.

    Raises:
        ZooError: If features are NaN, infinite, fewer than two or of differing dimensions.
    """
    samples = check_features(samples, "features of samples")
    training = check_features(training, "features of training images")
    if samples.shape[1] != training.shape[1]:
        raise ZooError(f"features: expected equal dimensions, got {samples.shape[1]} and {training.shape[1]}")
    cosine = F.normalize(samples) @ F.normalize(training).T
    return (1 - cosine.abs().amax(1)).clamp(min=0)


def mifid(samples: torch.Tensor, real: torch.Tensor, training: torch.Tensor, threshold: float = THRESHOLD) -> float:
    """Memorisation-informed Fréchet distance: divided by the mean distance to the training images if that is small.

    Args:
        samples (`torch.Tensor` of shape `(n, dimensions)`): Features of samples.
        real (`torch.Tensor` of shape `(m, dimensions)`): Features of the real images of the Fréchet distance.
        training (`torch.Tensor` of shape `(t, dimensions)`): Features of the training images.
        threshold (`float`): Mean `memorisation_distance` from which on nothing is punished. It belongs to the
            extractor; 0.1 is customary with Inception v3.

    Returns:
        `float`: The Fréchet distance, or a larger number. Lower is better.

    Raises:
        ZooError: As `frechet_distance` and `memorisation_distance` do.
    """
    return frechet_distance(samples, real) / penalty(memorisation_distance(samples, training), threshold)


def penalty(distances: torch.Tensor, threshold: float = THRESHOLD) -> float:
    """What the Fréchet distance is divided by: the mean of `memorisation_distance`, or 1 from the threshold on."""
    mean = distances.mean().item()
    return max(mean, 1e-14) if mean < threshold else 1.0  # exact copies alone have no distance to divide by
