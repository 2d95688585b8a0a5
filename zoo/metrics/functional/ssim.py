"""Structural similarity (Wang et al., 2004, IEEE TIP 13:600) and its multi-scale form (Wang et al., 2003, Asilomar)."""

import torch
from torch.nn import functional as F

from zoo.errors import ZooError
from zoo.metrics.checks import check_pairs

# The exponents of the three finest scales of Wang et al. (2003), scaled to a sum of 1.
BETAS = (0.0448 / 0.6305, 0.2856 / 0.6305, 0.3001 / 0.6305)


def ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Structural similarity of each pair, 1 for equal images. Higher is better.

    An 11×11 Gaussian window of standard deviation 1.5, data range 1, K1 = 0.01, K2 = 0.03, averaged over all places
    where the window lies within the image and over the channels (equation 13 of the paper).

    Args:
        a (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1], at least 11 pixels a side.
        b (`torch.Tensor` of the shape of `a`): In [0, 1].

    Returns:
        `torch.Tensor` of shape `(n,)`, float64 in [-1, 1].

    Raises:
        ZooError: If either set is NaN, constant throughout, out of range, too small or of another shape.

    Example:
        >>> image = torch.linspace(0, 1, 256).reshape(1, 1, 16, 16)
        >>> ssim(image, image / 2).round(decimals=4)
        tensor([0.7923], dtype=torch.float64)
    """
    similarity, _ = _similarity_and_contrast(*check_pairs(a, b), kernel_size=11)
    return similarity


def ms_ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multi-scale structural similarity of each pair at small sizes, 1 for equal images. Higher is better.

    The original has five scales and an 11×11 window, which needs 176 pixels a side. To fit 64 pixels and less this
    one has its first three scales, their exponents rescaled to a sum of 1, and a 7×7 Gaussian window whose standard
    deviation, 1.5 · 7/11, has the same ratio to the window as the original's. It is the same at every image size. A
    scale at which two images are anticorrelated counts as 0, since a fractional power of it would not exist.

    Args:
        a (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1], at least 28 pixels a side.
        b (`torch.Tensor` of the shape of `a`): In [0, 1].

    Returns:
        `torch.Tensor` of shape `(n,)`, float64 in [0, 1].

    Raises:
        ZooError: If either set is NaN, constant throughout, out of range, too small or of another shape.
    """
    a, b = check_pairs(a, b)
    product = torch.ones(len(a), dtype=a.dtype, device=a.device)
    for scale, beta in enumerate(BETAS):
        if scale:
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        similarity, contrast = _similarity_and_contrast(a, b, kernel_size=7)
        coarsest = scale == len(BETAS) - 1  # brightness is compared there alone
        product *= (similarity if coarsest else contrast).clamp(min=0) ** beta
    return product


def _similarity_and_contrast(a: torch.Tensor, b: torch.Tensor, kernel_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean over each image of SSIM, and of its contrast-structure factor alone; both of shape `(n,)`."""
    height, width = a.shape[-2:]
    if min(height, width) < kernel_size:
        raise ZooError(f"images: SSIM needs at least {kernel_size} pixels a side at every scale, got {height}x{width}")
    rows, columns = (_window_matrix(size, kernel_size, like=a) for size in (height, width))

    def local_mean(x: torch.Tensor) -> torch.Tensor:
        return rows @ x @ columns.T

    mean_a, mean_b = local_mean(a), local_mean(b)
    variance_a = local_mean(a * a) - mean_a**2
    variance_b = local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    contrast = (2 * covariance + c2) / (variance_a + variance_b + c2)
    brightness = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (brightness * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _window_matrix(size: int, kernel_size: int, like: torch.Tensor) -> torch.Tensor:
    """`(size - kernel_size + 1, size)`: each row holds the Gaussian window at one place; a matrix product blurs."""
    offsets = torch.arange(kernel_size, dtype=like.dtype, device=like.device) - (kernel_size - 1) / 2
    window = torch.exp(-((offsets / (1.5 * kernel_size / 11)) ** 2) / 2)
    matrix = torch.zeros(size - kernel_size + 1, size, dtype=like.dtype, device=like.device)
    for row in range(len(matrix)):
        matrix[row, row : row + kernel_size] = window / window.sum()
    return matrix
