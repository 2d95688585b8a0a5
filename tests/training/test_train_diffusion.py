import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler
from safetensors.torch import load_file

import common.run
import train_diffusion
import zoo
from train_diffusion import diffusion_loss
from zoo.errors import ZooError

SCRIPT = Path(train_diffusion.__file__)
TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
conditions: [pathology, phase]
epochs: 2
batch_size: 16
block_out_channels: [4, 4, 8]
attention_levels: [2]
attention_head_dim: 4
norm_num_groups: 2
dropout: 0.1
rotation_degrees: 10
num_inference_steps: 2
beta_schedule: squaredcos_cap_v2
prediction_type: v_prediction
min_snr_gamma: 5
ema_decay: 0.9
lr_scheduler: cosine
evaluate_every: 1
sample_every: 2
checkpoint_every: 1
"""


@pytest.fixture
def recipe(tmp_path, few_images):
    def write(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=few_images, output_dir=tmp_path / "runs", name=name))
        return ["--config", str(path)]

    return write


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / "last" / "model.safetensors")


def assert_same_weights(one: Path, other: Path) -> None:
    other_weights = weights(other)
    assert all(torch.equal(value, other_weights[name]) for name, value in weights(one).items())


def test_accelerate_launch_leaves_a_whole_run(recipe, tmp_path):
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", str(SCRIPT)]
    subprocess.run([*command, *recipe("tiny"), "--epochs", "1"], check=True, capture_output=True)
    run = tmp_path / "runs" / "tiny"
    for name in ("recipe.yaml", "metrics.jsonl", "curves.png", "samples/epoch-0001.png", "checkpoints/last"):
        assert (run / name).exists(), name
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert any("loss" in row for row in rows)
    assert any("validation_loss" in row for row in rows)
    assert rows[-1]["images_per_second"] > 0

    metrics = json.loads((run / "pipeline" / "metrics.json").read_text())
    assert metrics["model"] == {"name": "tiny", "family": "ddpm"}
    assert metrics["training"]["images_seen"] == rows[-1]["images_seen"]
    assert metrics["training"]["dataset"]["preset"] == "phantom-64"
    pipe = zoo.from_pretrained(run / "pipeline")
    assert pipe.config.pixel_spacing_mm == 2.0
    assert pipe(2, class_labels="HCM", output_type="np").images.shape == (2, 64, 64, 1)


def test_a_resumed_run_equals_an_uninterrupted_one(recipe, tmp_path, monkeypatch):
    train_diffusion.main(recipe("whole"))

    log, calls = common.run.Run.log, []

    def stop_at_the_second_batch(self, **values):
        log(self, **values)
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)  # what Ctrl-C does

    monkeypatch.setattr(common.run.Run, "log", stop_at_the_second_batch)
    train_diffusion.main(recipe("broken"))
    broken = tmp_path / "runs" / "broken"
    assert len(calls) == 2
    assert not (broken / "pipeline").exists()

    train_diffusion.main([*recipe("broken"), "--resume"])
    assert_same_weights(tmp_path / "runs" / "whole", broken)

    def logged(run: Path) -> list[dict]:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in row.items() if "second" not in k} for row in rows]

    whole = logged(tmp_path / "runs" / "whole")
    assert [r["validation_loss"] for r in logged(broken) if "validation_loss" in r] == [
        r["validation_loss"] for r in whole if "validation_loss" in r
    ]


def test_an_existing_run_is_not_overwritten(recipe):
    train_diffusion.main([*recipe("once"), "--epochs", "1"])
    with pytest.raises(ZooError, match="already holds a run; give --resume"):
        train_diffusion.main(recipe("once"))


def test_resuming_nothing_is_an_error(recipe):
    with pytest.raises(ZooError, match="no checkpoint to resume from"):
        train_diffusion.main([*recipe("none"), "--resume"])


def test_early_stopping_and_time_limit(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(train_diffusion, "validation_loss", lambda *_: 1.0)
    train_diffusion.main([*recipe("patient"), "--epochs", "9", "--patience", "2"])
    last = json.loads((tmp_path / "runs" / "patient" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["epoch"] == 3  # the first is the best, two bring nothing better
    train_diffusion.main([*recipe("short"), "--epochs", "9", "--max_seconds", "0.01"])
    assert (tmp_path / "runs" / "short" / "pipeline").is_dir()


def test_fine_tuning_an_unconditional_model_from_a_conditional_one(recipe, tmp_path):
    train_diffusion.main([*recipe("source"), "--epochs", "1"])
    source = tmp_path / "runs" / "source" / "pipeline"
    train_diffusion.main([*recipe("tuned"), "--epochs", "1", "--conditions", "[]", "--init_from", str(source)])
    tuned = tmp_path / "runs" / "tuned" / "pipeline"
    assert json.loads((tuned / "model_index.json").read_text())["_class_name"] == "DDPMPipeline"
    assert DDPMPipeline.from_pretrained(tuned).unet.config.sample_size == 64
    assert zoo.from_pretrained(tuned)(1, output_type="np").images.shape == (1, 64, 64, 1)


def test_an_expert_is_trained_for_a_conditional_model(recipe, tmp_path):
    train_diffusion.main([*recipe("whole"), "--epochs", "1"])
    whole = tmp_path / "runs" / "whole" / "pipeline"
    settings = ["--epochs", "1", "--conditions", "[]", "--expert_of", str(whole)]
    own = [
        "--boundary_ratio",
        "0.6",
        "--block_out_channels",
        "[8, 8]",
        "--attention_levels",
        "[1]",
        "--algorithm_type",
        "sde-dpmsolver++",
    ]
    train_diffusion.main([*recipe("expert"), *settings, *own])
    expert = tmp_path / "runs" / "expert" / "pipeline"
    source, pipe = zoo.from_pretrained(whole), zoo.from_pretrained(expert)
    for name, value in source.unet.state_dict().items():
        assert torch.equal(pipe.unet.state_dict()[name], value)
    assert pipe.unet_2.config.block_out_channels == [8, 8] and pipe.config.boundary_ratio == 0.6
    assert pipe.class_names == source.class_names
    assert pipe.scheduler.config.algorithm_type == "sde-dpmsolver++"
    assert pipe(1, output_type="np").images.shape == (1, 64, 64, 1)
    seen = [json.loads((run / "metrics.json").read_text())["training"]["images_seen"] for run in (whole, expert)]
    assert seen[1] == 2 * seen[0]  # an epoch of each

    again = ["--init_from", str(expert), "--learning_rate", "1e-12"]  # both networks go on from where they are
    train_diffusion.main([*recipe("coarse-tuned"), "--epochs", "1", *again])
    tuned = ["--expert_of", str(tmp_path / "runs" / "coarse-tuned" / "pipeline")]
    train_diffusion.main([*recipe("expert-tuned"), *settings, *tuned, *again, "--boundary_ratio", "0.6"])
    after = zoo.from_pretrained(tmp_path / "runs" / "expert-tuned" / "pipeline")
    training = json.loads((tmp_path / "runs" / "expert-tuned" / "pipeline" / "metrics.json").read_text())["training"]
    assert training["images_seen"] == 4 * seen[0]  # what both stages go on from is counted once
    assert list(training["trainings"]) == ["whole", "expert", "coarse-tuned", "expert-tuned"]
    for name in ("unet", "unet_2"):
        for key, value in getattr(pipe, name).state_dict().items():
            assert torch.allclose(getattr(after, name).state_dict()[key], value, atol=1e-6)

    published = SCRIPT.parents[1] / "model_cards"
    for bad, told in {
        ("--boundary_ratio", "1"): "'boundary_ratio' expects a number less than 1, got 1",
        ("--beta_schedule", "linear"): "beta_schedule: expected squaredcos_cap_v2 as in",
        ("--conditions", "[pathology]"): "conditions: expected none with expert_of",
        ("--expert_of", str(published / "dcgan-acdc-64")): "expected a conditional DDPM, got a GANPipeline",
        ("--init_from", str(published / "ldm-acdc-64")): "expected a DDPM, got a LatentDiffusionPipeline",
    }.items():
        with pytest.raises(ZooError, match=told):
            train_diffusion.main([*recipe("bad"), *settings, *bad])


def test_timesteps_that_an_expert_will_have_are_not_trained(recipe, monkeypatch):
    seen = []

    def remember(model, scheduler, images, labels, noise, timesteps, *rest):
        seen.append(timesteps)
        return diffusion_loss(model, scheduler, images, labels, noise, timesteps, *rest)

    monkeypatch.setattr(train_diffusion, "diffusion_loss", remember)
    train_diffusion.main([*recipe("coarse"), "--epochs", "1", "--min_timestep", "600"])
    timesteps = torch.cat(seen)  # of training and of the validation
    assert 600 <= timesteps.min() < 700 and 900 < timesteps.max() < 1000
    with pytest.raises(ZooError, match="min_timestep: expected 0 to 999, got 1000"):
        train_diffusion.main([*recipe("bad"), "--min_timestep", "1000"])


def test_a_dry_run_prints_the_recipe_and_does_nothing(recipe, tmp_path, capsys):
    train_diffusion.main([*recipe("dry"), "--dry_run"])
    assert "prediction_type: v_prediction" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists()


def test_bad_input_is_one_line_and_exit_code_2(recipe, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *recipe("bad"), "--dataset", "nowhere"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error:") and "nowhere" in lines[0]


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_loss_is_zero_for_the_right_prediction_and_weighted_by_min_snr(prediction_type):
    scheduler = DDPMScheduler(prediction_type=prediction_type)
    torch.manual_seed(0)
    images, noise = torch.randn(2, 3, 1, 4, 4)
    timesteps, labels = torch.tensor([5, 300, 900]), torch.zeros(3, 1)
    is_noise = prediction_type == "epsilon"
    target = noise if is_noise else scheduler.get_velocity(images, noise, timesteps)

    def loss(prediction, gamma=None):
        return diffusion_loss(lambda *_: prediction, scheduler, images, labels, noise, timesteps, gamma)

    assert loss(target).abs().max() == 0
    torch.testing.assert_close(loss(target + 2), torch.full((3,), 4.0))
    snr = scheduler.alphas_cumprod[timesteps] / (1 - scheduler.alphas_cumprod[timesteps])
    expected = 4 * torch.minimum(snr, torch.tensor(5.0)) / (snr if is_noise else snr + 1)
    torch.testing.assert_close(loss(target + 2, 5.0), expected)


@pytest.mark.slow
def test_two_processes_share_the_batches(recipe, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", str(SCRIPT)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    subprocess.run(
        [*command, *recipe("pair"), "--epochs", "1", "--batch_size", "16"],
        check=True, capture_output=True, env=environment,
    )  # fmt: skip
    run = tmp_path / "runs" / "pair"
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["images_seen"] == last["step"] * 16
    assert (run / "pipeline" / "model_index.json").exists()


def test_accumulation_mixed_precision_and_tracker(recipe, tmp_path):
    settings = ["--epochs", "1", "--batch_size", "16", "--gradient_accumulation_steps", "2"]
    train_diffusion.main([*recipe("mixed"), *settings, "--mixed_precision", "bf16", "--tracker", "tensorboard"])
    run = tmp_path / "runs" / "mixed"
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["step"] * 16 == last["images_seen"]  # two batches of 8 a step
    assert any("tfevents" in path.name for path in run.rglob("*"))
    assert zoo.from_pretrained(run / "pipeline").unet.dtype == torch.float32


def test_fine_tuning_on_patients_without_classes_leaves_them_open(recipe, tmp_path, few_images):
    train_diffusion.main([*recipe("source"), "--epochs", "1"])
    built = zoo.datasets.load(few_images)
    built.dataset = built.dataset.remove_columns(["pathology", "phase"])
    own = str(zoo.datasets.save(built, tmp_path / "own"))
    source = ["--init_from", str(tmp_path / "runs" / "source" / "pipeline"), "--dataset", own, "--epochs", "1"]
    train_diffusion.main([*recipe("tuned"), *source])
    tuned = tmp_path / "runs" / "tuned" / "pipeline"
    assert zoo.from_pretrained(tuned).class_names["phase"] == ["ED", "ES"]
    seen = [json.loads((tmp_path / "runs" / run / "pipeline" / "metrics.json").read_text())["training"]["images_seen"]
            for run in ("source", "tuned")]  # fmt: skip
    assert seen[1] == 2 * seen[0]

    train_diffusion.main([*recipe("plain"), *source, "--conditions", "[]"])
    plain = ["--init_from", str(tmp_path / "runs" / "plain" / "pipeline")]
    with pytest.raises(ZooError, match="is unconditional, the recipe has conditions"):
        train_diffusion.main([*recipe("wrong"), *plain])
