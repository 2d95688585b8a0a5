import pytest
import torch

from zoo.models import ScoreUNet2DModel

NETWORK = {"block_out_channels": [8, 16], "attention_levels": [1], "attention_head_dim": 8, "norm_num_groups": 4}


@pytest.fixture
def unet() -> ScoreUNet2DModel:
    torch.manual_seed(0)
    return ScoreUNet2DModel(0.5, sample_size=16, **NETWORK).eval()


def test_shape_and_seeded_slice(unet):
    sample = torch.linspace(-1, 1, 512).reshape(2, 1, 16, 16)
    out = unet(sample, torch.tensor([0.1, 1.0])).sample
    assert out.shape == sample.shape
    torch.testing.assert_close(out[1:], unet(sample[1:], 1.0).sample)
    expected = torch.tensor([-0.9608, -0.9503, -0.8917, -0.9043, -0.8966, -0.8724, -0.8555, -0.8529, -0.806])
    torch.testing.assert_close(out[0, 0, :3, :3].flatten(), expected, atol=1e-4, rtol=0)


def test_little_noise_is_passed_through_and_much_noise_is_not(unet):
    sample = torch.randn(1, 1, 16, 16)
    assert (unet(sample, 1e-4).sample - sample).abs().max() < 1e-2
    assert unet(100 * sample, 100.0).sample.abs().max() < 5


def test_input_and_target_of_the_unet_have_unit_variance(unet, monkeypatch):
    """Equation 7 of Karras et al. (2022), which the preconditioning solves."""
    generator = torch.Generator().manual_seed(0)
    seen = []

    def record(self, patches, timestep):
        seen.append(patches)
        return type("Output", (), {"sample": torch.zeros_like(patches)})

    monkeypatch.setattr(type(unet.unet), "forward", record)
    for sigma in (0.05, 0.5, 20.0):
        images = 0.5 * torch.randn(200, 1, 16, 16, generator=generator)
        noisy = images + sigma * torch.randn(images.shape, generator=generator)
        skipped = unet(noisy, sigma).sample
        target = (images - skipped) / (sigma * 0.5 / (sigma**2 + 0.25) ** 0.5)
        assert seen[-1].std().item() == pytest.approx(1, abs=0.02)
        assert target.std().item() == pytest.approx(1, abs=0.02)


def test_the_noise_level_matters_to_the_unet(unet, monkeypatch):
    timesteps = []
    forward = type(unet.unet).forward
    monkeypatch.setattr(type(unet.unet), "forward", lambda self, x, t: timesteps.append(t) or forward(self, x, t))
    for sigma in (1.0, torch.e):
        unet(torch.zeros(1, 1, 16, 16), sigma)
    torch.testing.assert_close(torch.cat(timesteps), torch.tensor([0.0, 100.0]))


@pytest.mark.parametrize(("size", "channels", "patch_size"), [(64, 1, 2), (128, 3, 2), (64, 3, 1)])
def test_sizes_channels_and_patches(size, channels, patch_size):
    unet = ScoreUNet2DModel(0.5, size, channels, patch_size=patch_size, **NETWORK)
    assert unet(torch.randn(1, channels, size, size), 1.0).sample.shape == (1, channels, size, size)
    with pytest.raises(ValueError, match="patch_size: expected a divisor of sample_size 64, got 5"):
        ScoreUNet2DModel(0.5, 64, patch_size=5, **NETWORK)


def test_saved_and_loaded_weights_are_the_same(unet, tmp_path):
    unet.save_pretrained(tmp_path)
    loaded = ScoreUNet2DModel.from_pretrained(tmp_path)
    sample = torch.randn(1, 1, 16, 16)
    torch.testing.assert_close(unet(sample, 0.3).sample, loaded(sample, 0.3).sample)
    assert loaded.config.data_scale == 0.5
