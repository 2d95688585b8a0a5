"""The Inception Score (Salimans et al., 2016, arXiv 1606.03498) on the class probabilities of any classifier."""

import torch

from zoo.errors import ZooError


def inception_score(probabilities: torch.Tensor) -> float:
    """exp E KL(p(y | x) ‖ p(y)): high when each image is of a clear class and the classes are evenly many.

    It says nothing of the likeness to real images, and means what its classifier's classes mean: with ImageNet classes
    it is hard to read on hearts. It is taken over all samples at once, not as the mean of ten splits.

    Args:
        probabilities (`torch.Tensor` of shape `(n, classes)`): A row an image, not negative, each with a sum of 1.

    Returns:
        `float`: Between 1 and the number of classes. Higher is better.

    Raises:
        ZooError: If the shape is another, or a row is no distribution.

    Example:
        >>> inception_score(torch.eye(3))
        3.0
    """
    if probabilities.ndim != 2 or len(probabilities) < 2:
        raise ZooError(f"probabilities: expected at least two rows of classes, got shape {tuple(probabilities.shape)}")
    p = probabilities.double()
    if not (torch.isfinite(p).all() and (p >= 0).all() and (p.sum(1) - 1).abs().max() < 1e-4):
        raise ZooError("probabilities: expected rows of numbers from 0 that sum to 1")
    entropy_of_mean = -torch.special.xlogy(p.mean(0), p.mean(0)).sum()
    mean_entropy = -torch.special.xlogy(p, p).sum(1).mean()
    return (entropy_of_mean - mean_entropy).exp().item()
