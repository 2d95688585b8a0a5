"""Label maps of the heart, and the distance maps that they are drawn as. Published beside each pipeline of them."""

from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from diffusers.utils import BaseOutput

LABELS = 4  # background, right ventricle, myocardium, left ventricle
LIMIT_MM = 16.0  # the largest distance of a distance map, which is 1 there


@dataclass
class HeartOutput(BaseOutput):
    """Images with their masks.

    Args:
        images (`list[PIL.Image.Image]`, `np.ndarray` or `torch.Tensor`): As of every pipeline.
        masks (`list[PIL.Image.Image]`, `np.ndarray` or `torch.Tensor`): The label of each pixel: 8-bit grey pictures
            that hold the labels as they are, or uint8 `(batch_size, height, width)`.
        pixel_spacing_mm (`float`): Side of a pixel in millimetres.
    """

    images: list[PIL.Image.Image] | np.ndarray | torch.Tensor
    masks: list[PIL.Image.Image] | np.ndarray | torch.Tensor
    pixel_spacing_mm: float


def masks_of_distances(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Labels from distance maps, interpolated to the size of the image: borders are where a map passes zero.

    Args:
        maps (`torch.Tensor` of shape `(batch_size, 3, grid, grid)`): Signed distances to the borders of right
            ventricle, epicardium and left ventricle, positive within, in any unit.
        size (`int`): Height and width of the masks.

    Returns:
        `torch.Tensor` of shape `(batch_size, size, size)`: uint8 labels.
    """
    right, outer, inner = F.interpolate(maps.float(), size=(size, size), mode="bicubic").unbind(1)
    masks = torch.zeros_like(right, dtype=torch.uint8)
    masks[right > 0] = 1
    masks[(outer > 0) & (outer >= right)] = 2  # where two regions overlap, the one whose border is farther
    masks[inner > 0] = 3
    return masks


def one_hot(masks: torch.Tensor) -> torch.Tensor:
    """Masks `(batch_size, height, width)` as a network sees them: `(batch_size, LABELS, height, width)`, -1 and 1."""
    return F.one_hot(masks.long(), LABELS).movedim(-1, 1).float() * 2 - 1


def mask_output(masks: torch.Tensor, output_type: str):
    """Masks `(batch_size, height, width)` in the output type that was asked for."""
    masks = masks.to(torch.uint8).cpu()
    if output_type == "np":
        return masks.numpy()
    return [PIL.Image.fromarray(mask) for mask in masks.numpy()] if output_type == "pil" else masks
