"""Grids of samples, and strips of their way out of the noise."""

import numpy as np
import pytest

from zoo.pipelines import sample_generators
from zoo.samples import denoising_strip, outline_grid, sample_grid


def test_grid(dcgan, conditional_ddpm, hearts):
    assert sample_grid(dcgan).size == (8 * 18 - 2, 2 * 18 - 2)
    assert sample_grid(conditional_ddpm).size == (16 * 10 - 2, 2 * 10 - 2)  # a row for each pathology
    assert sample_grid(conditional_ddpm, 4).size == (4 * 10 - 2, 2 * 10 - 2)
    grid = np.asarray(sample_grid(hearts))
    assert grid.shape == (2 * 18 - 2, 16 * 34 - 2)  # each beside its mask
    output = hearts(16, class_labels="HCM", generator=sample_generators(0, range(16)), output_type="np")
    np.testing.assert_array_equal(grid[18:, :16], (output.images[0, ..., 0] * 255).round())
    np.testing.assert_array_equal(grid[18:, 16:32], output.masks[0] * 85)


def test_label_maps_are_shown_once(anatomy):
    size, rows = anatomy.sample_size, len(next(iter(anatomy.class_names.values())))
    assert sample_grid(anatomy).size == (16 * (size + 2) - 2, rows * (size + 2) - 2)


def test_outlines(hearts):
    grid = np.asarray(outline_grid(hearts))
    assert grid.shape == (2 * 18 - 2, 8 * 18 - 2, 3)
    output = hearts(8, class_labels="HCM", generator=sample_generators(0, range(8)), output_type="np")
    first, mask = grid[18:, :16], output.masks[0]
    coloured = first.max(2) != first.min(2)
    assert coloured.any() and not coloured[mask == 0].any()  # lines run within what they bound
    np.testing.assert_array_equal(first[mask == 0, 0], (output.images[0][mask == 0, 0] * 255).round())


@pytest.mark.parametrize("name", ["conditional_ddpm", "unconditional_ddpm", "latent_diffusion", "score_model"])
def test_a_strip_ends_in_the_samples(name, request):
    pipe = request.getfixturevalue(name)
    size, gap = pipe.sample_size, 2
    strip = np.asarray(denoising_strip(pipe, count=2, columns=3, seed=5, num_inference_steps=6))
    assert strip.shape == (2 * (size + gap) - gap, 3 * (size + gap) - gap)
    images = pipe(2, generator=sample_generators(5, range(2)), output_type="np", num_inference_steps=6).images
    for row, image in enumerate(images):
        top = row * (size + gap)
        np.testing.assert_allclose(strip[top : top + size, -size:] / 255, image[..., 0], atol=1 / 255)
    assert not np.array_equal(strip[:, :size], strip[:, -size:])  # noise, and what comes of it


def test_a_strip_shows_no_more_moments_than_there_are(conditional_ddpm):
    strip = denoising_strip(conditional_ddpm, count=1, columns=10, num_inference_steps=3)
    assert strip.size == (3 * 10 - 2, 8)
