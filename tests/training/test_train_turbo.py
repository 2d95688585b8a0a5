"""Consistency tuning of a tiny DDPM with an expert, as typed, and its loss."""

import contextlib
import json
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, LCMScheduler, UNet2DModel
from safetensors.torch import load_file

import train_turbo
import zoo
from train_turbo import Stage, consistency_loss, earlier_levels
from zoo.errors import ZooError
from zoo.models import ConditionalUNet2DModel
from zoo.pipelines import ConditionalDDPMPipeline, sample_generators

PROCESS = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
ALPHA_BARS = torch.cat([torch.ones(1), DDPMScheduler(**PROCESS).alphas_cumprod])
TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
init_from: {teacher}
epochs: 2
batch_size: 16
mixed_precision: "no"
learning_rate: 0.01
lr_scheduler: cosine
rotation_degrees: 10
ema_decay: 0.9
num_inference_steps: 2
kid_samples: 4
evaluate_every: 1
sample_every: 2
checkpoint_every: 1
"""


def network(**keywords) -> ConditionalUNet2DModel:
    classes = {"pathology": ["NOR", "MINF", "DCM", "HCM", "RV"]}
    shares = {"pathology": [0.2] * 5}
    width = {"block_out_channels": [4, 8], "attention_levels": [], "attention_head_dim": 4, "norm_num_groups": 2}
    return ConditionalUNet2DModel(["pathology"], classes, shares, patch_size=4, **width, **keywords)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> str:
    torch.manual_seed(0)
    unet = network(dropout=0.1)
    config = {"block_out_channels": (4, 8), "norm_num_groups": 2, "attention_head_dim": 4, "layers_per_block": 1}
    blocks = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    expert = UNet2DModel(64, 1, 1, **config, **blocks)
    sampler = DPMSolverMultistepScheduler(**PROCESS)
    pipe = ConditionalDDPMPipeline(unet, sampler, expert, boundary_ratio=0.3, pixel_spacing_mm=2.0)
    pipe.save_pretrained(folder := tmp_path_factory.mktemp("models") / "teacher")
    return str(folder)


@pytest.fixture
def write(tmp_path, few_images, teacher, monkeypatch, coarse_pixels):
    monkeypatch.setattr(train_turbo, "EfficientNetLite0Extractor", coarse_pixels)

    def write(name: str, **values) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        values = {"dataset": few_images, "output_dir": tmp_path / "runs", "name": name, "teacher": teacher, **values}
        path.write_text(TINY.format(**values))
        return ["--config", str(path)]

    return write


def weights(run: Path) -> dict[str, torch.Tensor]:
    files = sorted((run / "checkpoints" / "last").glob("model*.safetensors"))
    return {f"{file.stem}.{name}": value for file in files for name, value in load_file(file).items()}


def test_it_trains_both_networks_resumes_exactly_and_samples_in_one_to_four_steps(
    write, tmp_path, teacher, stop_after_the_first_epoch
):
    runs = tmp_path / "runs"
    train_turbo.main(write("whole"))
    with stop_after_the_first_epoch():
        train_turbo.main(write("broken"))
    train_turbo.main([*write("broken"), "--resume"])
    whole, broken = weights(runs / "whole"), weights(runs / "broken")
    assert all(torch.equal(value, broken[name]) for name, value in whole.items())
    lines = (runs / "whole" / "metrics.jsonl").read_text().splitlines()
    logged = [row["closeness"] for row in map(json.loads, lines) if "closeness" in row]
    assert logged == [(4 + 4 + 16) / 3, (64 + 64 + 256) / 3]  # means of three steps

    pipe, before = zoo.from_pretrained(runs / "whole" / "pipeline"), zoo.from_pretrained(teacher)
    for name in ("unet", "unet_2"):
        after = getattr(pipe, name).state_dict()
        changed = [not torch.equal(after[key], value) for key, value in getattr(before, name).state_dict().items()]
        assert sum(changed) > 0.9 * len(changed)
    assert pipe.family == "turbo" and isinstance(pipe.scheduler, LCMScheduler)
    assert (pipe.config.boundary_ratio, pipe.config.pixel_spacing_mm) == (0.3, 2.0)
    assert pipe.network_evaluations() == 2
    for steps in (1, 2, 4):
        images = pipe(2, class_labels="HCM", num_inference_steps=steps, output_type="np").images
        assert images.shape == (2, 64, 64, 1) and images.std() > 0
    assert pipe.network_evaluations(4) == 4


def test_one_network_may_learn_all_levels(write, tmp_path):
    train_turbo.main([*write("one"), "--one_network", "true", "--epochs", "1", "--mixed_precision", "bf16"])
    pipe = zoo.from_pretrained(tmp_path / "runs" / "one" / "pipeline")
    assert pipe.unet_2 is None
    assert pipe(1, num_inference_steps=4, output_type="np").images.shape == (1, 64, 64, 1)


def test_a_model_that_cannot_be_tuned_is_refused(write):
    with pytest.raises(ZooError, match="expected a conditional DDPM, got a GANPipeline"):
        train_turbo.main(write("gan", teacher="dcgan-acdc-64"))


def test_earlier_levels_come_closer():
    levels = torch.arange(1, 1001)
    before = None
    for closeness in (4, 16, 64, 256, 10**6):
        earlier = earlier_levels(levels, ALPHA_BARS, closeness)
        assert (earlier >= 0).all() and (earlier < levels).all()
        assert before is None or (earlier >= before).all()
        before = earlier
    assert torch.equal(before, levels - 1)
    assert earlier_levels(torch.tensor([1000]), ALPHA_BARS, 4).item() == 750  # n = 1 where σ has no end
    assert earlier_levels(torch.tensor([100]), ALPHA_BARS, 4).item() == 0  # n ≈ 5: the loss of a diffusion model


def losses(stage: Stage, stages: list[Stage], images, levels) -> torch.Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(len(images), 1, dtype=torch.int64)
    settings = (ALPHA_BARS, 16, 0.00054, contextlib.nullcontext)
    return consistency_loss(stage, stages, images, labels, noise, levels, *settings)


def test_loss_is_zero_for_a_single_image_at_every_level_and_grows_with_the_error():
    image = torch.linspace(-1, 1, 16).view(1, 1, 4, 4)

    def knows_it(noisy, timesteps, labels):
        signal = ALPHA_BARS[timesteps + 1].view(-1, 1, 1, 1)
        return ((signal.sqrt() * noisy - image) / (1 - signal).clamp(min=1e-9).sqrt()).nan_to_num()

    levels = torch.tensor([1, 50, 300, 700, 1000])
    stage = Stage(knows_it, range(1, 1001))
    assert losses(stage, [stage], image.expand(5, -1, -1, -1), levels).max() < 1e-2
    wrong = Stage(lambda *inputs: knows_it(*inputs) + 0.1 * inputs[1].view(-1, 1, 1, 1) / 1000, range(1, 1001))
    assert losses(wrong, [wrong], image.expand(5, -1, -1, -1), levels)[2:].min() > 2e-2


def test_targets_below_a_stage_come_of_the_stage_below_and_have_no_gradient():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))
            self.seen = []

        def forward(self, noisy, timesteps, labels):
            self.seen.append(timesteps.tolist())
            return noisy * self.scale

    coarse, fine = Stage(Scaled(), range(301, 1001)), Stage(Scaled(), range(1, 301))
    losses(coarse, [coarse, fine], torch.rand(3, 1, 4, 4), torch.tensor([301, 320, 900])).sum().backward()
    below = earlier_levels(torch.tensor([301, 320]), ALPHA_BARS, 16) - 1
    assert fine.network.seen == [below.tolist()]
    assert coarse.network.seen[1] == [300, 319, 899]
    assert coarse.network.scale.grad.abs() > 0 and fine.network.scale.grad is None


def test_one_step_of_the_sampler_is_what_training_calls_denoised(teacher):
    pipe = zoo.from_pretrained(teacher)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = LCMScheduler(**PROCESS, original_inference_steps=1000)
    generators = sample_generators(0, range(2))
    labels = pipe.draw_labels("HCM", {}, generators)
    noise = torch.stack([torch.randn(1, 64, 64, generator=generator) for generator in generators])
    with torch.no_grad():
        stage = Stage(pipe.unet, range(301, 1001))
        expected = stage.denoised(noise, torch.tensor([1000, 1000]), labels, ALPHA_BARS)
    settings = {"class_labels": "HCM", "num_inference_steps": 1, "output_type": "pt"}
    images = pipe(2, generator=sample_generators(0, range(2)), **settings).images
    torch.testing.assert_close(images, (expected / 2 + 0.5).clamp(0, 1), atol=1e-4, rtol=0)
