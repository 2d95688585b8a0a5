"""Differentiable augmentation of what a discriminator sees (Zhao et al., 2020, arXiv 2006.10738)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

SHIFT = 0.125  # largest translation, share of the side
HOLE = 0.5  # side of the square that is cut out, share of the side


def diff_augment(images: torch.Tensor, policy: Sequence[str], draw=torch) -> torch.Tensor:
    """Changes each image by an amount of its own, real and generated ones alike; gradients pass through.

    Args:
        images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [-1, 1].
        policy (sequence of `str`): Some of `"color"`, `"translation"` and `"cutout"`, in the order they are done.
        draw: What random numbers come from: torch, or the `Draws` of a run.

    Returns:
        `torch.Tensor` of the shape of `images`; colour may leave [-1, 1].
    """
    for name in policy:
        images = POLICIES[name](images, draw)
    return images


def color(images: torch.Tensor, draw=torch) -> torch.Tensor:
    """Brightness by up to ±0.5 (of a range of 2), contrast and, of colour images, saturation by factors around 1."""
    amounts = draw.rand(len(images), 3, 1, 1, 1, device=images.device).to(images.dtype)  # (b, 3, 1, 1, 1)
    images = images + amounts[:, 0] - 0.5
    if images.shape[1] > 1:
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * amounts[:, 1] * 2
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * (amounts[:, 2] + 0.5)


def translation(images: torch.Tensor, draw=torch) -> torch.Tensor:
    """Shifts by whole pixels, up to an eighth of the side; what comes in is 0."""
    count, _, height, width = images.shape
    down, right = (round(side * SHIFT) for side in (height, width))
    rows = draw.randint(-down, down + 1, (count, 1), device=images.device)
    columns = draw.randint(-right, right + 1, (count, 1), device=images.device)
    rows = (torch.arange(height, device=images.device) + rows + 1).clamp(0, height + 1)  # row 0 and the last are empty
    columns = (torch.arange(width, device=images.device) + columns + 1).clamp(0, width + 1)
    padded = F.pad(images, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    which = torch.arange(count, device=images.device)[:, None, None]
    return padded[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: torch.Tensor, draw=torch) -> torch.Tensor:
    """Sets a square of half the side to 0; its centre is anywhere in the image."""
    count, _, height, width = images.shape
    inside = []
    for side in (height, width):
        centre = draw.randint(0, side, (count, 1), device=images.device)
        distance = torch.arange(side, device=images.device) - centre
        inside.append((distance >= -side * HOLE / 2) & (distance < side * HOLE / 2))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return images.masked_fill(hole, 0.0)


POLICIES = {"color": color, "translation": translation, "cutout": cutout}
