"""Structural similarity (Wang et al., 2004, IEEE TIP 13:600) and its relatives.

Its multi-scale form is of Wang et al. (2003, Asilomar), its three-component form of Li & Bovik (2009, SPIE 7242:72420Q,
doi 10.1117/12.810846), structural dissimilarity of Loza et al. (2006, ICIF, doi 10.1109/ICIF.2006.301668).
"""

import torch
from torch.nn import functional as F

from zoo.errors import ZooError
from zoo.metrics.checks import check_pairs

# The exponents of the three finest scales of Wang et al. (2003), scaled to a sum of 1.
BETAS = (0.0448 / 0.6305, 0.2856 / 0.6305, 0.3001 / 0.6305)
# Of Li & Bovik (2009): shares of the largest gradient above which a pixel is an edge, and below which it is smooth
EDGE, SMOOTH = 0.12, 0.06
COMPONENTS = (0.5, 0.25, 0.25)  # weights of edges, textures and smooth parts


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


def dssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Structural dissimilarity of each pair, (1 - SSIM) / 2: 0 for equal images. Lower is better.

    Args:
        a (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1], at least 11 pixels a side.
        b (`torch.Tensor` of the shape of `a`): In [0, 1].

    Returns:
        `torch.Tensor` of shape `(n,)`, float64 in [0, 1].

    Raises:
        ZooError: As `ssim` does.
    """
    return (1 - ssim(a, b)) / 2


def three_ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Three-component structural similarity (3-SSIM) of each pair, 1 for equal images. Higher is better.

    SSIM at each place, as in `ssim`, is averaged over edges, textures and smooth parts apart; these count 0.5, 0.25 and
    0.25, rescaled to a sum of 1 where one of them is not there. A pixel is an edge if the Sobel gradient of either
    image exceeds 12 % of the largest gradient of `a`, smooth if that of `a` is below 6 % of it, and texture otherwise.
    Unlike SSIM it is not symmetric: `a` is the original.

    Args:
        a (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1], at least 11 pixels a side.
        b (`torch.Tensor` of the shape of `a`): In [0, 1].

    Returns:
        `torch.Tensor` of shape `(n,)`, float64 in [-1, 1].

    Raises:
        ZooError: As `ssim` does.
    """
    a, b = check_pairs(a, b)
    similarity, _ = _maps(a, b, kernel_size=11)
    of_a, of_b = (_gradient(images)[:, :, 5:-5, 5:-5] for images in (a, b))  # where the window lies within
    largest = of_a.amax((1, 2, 3), keepdim=True)
    edges = (of_a > EDGE * largest) | (of_b > EDGE * largest)
    smooth = (of_a < SMOOTH * largest) & ~edges
    total, weights = torch.zeros(len(a), dtype=a.dtype), torch.zeros(len(a), dtype=a.dtype)
    for region, weight in zip((edges, ~edges & ~smooth, smooth), COMPONENTS, strict=True):
        count = region.sum((1, 2, 3))
        mean = (similarity * region).sum((1, 2, 3)) / count.clamp(min=1)
        total += weight * mean * (count > 0)
        weights += weight * (count > 0)
    return total / weights


def _gradient(images: torch.Tensor) -> torch.Tensor:
    """The length of the Sobel gradient at each pixel; edges of the image are repeated."""
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=images.dtype) / 8
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate").flatten(0, 1)[:, None]
    across, down = (F.conv2d(padded, side[None, None]).view_as(images) for side in (kernel, kernel.T))
    return torch.hypot(across, down)


def _similarity_and_contrast(a: torch.Tensor, b: torch.Tensor, kernel_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean over each image of SSIM, and of its contrast-structure factor alone; both of shape `(n,)`."""
    similarity, contrast = _maps(a, b, kernel_size)
    return similarity.mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _maps(a: torch.Tensor, b: torch.Tensor, kernel_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """SSIM and its contrast-structure factor at every place where the window lies within the image."""
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
    return brightness * contrast, contrast


def _window_matrix(size: int, kernel_size: int, like: torch.Tensor) -> torch.Tensor:
    """`(size - kernel_size + 1, size)`: each row holds the Gaussian window at one place; a matrix product blurs."""
    offsets = torch.arange(kernel_size, dtype=like.dtype, device=like.device) - (kernel_size - 1) / 2
    window = torch.exp(-((offsets / (1.5 * kernel_size / 11)) ** 2) / 2)
    matrix = torch.zeros(size - kernel_size + 1, size, dtype=like.dtype, device=like.device)
    for row in range(len(matrix)):
        matrix[row, row : row + kernel_size] = window / window.sum()
    return matrix
