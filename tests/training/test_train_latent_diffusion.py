"""`train_diffusion.py` with an autoencoder."""

import json

import pytest
import torch
from test_train_diffusion import TINY, assert_same_weights
from test_training_latents import save_autoencoder

import train_diffusion
import zoo
from zoo.errors import ZooError
from zoo.pipelines import LatentDiffusionPipeline


@pytest.fixture
def recipe(tmp_path, few_images):
    def write(name: str) -> list[str]:
        text = TINY.format(dataset=few_images, output_dir=tmp_path / "runs", name=name)
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"{text}autoencoder: {save_autoencoder(tmp_path / 'first')}\naugmented_copies: 2\n")
        return ["--config", str(path)]

    return write


def test_a_run_and_fine_tuning_from_it(recipe, tmp_path):
    train_diffusion.main([*recipe("source"), "--epochs", "1"])
    run = tmp_path / "runs" / "source"
    assert (run / "strips" / "epoch-0001.png").exists()
    assert json.loads((run / "pipeline" / "metrics.json").read_text())["model"]["family"] == "ldm"
    source = zoo.from_pretrained(run / "pipeline")
    assert isinstance(source, LatentDiffusionPipeline)
    assert source.sample_shape == (2, 16, 16)
    assert source.vae.config.scaling_factor != 0.18215  # diffusers' own, of another autoencoder
    assert not source.scheduler.config.clip_sample
    assert source(2, class_labels="HCM", output_type="np").images.shape == (2, 64, 64, 1)

    start = ["--init_from", str(run / "pipeline"), "--epochs", "1"]
    with pytest.raises(ZooError, match="brings its own autoencoder or none; leave key 'autoencoder' out"):
        train_diffusion.main([*recipe("twice"), *start])
    train_diffusion.main([*recipe("tuned"), *start, "--autoencoder", "null"])
    tuned = zoo.from_pretrained(tmp_path / "runs" / "tuned" / "pipeline")
    assert all(torch.equal(*pair) for pair in zip(tuned.vae.parameters(), source.vae.parameters(), strict=True))
    assert tuned.vae.config.scaling_factor == pytest.approx(source.vae.config.scaling_factor)


def test_a_run_without_conditions(recipe, tmp_path):
    train_diffusion.main([*recipe("plain"), "--epochs", "1", "--conditions", "[]"])
    pipe = zoo.from_pretrained(tmp_path / "runs" / "plain" / "pipeline")
    assert pipe.class_names == {}
    assert pipe(1, output_type="np").images.shape == (1, 64, 64, 1)
    with pytest.raises(ValueError, match="class_labels: expected None"):
        pipe(1, class_labels="HCM")


def test_a_resumed_run_equals_an_uninterrupted_one(recipe, tmp_path, stop_after_the_first_epoch):
    train_diffusion.main(recipe("whole"))
    with stop_after_the_first_epoch():
        train_diffusion.main(recipe("broken"))
    train_diffusion.main([*recipe("broken"), "--resume"])
    assert_same_weights(tmp_path / "runs" / "whole", tmp_path / "runs" / "broken")
