"""The area under the ROC curve."""

import torch

from zoo.errors import ZooError


def auc(positive: torch.Tensor, negative: torch.Tensor) -> float:
    """The probability that a positive item scores higher than a negative one; a tie counts one half.

    Mann and Whitney's U divided by the number of pairs (Hanley & McNeil, 1982, Radiology 143:29).

    Args:
        positive (`torch.Tensor` of shape `(n,)`): Scores of the items that should score high.
        negative (`torch.Tensor` of shape `(m,)`): Scores of the others.

    Returns:
        `float`: In [0, 1]; 0.5 where the score tells nothing.

    Raises:
        ZooError: If either is empty or a score is NaN.

    Example:
        >>> auc(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1]))
        0.875
    """
    if positive.ndim != 1 or negative.ndim != 1 or not len(positive) or not len(negative):
        raise ZooError(f"scores: expected two lists, got shapes {tuple(positive.shape)} and {tuple(negative.shape)}")
    if positive.isnan().any() or negative.isnan().any():
        raise ZooError("scores: NaN values")
    ordered = negative.sort().values
    below = torch.searchsorted(ordered, positive.contiguous())
    not_above = torch.searchsorted(ordered, positive.contiguous(), right=True)
    return (below + not_above).double().mean().item() / (2 * len(negative))
