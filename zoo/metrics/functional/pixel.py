"""Pixel by pixel: correlation, squared error and signal-to-noise ratio, each one number an image pair."""

import torch

from zoo.metrics.checks import check_pairs


def cc(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Pearson's correlation coefficient over all pixels and channels of each pair. Higher is better.

    Args:
        a (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        b (`torch.Tensor` of the shape of `a`): In [0, 1].

    Returns:
        `torch.Tensor` of shape `(n,)`, float64 in [-1, 1]. A constant image among others correlates with nothing: 0.

    Raises:
        ZooError: If either set is NaN, constant throughout, out of range or of another shape.

    Example:
        >>> image = torch.tensor([[[[0.0, 0.5], [0.5, 1.0]]]])
        >>> cc(image, 1 - image)
        tensor([-1.0000], dtype=torch.float64)
    """
    a, b = (images.flatten(1) for images in check_pairs(a, b))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    lengths = a.norm(dim=1) * b.norm(dim=1)
    # A constant image leaves rounding errors of its mean behind, which must not be normalised.
    return torch.where(lengths > 1e-12, (a * b).sum(1) / lengths.clamp(min=1e-12), 0.0).clamp(-1, 1)


def mse(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean squared error of each pair. Lower is better.

    Args:
        a (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        b (`torch.Tensor` of the shape of `a`): In [0, 1].

    Returns:
        `torch.Tensor` of shape `(n,)`, float64 in [0, 1].

    Raises:
        ZooError: If either set is NaN, constant throughout, out of range or of another shape.
    """
    a, b = check_pairs(a, b)
    return (a - b).square().mean((1, 2, 3))


def psnr(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio of each pair in decibel, for a peak of 1: -10 log10(MSE). Higher is better.

    Args:
        a (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        b (`torch.Tensor` of the shape of `a`): In [0, 1].

    Returns:
        `torch.Tensor` of shape `(n,)`, float64; infinite where the two images are the same.

    Raises:
        ZooError: If either set is NaN, constant throughout, out of range or of another shape.
    """
    return -10 * mse(a, b).log10()
