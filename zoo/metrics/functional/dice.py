"""Overlap of two segmentations (Dice, 1945, Ecology 26:297)."""

from collections.abc import Hashable, Sequence

import torch

from zoo.errors import ZooError


def volume_dice(
    predicted: torch.Tensor, truth: torch.Tensor, volumes: Sequence[Hashable], labels: Sequence[int] = (1, 2, 3)
) -> tuple[list, torch.Tensor]:
    """Dice's coefficient 2 |A ∩ B| / (|A| + |B|) of each structure, over all slices of a volume together.

    Args:
        predicted (`torch.Tensor` of shape `(n, height, width)`): Integer labels of the slices.
        truth (`torch.Tensor` of the shape of `predicted`): The true labels.
        volumes (sequence of length `n`): The volume that each slice belongs to.
        labels (sequence of `int`): The structures.

    Returns:
        `(list, torch.Tensor of shape (num_volumes, len(labels)))`: The volumes in sorted order, and their coefficients
        as float64 in [0, 1]; NaN where neither segmentation holds the structure.

    Raises:
        ZooError: If the shapes differ or there is not one volume a slice.

    Example:
        >>> predicted, truth = torch.tensor([[[2, 2, 0]]]), torch.tensor([[[2, 2, 2]]])
        >>> volume_dice(predicted, truth, ["a"], labels=[2])
        (['a'], tensor([[0.8000]], dtype=torch.float64))
    """
    if predicted.ndim != 3 or predicted.shape != truth.shape or len(volumes) != len(predicted):
        raise ZooError(
            f"dice: expected two sets of labels (n, height, width) and n volumes, got {tuple(predicted.shape)}, "
            f"{tuple(truth.shape)} and {len(volumes)}"
        )
    names = sorted(set(volumes))
    place = torch.tensor([names.index(volume) for volume in volumes])

    def count(pixels: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(names), dtype=torch.float64).index_add(0, place, pixels.sum((1, 2)).double())

    columns = []
    for label in labels:
        ours, theirs = predicted == label, truth == label
        columns.append(2 * count(ours & theirs) / (count(ours) + count(theirs)))
    return names, torch.stack(columns, dim=1)
