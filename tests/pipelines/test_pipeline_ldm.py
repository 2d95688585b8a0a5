import pytest
import torch

from zoo.pipelines import sample_generators


def make(pipe, count=1, seed=0, **settings):
    return pipe(count, generator=sample_generators(seed, range(count)), output_type="pt", **settings).images


def test_latents_are_scaled_means_and_come_back(latent_diffusion):
    images = torch.rand(2, 1, 16, 16) * 2 - 1
    mean = latent_diffusion.vae.encode(images).latent_dist.mean
    latents = latent_diffusion._encode(images)
    torch.testing.assert_close(latents, (mean - 0.1) * 2.5)
    torch.testing.assert_close(latent_diffusion._decode(latents), latent_diffusion.vae.decode(mean).sample)


def test_sizes_are_those_of_the_image_and_of_the_latent(latent_diffusion):
    assert (latent_diffusion.sample_size, latent_diffusion.num_channels) == (16, 1)
    assert latent_diffusion.sample_shape == (3, 4, 4)
    assert latent_diffusion.latent_dimensions == 48
    assert latent_diffusion.class_names == {"pathology": ["NOR", "HCM"], "phase": ["ED", "ES"]}


def test_the_noise_is_that_of_the_latent(latent_diffusion, monkeypatch):
    starts = []
    monkeypatch.setattr(type(latent_diffusion), "_reverse", lambda self, sample, *_: starts.append(sample) or sample)
    images = make(latent_diffusion, 2, class_labels="HCM")
    assert starts[0].shape == (2, 3, 4, 4)
    expected = (latent_diffusion._decode(starts[0]) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(images, expected)


def test_classes_and_guidance_matter(latent_diffusion):
    asked = {"class_labels": "HCM", "phase": "ED"}
    assert not torch.allclose(make(latent_diffusion, **asked), make(latent_diffusion, class_labels="NOR", phase="ED"))
    assert not torch.allclose(make(latent_diffusion, **asked), make(latent_diffusion, **asked, guidance_scale=4.0))
    assert latent_diffusion.network_evaluations(guidance_scale=4.0) == 6


def test_little_noise_projects_to_the_reconstruction(latent_diffusion):
    images = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    reconstructed = latent_diffusion._decode(latent_diffusion._encode(images * 2 - 1)) / 2 + 0.5
    found = {
        alpha_bar: latent_diffusion.project(images, sample_generators(0, range(2)), alpha_bar)
        for alpha_bar in (0.99999, 0.1)
    }
    near, far = ((found[a] - reconstructed.clamp(0, 1)).square().mean().item() for a in (0.99999, 0.1))
    assert near < 0.05 * far


@pytest.mark.parametrize("name", ["conditional_ddpm", "unconditional_ddpm", "latent_diffusion"])
def test_callback_sees_each_step_and_may_change_the_sample(name, request):
    pipe = request.getfixturevalue(name)
    seen = []

    def callback(pipe, step, timestep, tensors):
        seen.append((step, int(timestep)))
        return {"latents": torch.zeros_like(tensors["latents"])} if step == 2 else {}

    images = make(pipe, 2, callback_on_step_end=callback)
    assert [step for step, _ in seen] == [0, 1, 2]
    assert [timestep for _, timestep in seen] == sorted((t for _, t in seen), reverse=True)
    expected = pipe.preview(torch.zeros(2, *pipe.sample_shape))
    torch.testing.assert_close(images.permute(0, 2, 3, 1), torch.from_numpy(expected))


def test_a_callback_that_returns_nothing_changes_nothing(latent_diffusion):
    watched = make(latent_diffusion, callback_on_step_end=lambda *_: None)
    assert torch.equal(watched, make(latent_diffusion))
