import numpy as np
import pytest

from zoo.figures import denoising_strip
from zoo.pipelines import sample_generators


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
