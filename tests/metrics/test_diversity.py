import pytest
import torch

from zoo.metrics import diversity
from zoo.metrics.functional import ssim
from zoo.metrics.image_set import ImageSet, from_floats


def images(inverted: int) -> ImageSet:
    """Forty discs on dark ground, some of them as negatives, each of a patient of its own."""
    side = torch.linspace(-1, 1, 32)
    radius = torch.linspace(0.3, 0.7, 40)[:, None, None]
    discs = ((side[:, None] ** 2 + side**2).sqrt() < radius).float()[:, None] * 0.8 + 0.1
    discs[:inverted] = 1 - discs[:inverted]
    return ImageSet(from_floats(discs, "discs"), [str(number) for number in range(40)])


def test_the_ground_is_the_outermost_ring():
    picture = torch.zeros(2, 1, 8, 8)
    picture[0, :, 1:-1, 1:-1] = 1
    picture[1, :, 0], picture[1, :, -1], picture[1, :, :, 0], picture[1, :, :, -1] = 1, 1, 1, 1
    assert diversity.on_dark_ground(picture).tolist() == [True, False]


def test_pairs_on_dark_ground_are_told_of_a_mixture_alone():
    plain, mixed = diversity.diversity_row(images(0), 0), diversity.diversity_row(images(20), 0)
    assert set(plain) == {"ms_ssim", "ssim"} and set(mixed) == {*plain, "ms_ssim_dark", "ssim_dark"}
    assert set(diversity.diversity_row(images(39), 0)) == set(plain)  # nearly all are negatives
    few = images(38)[torch.arange(32, 40)]  # two on dark ground: without one of them there is no pair
    assert set(diversity.diversity_row(few, 0)) == set(plain)
    assert mixed["ssim"]["value"] < plain["ssim"]["value"] - 0.05 < mixed["ssim_dark"]["value"]


def test_pairs_on_dark_ground_are_those_of_two_such_images():
    mixed = images(20)
    pairs = diversity.random_pairs(mixed.ids, 0)
    chosen = pairs[(pairs >= 20).all(1)]
    own = ssim(mixed[chosen[:, 0]].floats, mixed[chosen[:, 1]].floats)
    found = diversity.diversity_row(mixed, 0)["ssim_dark"]
    assert found["value"] == pytest.approx(own.mean().item()) and found["std"] == pytest.approx(own.std().item())
    assert found["low"] < found["value"] < found["high"]
