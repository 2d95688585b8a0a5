"""What a classifier gets right and wrong: the confusion matrix, and what is told from it of one class."""

import torch


def confusion_matrix(predicted: torch.Tensor, truth: torch.Tensor, num_classes: int) -> torch.Tensor:
    """How many items of each class were taken for which: `(num_classes, num_classes)` int64, a row a true class.

    Args:
        predicted (`torch.Tensor` of shape `(n,)`): Class indices.
        truth (`torch.Tensor` of shape `(n,)`): Class indices.
        num_classes (`int`): How many classes there are.

    Example:
        >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2)
        tensor([[1, 1],
                [0, 1]])
    """
    return torch.bincount(truth * num_classes + predicted, minlength=num_classes**2).view(num_classes, num_classes)


def binary_scores(confusion: torch.Tensor, positive: int) -> dict[str, float]:
    """Precision, recall and F1 of one class; each is 0 where it divides by nothing. Higher is better.

    Args:
        confusion (`torch.Tensor` of shape `(num_classes, num_classes)`): As from `confusion_matrix`.
        positive (`int`): The class that is looked for.
    """
    hits = confusion[positive, positive].item()
    found, there = confusion[:, positive].sum().item(), confusion[positive].sum().item()
    precision, recall = hits / found if found else 0.0, hits / there if there else 0.0
    return {"precision": precision, "recall": recall, "f1": 2 * hits / (found + there) if found + there else 0.0}
