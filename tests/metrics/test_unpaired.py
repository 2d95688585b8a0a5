"""Samples beside real images that are not theirs: what blur and copies score."""

import pytest
import torch

from zoo.metrics.functional import mse
from zoo.metrics.image_set import ImageSet, of_samples
from zoo.metrics.unpaired import unpaired_row


@pytest.fixture
def real() -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, 1, 16, 16), generator=generator, dtype=torch.uint8)
    return ImageSet(images, [str(index // 4) for index in range(40)])


def test_the_nearest_image_of_a_copy_is_itself_and_a_random_one_is_not(real):
    row = unpaired_row(real, real, seed=0)
    assert set(row) == {f"{name}_{pair}" for name in ("ssim", "cc", "mse") for pair in ("random", "nearest")}
    assert row["ssim_nearest"]["value"] == pytest.approx(1) and row["mse_nearest"]["value"] == 0
    assert row["mse_random"]["value"] > 0.1 and row["ssim_random"]["value"] < 0.2
    assert row["mse_random"]["n"] == 10  # patients


def test_random_pairs_are_those_of_the_seed_whatever_the_batch(real):
    samples = of_samples(real.images.flip(-1))
    row = unpaired_row(samples, real, seed=3)
    drawn = torch.randint(40, (40,), generator=torch.Generator().manual_seed(3))
    assert row["mse_random"]["value"] == pytest.approx(mse(samples.floats, real.floats[drawn]).mean().item())
    small = unpaired_row(samples, real, seed=3, batch_size=7)
    assert all(small[key]["value"] == pytest.approx(figure["value"]) for key, figure in row.items())
    assert unpaired_row(samples, real, seed=4)["mse_random"]["value"] != row["mse_random"]["value"]


def test_blur_wins_against_random_images(real):
    mean = real.images.double().mean(0, keepdim=True).round().to(torch.uint8)
    blurred = of_samples(mean.repeat(40, 1, 1, 1) + torch.arange(40, dtype=torch.uint8)[:, None, None, None] % 2)
    assert unpaired_row(blurred, real, 0)["mse_random"]["value"] < unpaired_row(real, real, 0)["mse_random"]["value"]
