"""The kernel distance of CMMD (Jayasumana et al., 2024, arXiv 2401.09603) on the features of any extractor."""

import torch
from torch.nn import functional as F

from zoo.errors import ZooError
from zoo.metrics.checks import check_features

SIGMA = 10.0
SCALE = 1000.0


def cmmd(a: torch.Tensor, b: torch.Tensor) -> float:
    """1,000 times the unbiased squared maximum mean discrepancy with the kernel exp(-|x - y|² / 2σ²), σ = 10.

    Features are brought to length 1 first, as the paper does with CLIP's. With another extractor the figure is not the
    paper's, and its name says which one it is.

    Args:
        a (`torch.Tensor` of shape `(n, dimensions)`): One set of features.
        b (`torch.Tensor` of shape `(m, dimensions)`): The other.

    Returns:
        `float`: Near 0, and as often below as above it, when both sets come from one distribution. Lower is better.

    Raises:
        ZooError: If features are NaN or infinite, fewer than two, or of differing dimensions.
    """
    a, b = check_features(a, "first features"), check_features(b, "second features")
    if a.shape[1] != b.shape[1]:
        raise ZooError(f"features: expected equal dimensions, got {a.shape[1]} and {b.shape[1]}")
    a, b = F.normalize(a), F.normalize(b)

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
        return torch.exp(-squares / (2 * SIGMA**2))

    def mean_over_pairs(x: torch.Tensor) -> torch.Tensor:
        gram = kernel(x, x)
        return (gram.sum() - gram.trace()) / (len(x) * (len(x) - 1))

    return SCALE * (mean_over_pairs(a) + mean_over_pairs(b) - 2 * kernel(a, b).mean()).item()
