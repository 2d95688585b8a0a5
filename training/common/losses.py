"""Losses that several families share: pure functions of tensors."""

import torch
import torch.nn.functional as F


def kl_to_standard_normal(mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of N(mean, exp(logvar)) from N(0, 1), summed over all but the first axis, in nats.

    Kingma & Welling (2014), appendix B: ½ Σ (μ² + σ² - 1 - log σ²). Returns `(batch_size,)`.
    """
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).flatten(1).sum(1)


def laplacian_pyramid(images: torch.Tensor, levels: int) -> list[torch.Tensor]:
    """Splits images into bands of spatial frequency (Burt & Adelson, 1983).

    Args:
        images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): Any range.
        levels (`int`): Bands beside the last one, which holds what is left, the coarsest shades.

    Returns:
        `list[torch.Tensor]`: `levels + 1` bands, the finest first, each about half as large as the one before it.
    """
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=images.device, dtype=images.dtype) / 16
    channels = images.shape[1]
    kernel = torch.outer(row, row).expand(channels, 1, 5, 5)
    bands = []
    for _ in range(levels):
        coarse = F.conv2d(F.pad(images, (2, 2, 2, 2), mode="replicate"), kernel, stride=2, groups=channels)
        bands.append(images - F.interpolate(coarse, size=images.shape[2:], mode="bilinear"))
        images = coarse
    return [*bands, images]


def pyramid_loss(images: torch.Tensor, targets: torch.Tensor, levels: int = 3) -> torch.Tensor:
    """Mean absolute difference of the Laplacian pyramids, `(batch_size,)`, the sum of the bands' means.

    Each band is compared by itself (Ling & Okada, 2006; Bojanowski et al., 2018, arXiv 1707.05776, section 2), so that
    lost detail is not hidden by an error of shade, as it is in a difference of pixels.
    """
    pairs = zip(laplacian_pyramid(images, levels), laplacian_pyramid(targets, levels), strict=True)
    return sum((one - other).abs().flatten(1).mean(1) for one, other in pairs)
