"""Training a diffusion model of images together with their masks."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from PIL import Image
from safetensors.torch import load_file

import train_diffusion
import zoo
import zoo.datasets
from common.data import ImageTensors, augment, to_network
from common.pairs import LABELS, PairTensors, settle_masks
from train_diffusion import diffusion_loss, network_input
from zoo import png
from zoo.errors import ZooError

TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
masks: true
conditions: [pathology]
epochs: 2
batch_size: 16
patch_size: 2
block_out_channels: [4, 8]
attention_levels: [1]
attention_head_dim: 4
norm_num_groups: 2
rotation_degrees: 10
num_inference_steps: 2
beta_schedule: squaredcos_cap_v2
prediction_type: v_prediction
ema_decay: 0.9
evaluate_every: 1
sample_every: 1
checkpoint_every: 1
"""


@pytest.fixture
def recipe(tmp_path, few_images):
    def write(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=few_images, output_dir=tmp_path / "runs", name=name))
        return ["--config", str(path)]

    return write


@pytest.fixture(scope="module")
def train(few_images):
    return zoo.datasets.load(few_images).dataset["train"]


def test_a_run_leaves_a_pipeline_of_pairs_resumes_and_is_gone_on_from(
    recipe, tmp_path, stop_after_the_first_epoch, few_images
):
    train_diffusion.main(recipe("whole"))
    with stop_after_the_first_epoch():
        train_diffusion.main(recipe("broken"))
    train_diffusion.main([*recipe("broken"), "--resume"])
    runs = tmp_path / "runs"
    one, other = (load_file(runs / name / "checkpoints" / "last" / "model.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())

    metrics = json.loads((runs / "whole" / "pipeline" / "metrics.json").read_text())
    assert metrics["model"]["family"] == "ddpm-pairs"
    pipe = zoo.from_pretrained(runs / "whole" / "pipeline")
    output = pipe(2, class_labels="HCM", output_type="np")
    assert output.images.shape == (2, 64, 64, 1) and output.masks.shape == (2, 64, 64)
    assert pipe.unet.config.channels == 1 + LABELS and pipe.config.pixel_spacing_mm == 2.0
    # A picture of 2 rows and 8 columns shows each sample beside its mask
    with Image.open(runs / "whole" / "samples" / "epoch-0001.png") as picture:
        assert picture.size == (8 * 130 - 2, 2 * 66 - 2)

    source = ["--init_from", str(runs / "whole" / "pipeline"), "--epochs", "1"]
    train_diffusion.main([*recipe("tuned"), *source, "--learning_rate", "1e-9", "--ema_decay", "0"])
    tuned = zoo.from_pretrained(runs / "tuned" / "pipeline")
    for name, value in pipe.unet.state_dict().items():
        torch.testing.assert_close(tuned.unet.state_dict()[name], value, atol=1e-6, rtol=0)
    with pytest.raises(ZooError, match="pipeline: makes masks, unlike a model of this recipe"):
        train_diffusion.main([*recipe("plain"), *source, "--masks", "false"])


def test_without_conditions(recipe, tmp_path):
    train_diffusion.main([*recipe("open"), "--conditions", "[]", "--epochs", "1"])
    pipe = zoo.from_pretrained(tmp_path / "runs" / "open" / "pipeline")
    assert pipe.class_names == {} and pipe(1, output_type="np").masks.shape == (1, 64, 64)


def test_what_pairs_cannot_have_is_refused(recipe, tmp_path, conditional_ddpm, few_images):
    for options, message in (
        (["--autoencoder", "nowhere"], "masks: expected false with an autoencoder"),
        (["--invert_probability", "0.5"], "invert_probability: expected 0 with masks, got 0.5"),
    ):
        with pytest.raises(ZooError, match=message):
            train_diffusion.main([*recipe("refused"), *options, "--output_dir", str(tmp_path / options[0])])
    conditional_ddpm.save_pretrained(tmp_path / "plain")
    with pytest.raises(ZooError, match="plain: makes no masks, unlike a model of this recipe"):
        train_diffusion.main([*recipe("from-plain"), "--init_from", str(tmp_path / "plain")])
    built = zoo.datasets.load(few_images)
    built.dataset = built.dataset.remove_columns("mask")
    bare = str(zoo.datasets.save(built, tmp_path / "bare"))
    with pytest.raises(ZooError, match="column 'mask': the dataset has image"):
        train_diffusion.main([*recipe("bare"), "--dataset", bare])


def test_pairs_are_the_images_and_a_channel_a_label(train):
    names = {"pathology": list(train.features["pathology"].names)}
    images = ImageTensors(train, names)
    pairs = PairTensors(images, train)
    item = pairs[5]
    assert item["image"].shape == (1 + LABELS, 64, 64) and item["image"].dtype == torch.uint8
    assert torch.equal(item["image"][:1], images[5]["image"]) and torch.equal(item["labels"], images[5]["labels"])
    mask = np.asarray(train[5]["mask"])
    for label in range(LABELS):
        np.testing.assert_array_equal(item["image"][1 + label], (mask == label) * 255)
    assert len(pairs) == len(train)


def test_an_unknown_label_is_named(train):
    pictures = [png.encode(np.full((64, 64), 4, np.uint8))] * len(train)
    strange = train.remove_columns("mask").add_column("mask", pictures, feature=train.features["mask"])
    with pytest.raises(ZooError, match="column 'mask' has label 4, expected 0 to 3"):
        PairTensors(ImageTensors(train, {}), strange)


def test_image_and_mask_move_alike_and_every_pixel_keeps_one_label():
    axis = torch.arange(64) - 31.5
    disc = ((axis[:, None] - 8) ** 2 + axis[None] ** 2 < 15**2).to(torch.uint8)
    masks = torch.stack([1 - disc, torch.zeros_like(disc), disc, torch.zeros_like(disc)])
    pairs = (torch.cat([disc[None], masks]) * 255).repeat(40, 1, 1, 1)
    recipe = SimpleNamespace(
        rotation_degrees=90, zoom=0.3, horizontal_flip=True, vertical_flip=True, augment_probability=1,
        invert_probability=0, masks=True,
    )  # fmt: skip
    torch.manual_seed(0)
    moved = network_input(pairs, recipe)
    images, layers = moved[:, 0], moved[:, 1:]
    assert set(layers.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal((layers == 1).sum(1), torch.ones(40, 64, 64, dtype=torch.int64))
    assert (layers[:, [1, 3]] == -1).all()
    assert ((images > 0) == (layers[:, 2] > 0)).float().mean() > 0.999
    assert (layers[:, 2] != layers[:1, 2]).any((1, 2)).sum() > 30  # they did move

    torch.manual_seed(0)
    assert torch.equal(settle_masks(augment(to_network(pairs), recipe)), moved)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_image_and_mask_count_one_half_each_and_the_mask_as_far_as_there_is_noise(prediction_type):
    scheduler = DDPMScheduler(prediction_type=prediction_type, beta_schedule="squaredcos_cap_v2")
    torch.manual_seed(0)
    pairs, noise = torch.randn(2, 3, 1 + LABELS, 4, 4)
    timesteps, labels = torch.tensor([5, 300, 900]), torch.zeros(3, 1)
    target = noise if prediction_type == "epsilon" else scheduler.get_velocity(pairs, noise, timesteps)

    def loss(image_error: float, mask_error: float) -> torch.Tensor:
        error = torch.full_like(target, mask_error)
        error[:, 0] = image_error
        inputs = pairs, labels, noise, timesteps
        return diffusion_loss(lambda *_: target + error, scheduler, *inputs, masks=True)

    torch.testing.assert_close(loss(2, 0), torch.full((3,), 2.0))
    torch.testing.assert_close(loss(0, 2), 2 * (1 - scheduler.alphas_cumprod[timesteps]))
    torch.testing.assert_close(loss(1, 2), loss(1, 0) + loss(0, 2))


def test_of_velocities_the_error_of_the_mask_is_that_of_the_mask_itself():
    scheduler = DDPMScheduler(prediction_type="v_prediction", beta_schedule="squaredcos_cap_v2")
    torch.manual_seed(0)
    pairs, noise, wrong = torch.randn(3, 3, 1 + LABELS, 4, 4)
    timesteps = torch.tensor([5, 300, 900])
    signal = scheduler.alphas_cumprod[timesteps].reshape(3, 1, 1, 1)
    velocity = scheduler.get_velocity(pairs, noise, timesteps) + wrong
    velocity[:, 0] -= wrong[:, 0]  # the image is right
    denoised = signal**0.5 * scheduler.add_noise(pairs, noise, timesteps) - (1 - signal) ** 0.5 * velocity
    loss = diffusion_loss(lambda *_: velocity, scheduler, pairs, torch.zeros(3, 1), noise, timesteps, masks=True)
    torch.testing.assert_close(loss, (denoised - pairs)[:, 1:].square().mean((1, 2, 3)) / 2, atol=1e-5, rtol=1e-4)
