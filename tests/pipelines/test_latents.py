import pytest
import torch

from zoo.pipelines.latents import LatentPrior, search


def test_parts_of_a_latent_have_their_distributions():
    prior = LatentPrior(noise_dim=4, categories=3, continuous_codes=2)
    noise, category, codes = prior.draw(6000, torch.Generator().manual_seed(0))
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    assert (category.bincount(minlength=3) / 6000).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    assert codes.abs().max() <= 1
    assert codes.var().item() == pytest.approx(1 / 3, abs=0.02)


def test_a_latent_is_noise_then_category_then_codes():
    prior = LatentPrior(noise_dim=1, categories=3, continuous_codes=2)
    joined = prior.join(torch.tensor([[7.0]]), torch.tensor([1]), torch.tensor([[0.5, -0.5]]))
    assert joined.tolist() == [[7.0, 0, 1, 0, 0.5, -0.5]]


def test_without_codes_a_latent_is_its_noise():
    prior = LatentPrior(noise_dim=5)
    latents = prior.join(*prior.draw(3, torch.Generator().manual_seed(0)))
    assert torch.equal(latents, torch.randn(3, 5, generator=torch.Generator().manual_seed(0)))


def test_the_shell_has_the_length_that_normal_vectors_have():
    prior = LatentPrior(noise_dim=400)
    noise = torch.randn(50, 400, generator=torch.Generator().manual_seed(0))
    assert noise.norm(dim=1).mean().item() == pytest.approx(prior.on_shell(noise)[0].norm().item(), rel=0.01)
    torch.testing.assert_close(prior.on_shell(3 * noise), prior.on_shell(noise))


def test_a_search_finds_latent_and_choices_image_by_image():
    """Images are points: one choice is the corner of a triangle, the other shifts it; the latent moves little."""
    corners = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    shifts = torch.tensor([[0.0, 0.0], [9.0, 9.0]])

    def render(latents: torch.Tensor, choices: torch.Tensor) -> torch.Tensor:
        return (corners[choices[:, 0]] + shifts[choices[:, 1]] + latents.tanh())[:, :, None, None]

    wanted = torch.tensor([[2, 0], [1, 1], [0, 0]])
    target = render(torch.tensor([[0.3, -0.2], [-0.4, 0.1], [0.2, 0.2]]), wanted)
    images, errors = search(render, target, torch.zeros(3, 2), [3, 2], num_steps=100, learning_rate=0.05)
    torch.testing.assert_close(images, target, atol=0.02, rtol=0)
    torch.testing.assert_close(errors, (images - target).square().mean(dim=(1, 2, 3)))
