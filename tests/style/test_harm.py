"""What styling does to a heart, by masks whose walls are known."""

import math

import pytest
import torch

from zoo.errors import ZooError
from zoo.style import anatomical_harm


def ring(outer: float, cut: bool = False) -> torch.Tensor:
    """A picture `(1, 64, 64)` whose intensities tell the labels: a cavity of 8 pixels' radius, and a wall around it."""
    axis = torch.arange(64) - 32
    radius = (axis[:, None] ** 2 + axis**2).sqrt()
    labels = torch.where(radius < 8, 3, torch.where(radius < outer, 2, 0))
    if cut:
        labels[:32, 31:34] = 0
    return labels[None] / 255


def segment(images: torch.Tensor) -> torch.Tensor:
    """Reads the labels that `ring` drew, as they reach a segmenter: in 8 bit."""
    assert images.dtype == torch.uint8
    return images[:, 0]


def test_thickness_and_overlap_by_hand():
    before, after = torch.stack([ring(13), ring(13), ring(13)]), torch.stack([ring(13), ring(15), ring(13, cut=True)])
    harm = anatomical_harm(segment, before, after, spacing_mm=2.0)
    change = harm.wall_thickness_change_mm.tolist()
    assert change[0] == 0
    assert change[1] == pytest.approx(2 * 2.0, abs=1.0)  # two pixels of 2 mm, to half a pixel
    assert math.isnan(change[2]) and harm.ring_lost.tolist() == [False, False, True]
    muscle = [(b == 2 / 255).sum().item() for b in (ring(13), ring(15))]
    assert harm.dice[:, 1].tolist()[:2] == pytest.approx([1.0, 2 * muscle[0] / (muscle[0] + muscle[1])])
    assert harm.dice[:2, 2].tolist() == [1.0, 1.0]
    assert harm.dice[:, 0].isnan().all()  # there is no right ventricle
    assert harm.mean_dice[1] == pytest.approx(harm.dice[1, 1:].mean())


def test_other_counts_are_refused():
    with pytest.raises(ZooError, match="harm: expected as many images before as after"):
        anatomical_harm(segment, ring(13)[None], torch.stack([ring(13)] * 2), 2.0)
