"""What styling does to a heart: the same slices, segmented before and after."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from zoo.errors import ZooError
from zoo.metrics.functional import measure_anatomy, volume_dice


@dataclass(frozen=True)
class Harm:
    """How much the masks of `n` slices have changed.

    Args:
        dice (`torch.Tensor` of shape `(n, 3)`): Agreement of right ventricle, myocardium and left ventricle, in [0, 1];
            NaN where neither mask has the structure.
        wall_thickness_change_mm (`torch.Tensor` of shape `(n,)`): Thickness of the wall after − before; NaN where one
            of the two masks has no closed ring.
        ring_lost (`torch.Tensor` of shape `(n,)`): Whether a closed ring was there before and is not any more.
    """

    dice: torch.Tensor
    wall_thickness_change_mm: torch.Tensor
    ring_lost: torch.Tensor

    @property
    def mean_dice(self) -> torch.Tensor:
        """Mean of `dice` over the structures that are there, `(n,)`; NaN where both masks are empty."""
        return self.dice.nanmean(1)


def anatomical_harm(
    segment: Callable[[torch.Tensor], torch.Tensor], before: torch.Tensor, after: torch.Tensor, spacing_mm: float
) -> Harm:
    """Segments images before and after and compares their masks.

    Args:
        segment (callable): 8-bit images `(n, channels, height, width)` → integer masks `(n, height, width)`: 0
            background, 1 right ventricle, 2 myocardium, 3 left ventricle; `Judge.masks` of a segmenter, for instance.
        before (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        after (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        spacing_mm (`float`): Side of a pixel in millimetres.

    Raises:
        ZooError: If the shapes differ.
    """
    if before.shape != after.shape:
        raise ZooError(
            f"harm: expected as many images before as after, got {tuple(before.shape)}, {tuple(after.shape)}"
        )
    masks = [segment((images.clamp(0, 1) * 255).round().to(torch.uint8).cpu()) for images in (before, after)]
    earlier, later = (measure_anatomy(mask, spacing_mm) for mask in masks)
    return Harm(
        dice=volume_dice(*masks, volumes=range(len(before)))[1],
        wall_thickness_change_mm=later["wall_thickness_mm"] - earlier["wall_thickness_mm"],
        ring_lost=(earlier["ring_closed"] == 1) & (later["ring_closed"] == 0),
    )
