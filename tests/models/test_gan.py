import pytest
import torch

from zoo.models import GANDiscriminator, GANGenerator


@pytest.mark.parametrize(("size", "channels"), [(64, 1), (64, 3), (128, 1), (128, 3)])
def test_shapes_and_range(size, channels):
    images = GANGenerator(size, channels, latent_dim=5, hidden_sizes=[8])(torch.randn(2, 5)).sample
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert GANDiscriminator(size, channels, hidden_sizes=[8, 4])(images).shape == (2,)


def test_seeded_slice():
    torch.manual_seed(0)
    generator = GANGenerator(4, 1, latent_dim=3, hidden_sizes=[8, 8]).eval()
    found = generator(torch.ones(1, 3)).sample[0, 0, :3, :3].flatten()
    expected = torch.tensor([-0.21058, -0.07625, 0.12719, -0.02973, 0.16966, 0.15186, -0.23423, 0.09189, -0.2747])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_dense_layers_know_no_neighbours():
    """Unlike a convolution, a first layer of dense units is the same after the pixels and its weights are reordered."""
    torch.manual_seed(0)
    discriminator = GANDiscriminator(8, 1, hidden_sizes=[8]).eval()
    images, order = torch.randn(2, 1, 8, 8), torch.randperm(64)
    scores = discriminator(images)
    weight = discriminator.layers[1][0].weight
    weight.data = weight.data[:, order]
    torch.testing.assert_close(discriminator(images.flatten(1)[:, order].view(2, 1, 8, 8)), scores)


def test_saved_and_loaded_weights_are_the_same(tmp_path):
    generator = GANGenerator(8, 3, 4, [8]).eval()
    generator.save_pretrained(tmp_path)
    latents = torch.randn(2, 4)
    assert torch.equal(generator(latents).sample, GANGenerator.from_pretrained(tmp_path)(latents).sample)
