import math

import torch
import torch.nn.functional as F

from zoo.warp import rotation_grid


def warp(images: torch.Tensor, degrees: float, scale: float) -> torch.Tensor:
    angle = torch.full((len(images),), math.radians(degrees))
    grid = rotation_grid(angle, torch.full_like(angle, scale), images.shape)
    return F.grid_sample(images, grid, align_corners=False)


def test_no_turn_and_no_scale_change_nothing():
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(warp(images, 0, 1), images, atol=1e-6, rtol=0)


def test_a_quarter_turn_moves_every_pixel():
    images = torch.rand(2, 1, 9, 9)
    torch.testing.assert_close(warp(images, 90, 1), images.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_scale_enlarges_about_the_centre():
    disc = (torch.linspace(-1, 1, 65)[:, None] ** 2 + torch.linspace(-1, 1, 65) ** 2 < 0.3**2)[None, None].float()
    assert math.isclose(warp(disc, 0, 1.5).sum() / disc.sum(), 1.5**2, rel_tol=0.03)
