import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.models import DCGANDiscriminator, DCGANGenerator


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (45, 1), (64, 1), (64, 3), (128, 1), (128, 3)])
def test_shapes_and_range(size, channels, upsampling):
    generator = DCGANGenerator(size, channels, latent_dim=5, base_channels=2, upsampling=upsampling)
    images = generator(torch.randn(2, 5)).sample
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert DCGANDiscriminator(size, channels, base_channels=2)(images).shape == (2,)


def test_study_b_size_is_halved_down_to_five_pixels():
    generator, discriminator = DCGANGenerator(180, 1, 4, base_channels=1), DCGANDiscriminator(180, 1, 1)
    maps = []
    for layer in generator.layers:
        if isinstance(layer, nn.ConvTranspose2d):
            layer.register_forward_hook(lambda layer, inputs, output: maps.append(output.shape[-1]))
    assert discriminator(generator(torch.randn(2, 4)).sample).shape == (2,)
    assert maps == [5, 11, 22, 45, 90, 180]


@pytest.mark.parametrize("settings", [{}, {"norm": "instance"}, {"norm": "none"}])
@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
def test_one_step_each_moves_the_scores_the_right_way(settings, upsampling):
    torch.manual_seed(0)
    generator = DCGANGenerator(16, 1, 8, 8, upsampling)
    discriminator = DCGANDiscriminator(16, 1, 8, **settings)
    latents, real = torch.randn(16, 8), torch.rand(16, 1, 16, 16)
    optimizer = torch.optim.Adam(discriminator.parameters(), 1e-3)

    def gap() -> torch.Tensor:
        return (
            F.softplus(-discriminator(real)).mean()
            + F.softplus(discriminator(generator(latents).sample.detach())).mean()
        )

    before = gap()
    before.backward()
    optimizer.step()
    assert gap() < before

    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    before = F.softplus(-discriminator(generator(latents).sample)).mean()
    before.backward()
    optimizer.step()
    assert F.softplus(-discriminator(generator(latents).sample)).mean() < before


@pytest.mark.parametrize(("norm", "mixes"), [("batch", True), ("instance", False), ("none", False)])
def test_only_batch_norm_mixes_the_images_of_a_batch(norm, mixes):
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator(32, 1, 4, norm=norm)
    images = torch.randn(4, 1, 32, 32)
    alone = torch.cat([discriminator(part) for part in images.split(2)])
    assert torch.allclose(alone, discriminator(images), atol=1e-6) is not mixes


def test_seeded_slice():
    torch.manual_seed(0)
    generator = DCGANGenerator(8, 1, latent_dim=4, base_channels=4).eval()
    found = generator(torch.ones(1, 4)).sample[0, 0, :3, :3].flatten()
    expected = torch.tensor([0.02077, 0.02512, 0.02193, 0.01901, 0.02447, 0.02199, 0.018, 0.01816, 0.02066])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
def test_saved_and_loaded_weights_are_the_same(tmp_path, upsampling):
    generator = DCGANGenerator(16, 1, 8, 4, upsampling).eval()
    generator.save_pretrained(tmp_path)
    loaded = DCGANGenerator.from_pretrained(tmp_path)
    latents = torch.randn(2, 8)
    assert torch.equal(generator(latents).sample, loaded(latents).sample)


def test_a_discriminator_is_saved_and_loaded(tmp_path):
    discriminator = DCGANDiscriminator(16, 1, 4, norm="instance").eval()
    discriminator.save_pretrained(tmp_path)
    images = torch.randn(2, 1, 16, 16)
    assert torch.equal(DCGANDiscriminator.from_pretrained(tmp_path)(images), discriminator(images))


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: DCGANGenerator(4), "sample_size: expected at least 8, got 4"),
        (lambda: DCGANGenerator(16, upsampling="nearest"), "upsampling: expected"),
        (lambda: DCGANDiscriminator(16, norm="layer"), "norm: expected"),
    ],
)
def test_bad_settings_are_named(build, complaint):
    with pytest.raises(ValueError, match=complaint):
        build()
