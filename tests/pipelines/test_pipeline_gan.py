import numpy as np
import pytest
import torch

from zoo.pipelines import sample_generators
from zoo.samples import code_grid


def make(pipe, count: int = 3, **settings) -> np.ndarray:
    return pipe(count, generator=sample_generators(0, range(count)), output_type="np", **settings).images


@pytest.fixture(params=["dcgan", "acgan", "infogan"])
def pipe(request):
    return request.getfixturevalue(request.param)


def test_the_family_is_a_value_of_the_config(pipe, request):
    assert pipe.family == pipe.config.family == request.node.callspec.params["pipe"]


def test_unconditional_samples_are_one_pass_over_normal_numbers(dcgan):
    latents = torch.stack([torch.randn(8, generator=generator) for generator in sample_generators(0, range(3))])
    with torch.no_grad():
        expected = dcgan.generator_model(latents).sample / 2 + 0.5
    np.testing.assert_array_equal(make(dcgan), expected.permute(0, 2, 3, 1).numpy())


def test_the_temperature_multiplies_the_noise_and_not_the_codes(dcgan, infogan):
    latents = torch.stack([torch.randn(8, generator=generator) for generator in sample_generators(0, range(3))])
    with torch.no_grad():
        expected = dcgan.generator_model(2.5 * latents).sample / 2 + 0.5
    np.testing.assert_array_equal(make(dcgan, temperature=2.5), expected.permute(0, 2, 3, 1).numpy())
    prior, seeds = infogan.prior, (sample_generators(0, range(3)) for _ in range(2))
    one, hot = (infogan._draw_latents(seed, 1, [0.5, -0.5], factor) for seed, factor in zip(seeds, (1, 2), strict=True))
    assert torch.equal(2 * one[:, : prior.noise_dim], hot[:, : prior.noise_dim])
    assert torch.equal(one[:, prior.noise_dim :], hot[:, prior.noise_dim :])


def test_a_class_can_be_asked_for_by_name_and_index(acgan):
    images = make(acgan, class_labels="HCM", phase="ES")
    np.testing.assert_array_equal(images, make(acgan, class_labels=1, phase=[1, 1, 1]))
    assert np.abs(images - make(acgan, class_labels="NOR", phase="ES")).max() > 1e-3
    assert np.abs(images - make(acgan, class_labels="HCM", phase="ED")).max() > 1e-3
    assert np.abs(images - make(acgan, class_labels="any", phase="ES")).max() > 1e-3


def test_asked_and_drawn_classes_share_the_noise(acgan):
    drawn = acgan.draw_labels(None, {}, sample_generators(0, range(3)))
    pathology, phase = drawn.T.tolist()
    np.testing.assert_array_equal(make(acgan), make(acgan, class_labels=pathology, phase=phase))


def test_classes_are_drawn_with_the_training_frequencies(acgan):
    labels = acgan.draw_labels(None, {}, sample_generators(1, range(2000)))
    assert labels.float().mean(0).tolist() == pytest.approx([0.75, 0.5], abs=0.04)


def test_codes_can_be_set_and_change_the_image_alone(infogan):
    images = make(infogan, category=2, codes=[0.5, -0.5])
    for other in ({"category": 1, "codes": [0.5, -0.5]}, {"category": 2, "codes": [0.6, -0.5]}):
        assert np.abs(images - make(infogan, **other)).max() > 1e-3
    noise = torch.stack([torch.randn(6, generator=generator) for generator in sample_generators(0, range(3))])
    codes = torch.tensor([[0, 0, 1, 0.5, -0.5]]).expand(3, -1)
    with torch.no_grad():
        expected = infogan.generator_model(torch.cat([noise, codes], 1)).sample / 2 + 0.5
    np.testing.assert_array_equal(images, expected.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize(
    ("name", "settings", "complaint"),
    [
        ("dcgan", {"class_labels": "HCM"}, "class_labels: expected None"),
        ("dcgan", {"phase": "ES"}, "phase: unknown argument, this model has no conditions"),
        ("dcgan", {"category": 0}, "category: expected a number below 0"),
        ("acgan", {"class_labels": "RV"}, "class_labels: unknown class 'RV', expected one of NOR, HCM, any"),
        (
            "acgan",
            {"num_inference_steps": 3},
            "num_inference_steps: unknown argument, the conditions of this model are",
        ),
        ("infogan", {"category": 3}, "category: expected a number below 3, got 3"),
        ("infogan", {"codes": [0.0]}, "codes: expected 2 numbers, got 1"),
    ],
)
def test_what_a_model_does_not_know_is_refused(name, settings, complaint, request):
    with pytest.raises(ValueError, match=complaint):
        make(request.getfixturevalue(name), **settings)


def test_free_dimensions_count_noise_and_continuous_codes(dcgan, acgan, infogan):
    assert [pipe.latent_dimensions for pipe in (dcgan, acgan, infogan)] == [8, 8, 8]
    assert infogan.generator_model.config.latent_dim == 11


def test_projection_finds_an_image_of_its_own(pipe):
    made = pipe(2, generator=torch.Generator().manual_seed(0), output_type="pt").images
    made = made + 0.01 * torch.randn(made.shape, generator=torch.Generator().manual_seed(9))
    found = pipe.project(made.clamp(0, 1), generator=torch.Generator().manual_seed(1))
    other = pipe(2, generator=torch.Generator().manual_seed(5), output_type="pt").images
    assert (found - made).square().mean() < 0.2 * (other - made).square().mean()


def test_more_restarts_are_never_worse(pipe):
    target = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    def errors(restarts: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        found = pipe.project(target, generator=generator, num_steps=10, num_restarts=restarts)
        return (found - target).square().mean(dim=(1, 2, 3))

    assert (errors(3) <= errors(1) + 1e-6).all()


def test_projection_of_an_image_does_not_depend_on_the_others(pipe):
    targets = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    settings = {"num_steps": 5, "num_restarts": 1}
    together = pipe.project(targets, generator=sample_generators(0, range(3)), **settings)
    alone = pipe.project(targets[1:2], generator=sample_generators(0, [1]), **settings)
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=0)


def test_projection_leaves_the_network_as_it_was(pipe):
    before = {name: value.clone() for name, value in pipe.generator_model.state_dict().items()}
    pipe.project(torch.rand(1, 1, 16, 16), num_steps=2)
    assert all(torch.equal(value, before[name]) for name, value in pipe.generator_model.state_dict().items())
    assert all(parameter.requires_grad for parameter in pipe.generator_model.parameters())


def test_a_figure_shows_what_each_code_moves(infogan):
    grid = np.asarray(code_grid(infogan, columns=4)) / 255
    assert grid.shape == (3 * 18 - 2, 4 * 18 - 2)  # a row for the categories, one for each continuous code

    def cell(row: int, column: int) -> np.ndarray:
        return grid[18 * row : 18 * row + 16, 18 * column : 18 * column + 16]

    _, _, codes = infogan.prior.draw(1, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    drawn = infogan(1, generator=generator, output_type="np", category=1, codes=codes[0].tolist()).images[0, ..., 0]
    np.testing.assert_allclose(cell(0, 1), drawn, atol=0.51 / 255)
    assert cell(0, 3).max() == 0  # there is no fourth category
    assert np.abs(cell(1, 0) - cell(1, 3)).max() > 0.01
    assert np.abs(cell(2, 0) - cell(2, 3)).max() > 0.01
