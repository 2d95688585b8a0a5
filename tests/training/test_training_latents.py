from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL

import zoo.datasets
from common.data import ImageTensors, to_network
from common.latents import LatentTensors, load_autoencoder
from zoo.errors import ZooError

TURNED = SimpleNamespace(
    rotation_degrees=10, zoom=0, horizontal_flip=False, vertical_flip=False, augment_probability=1, invert_probability=0
)


def save_autoencoder(folder, channels: int = 1) -> str:
    """A tiny autoencoder from 64x64 images to 16x16 latents of two channels."""
    torch.manual_seed(0)
    autoencoder = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=[4, 4, 4],
        in_channels=channels,
        out_channels=channels,
        latent_channels=2,
        norm_num_groups=2,
        mid_block_add_attention=False,
        sample_size=64,
    )
    autoencoder.save_pretrained(folder / "autoencoder")
    return str(folder)


@pytest.fixture(scope="module")
def train(phantom) -> ImageTensors:
    return ImageTensors(zoo.datasets.load(phantom).dataset["train"], {})


def test_latents_of_the_training_images_are_normalised_means(train, tmp_path):
    autoencoder = load_autoencoder(save_autoencoder(tmp_path), train)
    assert not any(parameter.requires_grad for parameter in autoencoder.parameters())
    data = LatentTensors(train, autoencoder)
    assert data.images.shape == (len(train), 1, 2, 16, 16)
    assert data.images.mean().item() == pytest.approx(0, abs=1e-3)
    assert data.images.std().item() == pytest.approx(1, abs=1e-3)
    mean = autoencoder.encode(to_network(train.images[3:4])).latent_dist.mean[0]
    config = autoencoder.config
    torch.testing.assert_close(data[3]["image"][0], (mean - config.shift_factor) * config.scaling_factor)
    assert torch.equal(data[3]["labels"], train[3]["labels"])


def test_copies_differ_and_a_seed_repeats_them(train, tmp_path):
    autoencoder = load_autoencoder(save_autoencoder(tmp_path), train)
    state = torch.random.get_rng_state()
    once = LatentTensors(train, autoencoder, TURNED, copies=2, seed=1).images
    assert torch.equal(torch.random.get_rng_state(), state)
    assert once.shape[1] == 2
    assert not torch.allclose(once[:, 0], once[:, 1])
    assert torch.equal(once, LatentTensors(train, autoencoder, TURNED, copies=2, seed=1).images)
    assert not torch.equal(once, LatentTensors(train, autoencoder, TURNED, copies=2, seed=2).images)


def test_an_autoencoder_that_does_not_fit_is_refused(train, tmp_path):
    with pytest.raises(ZooError, match="nowhere/autoencoder: not found, expected what train_autoencoder.py leaves"):
        load_autoencoder("nowhere", train)
    with pytest.raises(ZooError, match="expected 1 channels as in the dataset, got 3"):
        load_autoencoder(save_autoencoder(tmp_path, channels=3), train)
    odd = SimpleNamespace(images=train.images[..., :62, :62])
    with pytest.raises(ZooError, match="shrinks images by 4, the dataset's 62 pixels are no multiple"):
        load_autoencoder(save_autoencoder(tmp_path), odd)
