"""The contract that every pipeline keeps."""

import numpy as np
import PIL.Image
import pytest
import torch

from zoo.pipelines import sample_generators
from zoo.pipelines.auto import PIPELINES, published_classes


@pytest.fixture(
    params=[
        "dcgan",
        "acgan",
        "infogan",
        "cvae",
        "style_transfer",
        "conditional_ddpm",
        "unconditional_ddpm",
        "ancestral",
        "latent_diffusion",
        "score_model",
    ]
)
def pipe(request):
    return request.getfixturevalue(request.param)


def test_a_sample_depends_on_seed_and_index_alone(pipe):
    whole = pipe(5, generator=torch.Generator().manual_seed(7), output_type="np").images
    first = pipe(2, generator=torch.Generator().manual_seed(7), output_type="np").images
    np.testing.assert_allclose(first, whole[:2], atol=1e-5)
    assert np.abs(whole[0] - whole[1]).max() > 1e-3

    whole = pipe(5, generator=sample_generators(3, range(5)), output_type="np").images
    parts = [pipe(len(r), generator=sample_generators(3, r), output_type="np").images for r in (range(3), range(3, 5))]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_a_second_call_with_one_generator_gives_new_samples(pipe):
    generator = torch.Generator().manual_seed(0)
    once, again = (pipe(1, generator=generator, output_type="np").images for _ in range(2))
    assert np.abs(once - again).max() > 1e-3


def test_output_types_agree(pipe):
    def make(output_type):
        return pipe(2, generator=torch.Generator().manual_seed(0), output_type=output_type)

    array, tensor, pictures = make("np").images, make("pt").images, make("pil").images
    size = pipe.sample_size
    assert array.shape == (2, size, size, pipe.num_channels)
    assert array.dtype == np.float32
    assert 0 <= array.min() <= array.max() <= 1
    np.testing.assert_array_equal(array, tensor.permute(0, 2, 3, 1).numpy())
    assert isinstance(pictures[0], PIL.Image.Image)
    np.testing.assert_allclose(np.asarray(pictures[0]) / 255, array[0, :, :, 0], atol=0.51 / 255)
    assert isinstance(pipe(1, return_dict=False), tuple)


def test_bad_arguments_are_named(pipe):
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        pipe(0)
    with pytest.raises(ValueError, match="generator: expected a list of 3"):
        pipe(3, generator=sample_generators(0, range(2)))
    with pytest.raises(ValueError, match="output_type: expected"):
        pipe(1, output_type="jpeg")


def test_projection_keeps_shape_and_range(pipe):
    images = torch.rand(2, pipe.num_channels, pipe.sample_size, pipe.sample_size)
    for settings in pipe.projection_settings:
        projected = pipe.project(images, generator=torch.Generator().manual_seed(0), **settings)
        assert projected.shape == images.shape
        assert 0 <= projected.min() <= projected.max() <= 1
    assert pipe.projection_headline in pipe.projection_settings
    assert pipe.latent_dimensions > 0


def test_generators_are_distinct_and_reproducible():
    draws = [torch.rand(1, generator=g).item() for seed in range(3) for g in sample_generators(seed, range(50))]
    assert len(set(draws)) == len(draws)
    again = torch.rand(1, generator=sample_generators(2, [49])[0]).item()
    assert again == draws[-1]


def test_every_pipeline_is_found_by_the_name_in_its_index():
    classes = published_classes()
    assert {cls.__name__ for cls in classes.values()} == set(PIPELINES)
    assert classes["DDPMPipeline"].__name__ == "UnconditionalDDPMPipeline"  # diffusers' own, by its own name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_number_is_finite_in_half_precision(pipe, dtype):
    pipe.to(dtype=dtype)
    whole = pipe(2, generator=torch.Generator().manual_seed(0), output_type="np").images
    projected = pipe.project(torch.rand(1, pipe.num_channels, pipe.sample_size, pipe.sample_size))
    assert np.isfinite(whole).all() and np.ptp(whole) > 0
    assert projected.isfinite().all()


def test_what_overflows_is_refused(pipe):
    network = next(part for part in pipe.components.values() if isinstance(part, torch.nn.Module))
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(torch.inf)
    with pytest.raises(ValueError, match="dtype: the networks overflow in torch.float32") as caught:
        pipe(1)
    assert "\n" not in str(caught.value)
