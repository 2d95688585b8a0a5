"""The kernel distance between two sets of features (Bińkowski et al., 2018, arXiv 1801.01401)."""

import torch

from zoo.errors import ZooError
from zoo.metrics.checks import check_features


def kid(a: torch.Tensor, b: torch.Tensor) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / dimensions + 1)³. Lower is better.

    The customary figure averages this over random subsets of a fixed size. Over all subsets of one size, whichever it
    is, that average is exactly the estimate from the full sets (each term is a mean over pairs, and every pair lies in
    equally many subsets); so this returns the limit, which needs no seed and has no noise of its own.

    Args:
        a (`torch.Tensor` of shape `(n, dimensions)`): One set of features.
        b (`torch.Tensor` of shape `(m, dimensions)`): The other.

    Returns:
        `float`: Near 0, and as often below as above it, when both sets come from one distribution; its expectation
        does not depend on `n` and `m`.

    Raises:
        ZooError: If features are NaN or infinite, fewer than two, or of differing dimensions.
    """
    a, b = check_features(a, "first features"), check_features(b, "second features")
    if a.shape[1] != b.shape[1]:
        raise ZooError(f"features: expected equal dimensions, got {a.shape[1]} and {b.shape[1]}")

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def mean_over_pairs(x: torch.Tensor) -> torch.Tensor:
        gram = kernel(x, x)
        return (gram.sum() - gram.trace()) / (len(x) * (len(x) - 1))

    return (mean_over_pairs(a) + mean_over_pairs(b) - 2 * kernel(a, b).mean()).item()
