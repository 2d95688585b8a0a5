import pytest
import torch
import torch.nn.functional as F

from zoo.models import DCGANDiscriminator, DCGANGenerator


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (64, 1), (128, 3)])
def test_shapes_and_range(size, channels):
    generator = DCGANGenerator(size, channels, latent_dim=5, base_channels=4)
    images = generator(torch.randn(2, 5))
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert DCGANDiscriminator(size, channels, base_channels=4)(images).shape == (2,)


def test_one_step_each_moves_the_scores_the_right_way():
    torch.manual_seed(0)
    generator, discriminator = DCGANGenerator(16, 1, 8, 8), DCGANDiscriminator(16, 1, 8)
    latents, real = torch.randn(16, 8), torch.rand(16, 1, 16, 16)
    optimizer = torch.optim.Adam(discriminator.parameters(), 1e-3)

    def gap() -> torch.Tensor:
        return F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(latents).detach())).mean()

    before = gap()
    before.backward()
    optimizer.step()
    assert gap() < before

    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    before = F.softplus(-discriminator(generator(latents))).mean()
    before.backward()
    optimizer.step()
    assert F.softplus(-discriminator(generator(latents))).mean() < before


def test_seeded_slice():
    torch.manual_seed(0)
    generator = DCGANGenerator(8, 1, latent_dim=4, base_channels=4).eval()
    found = generator(torch.ones(1, 4))[0, 0, :3, :3].flatten()
    expected = torch.tensor([0.02077, 0.02512, 0.02193, 0.01901, 0.02447, 0.02199, 0.018, 0.01816, 0.02066])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_saved_and_loaded_weights_are_the_same(tmp_path):
    generator = DCGANGenerator(16, 1, 8, 4).eval()
    generator.save_pretrained(tmp_path)
    loaded = DCGANGenerator.from_pretrained(tmp_path)
    latents = torch.randn(2, 8)
    assert torch.equal(generator(latents), loaded(latents))


@pytest.mark.parametrize("size", [4, 60, 65])
def test_a_size_that_is_no_power_of_two_is_refused(size):
    with pytest.raises(ValueError, match="sample_size: expected a power of two of at least 8"):
        DCGANGenerator(size)
