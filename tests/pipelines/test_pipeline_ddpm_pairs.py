from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import torch

import zoo
from zoo.pipelines import sample_generators


def make(pipe, count=2, output_type="np", **settings):
    return pipe(count, generator=sample_generators(0, range(count)), output_type=output_type, **settings)


def test_masks_are_labels_in_every_output_type(paired_ddpm):
    masks = make(paired_ddpm).masks
    assert masks.shape == (2, 8, 8)
    assert masks.dtype == np.uint8
    assert set(np.unique(masks)) == {0, 1, 2, 3}  # of an untrained network
    tensor = make(paired_ddpm, output_type="pt").masks
    assert tensor.dtype == torch.uint8
    np.testing.assert_array_equal(masks, tensor)
    pictures = make(paired_ddpm, output_type="pil").masks
    assert isinstance(pictures[0], PIL.Image.Image) and pictures[0].mode == "L"
    np.testing.assert_array_equal(masks, np.stack([np.asarray(picture) for picture in pictures]))


def test_a_tuple_has_images_and_masks(paired_ddpm):
    output = make(paired_ddpm)
    images, masks = make(paired_ddpm, return_dict=False)
    np.testing.assert_array_equal(images, output.images)
    np.testing.assert_array_equal(masks, output.masks)
    assert output[0] is output.images and output["masks"] is output.masks


def test_a_mask_depends_on_seed_and_index_alone(paired_ddpm):
    whole = paired_ddpm(5, generator=sample_generators(0, range(5)), output_type="np").masks
    part = paired_ddpm(2, generator=sample_generators(0, range(3, 5)), output_type="np").masks
    assert (whole[3:] == part).mean() > 0.98  # rounding may turn a pixel whose labels are a tie
    assert (whole[0] == whole[1]).mean() < 0.9


def test_the_label_of_a_pixel_is_its_largest_channel(paired_ddpm, monkeypatch):
    end = torch.zeros(1, 5, 8, 8)
    end[:, 0] = torch.linspace(-1, 1, 64).reshape(8, 8)
    end[:, 1] = 0.1  # background, but for one pixel of each structure
    for label in (1, 2, 3):
        end[0, 1 + label, 0, label] = 0.2
    monkeypatch.setattr(type(paired_ddpm), "_reverse", lambda *_: end)
    output = make(paired_ddpm, 1)
    assert output.masks[0].tolist() == [[0, 1, 2, 3, 0, 0, 0, 0]] + [[0] * 8] * 7
    np.testing.assert_allclose(output.images[0, ..., 0], np.linspace(0, 1, 64).reshape(8, 8), atol=1e-6)


def test_classes_reach_image_and_mask(paired_ddpm):
    one, other = (make(paired_ddpm, 1, class_labels=name, phase="ED") for name in ("NOR", "HCM"))
    assert np.abs(one.images - other.images).max() > 1e-3
    assert (one.masks != other.masks).any()


def test_saved_and_loaded(paired_ddpm, tmp_path):
    paired_ddpm.save_pretrained(tmp_path / "model")
    loaded = zoo.from_pretrained(tmp_path / "model")
    assert type(loaded) is type(paired_ddpm)
    assert loaded.num_labels == 4 and loaded.num_channels == 1
    for name in ("images", "masks"):
        np.testing.assert_array_equal(make(loaded)[name], make(paired_ddpm)[name])


def perfect_network(pairs: torch.Tensor, scheduler):
    """The best possible prediction of velocity where the data are nothing but some pairs `(n, channels, h, w)`."""

    def predict(sample, timestep, labels=None):
        signal = scheduler.alphas_cumprod[int(timestep)].item()
        distance = torch.cdist(sample.flatten(1), signal**0.5 * pairs.flatten(1)).square()
        share = (-distance / (2 * (1 - signal))).softmax(1)
        clean = (share @ pairs.flatten(1)).reshape(sample.shape)
        noise = (sample - signal**0.5 * clean) / (1 - signal) ** 0.5
        return SimpleNamespace(sample=signal**0.5 * noise - (1 - signal) ** 0.5 * clean)

    return predict


def test_projection_finds_the_image_that_the_model_knows_without_its_mask(paired_ddpm, monkeypatch):
    pairs = torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    monkeypatch.setattr(paired_ddpm.unet, "forward", perfect_network(pairs, paired_ddpm.scheduler))
    images = pairs[:, :1] / 2 + 0.5
    for alpha_bar in (0.9, 0.5, 0.1):
        generators = sample_generators(0, range(2))
        found = paired_ddpm.project(images, generator=generators, alpha_bar=alpha_bar, num_inference_steps=20)
        torch.testing.assert_close(found, images, atol=0.01, rtol=0)


def test_projection_holds_the_image_down_to_alpha_bar_and_not_below(paired_ddpm, monkeypatch):
    seen = []

    def predict(sample, timestep, labels=None):
        seen.append((int(timestep), sample[:, :1].clone()))
        return SimpleNamespace(sample=torch.zeros_like(sample))

    monkeypatch.setattr(paired_ddpm.unet, "forward", predict)
    image = torch.rand(1, 1, 8, 8)
    paired_ddpm.project(image, generator=sample_generators(0, [0]), alpha_bar=0.5, num_inference_steps=20)
    timesteps = [step for step, _ in seen]
    assert timesteps == sorted(set(timesteps), reverse=True)
    noise = torch.randn(5, 8, 8, generator=sample_generators(0, [0])[0])[:1]
    signals = [paired_ddpm.scheduler.alphas_cumprod[step].item() for step in timesteps]
    held = [
        torch.allclose(sample[0], signal**0.5 * (image[0] * 2 - 1) + (1 - signal) ** 0.5 * noise, atol=1e-5)
        for signal, (_, sample) in zip(signals, seen, strict=True)
    ]
    last = held.index(False) - 1
    assert signals[last] == pytest.approx(0.5, abs=1e-3)
    assert not any(held[last + 1 :])
    assert len(seen) == pytest.approx(20, abs=1)


def test_projection_follows_the_signal(paired_ddpm):
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    errors = [
        (paired_ddpm.project(images, generator=sample_generators(0, range(4)), alpha_bar=alpha_bar) - images)
        .square()
        .mean()
        .item()
        for alpha_bar in (0.9999, 0.9, 0.1)
    ]
    assert errors[0] < 1e-3
    assert errors[0] < errors[1] < errors[2]


def test_projection_refuses_what_it_cannot_do(paired_ddpm):
    with pytest.raises(ValueError, match="alpha_bar: expected a number between 0 and 1"):
        paired_ddpm.project(torch.rand(1, 1, 8, 8), alpha_bar=0.0)
