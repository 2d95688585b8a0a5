"""Turning and scaling images."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F


def rotation_grid(angle: torch.Tensor, scale: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Where each pixel of turned and scaled images comes from, for `torch.nn.functional.grid_sample`.

    Args:
        angle (`torch.Tensor` of shape `(batch_size,)`): In radians, of a rotation about the centre.
        scale (`torch.Tensor` of shape `(batch_size,)`): Enlargement.
        shape (sequence of `int`): Of the images, `(batch_size, channels, height, width)`.

    Returns:
        `torch.Tensor` of shape `(batch_size, height, width, 2)`: For `align_corners=False`.
    """
    zero = torch.zeros_like(angle)
    rows = [torch.stack(row, 1) for row in ((angle.cos(), -angle.sin(), zero), (angle.sin(), angle.cos(), zero))]
    return F.affine_grid(torch.stack(rows, 1) / scale[:, None, None], list(shape), align_corners=False)
