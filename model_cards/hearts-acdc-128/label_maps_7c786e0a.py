"""Label maps of the heart, and the distance maps that they are drawn as. Published beside each pipeline of them."""

from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from diffusers.utils import BaseOutput
from scipy import ndimage

LABELS = 4  # background, right ventricle, myocardium, left ventricle
SMOOTHING = 1.5  # pixels, standard deviation; borders of real hearts are smoother than the noise that sampling leaves
LIMIT_MM = 16.0  # the largest distance that a distance map tells, 1 in the network's unit


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


def interpolated(maps: torch.Tensor, size: int) -> np.ndarray:
    """Distance maps `(batch_size, 3, grid, grid)`, 1 at `LIMIT_MM`, as `(batch_size, 3, size, size)` in mm."""
    maps = (F.interpolate(maps.float(), size=(size, size), mode="bicubic") * LIMIT_MM).cpu().numpy()
    return ndimage.gaussian_filter(maps, (0, 0, SMOOTHING, SMOOTHING), mode="nearest")


def one_hot(masks: torch.Tensor) -> torch.Tensor:
    """Masks `(batch_size, height, width)` as a network sees them: `(batch_size, LABELS, height, width)`, -1 and 1."""
    return F.one_hot(masks.long(), LABELS).movedim(-1, 1).float() * 2 - 1


def mask_output(masks: torch.Tensor, output_type: str):
    """Masks `(batch_size, height, width)` in the output type that was asked for."""
    masks = masks.to(torch.uint8).cpu()
    if output_type == "np":
        return masks.numpy()
    return [PIL.Image.fromarray(mask) for mask in masks.numpy()] if output_type == "pil" else masks
