import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import train_score
import zoo
from train_score import score_loss
from zoo.errors import ZooError

SCRIPT = Path(train_score.__file__)
TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
sde: {{name: ve, sigma_min: 0.05, sigma_max: 20}}
loss_weighting: image
epochs: 2
batch_size: 16
block_out_channels: [4, 4, 8]
attention_levels: [2]
attention_head_dim: 4
norm_num_groups: 2
dropout: 0.1
patch_size: 2
horizontal_flip: true
num_inference_steps: 3
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


@pytest.mark.slow  # the fast one is of test_train_diffusion.py
def test_accelerate_launch_leaves_a_whole_run(recipe, tmp_path):
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", str(SCRIPT)]
    subprocess.run([*command, *recipe("tiny"), "--epochs", "1"], check=True, capture_output=True)
    run = tmp_path / "runs" / "tiny"
    names = ("recipe.yaml", "curves.png", "samples/epoch-0001.png", "strips/epoch-0001.png", "checkpoints/last")
    for name in names:
        assert (run / name).exists(), name
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    metrics = json.loads((run / "pipeline" / "metrics.json").read_text())
    assert metrics["model"] == {"name": "tiny", "family": "score"}
    assert metrics["training"]["images_seen"] == rows[-1]["images_seen"]

    pipe = zoo.from_pretrained(run / "pipeline")
    assert pipe.config.sde == {"name": "ve", "sigma_min": 0.05, "sigma_max": 20}
    assert pipe.config.pixel_spacing_mm == 2.0
    assert 0.3 < pipe.unet.config.data_scale < 1
    assert pipe(2, output_type="np", sampler="predictor_corrector").images.shape == (2, 64, 64, 1)


def test_a_resumed_run_equals_an_uninterrupted_one(recipe, tmp_path, stop_after_the_first_epoch):
    train_score.main(recipe("whole"))
    with stop_after_the_first_epoch():
        train_score.main(recipe("broken"))
    train_score.main([*recipe("broken"), "--resume"])
    whole, broken = (
        load_file(tmp_path / "runs" / name / "checkpoints" / "last" / "model.safetensors")
        for name in ("whole", "broken")
    )
    assert all(torch.equal(value, broken[name]) for name, value in whole.items())


def test_fine_tuning_takes_score_models_only(recipe, tmp_path, conditional_ddpm):
    train_score.main([*recipe("source"), "--epochs", "1"])
    source = str(tmp_path / "runs" / "source" / "pipeline")
    train_score.main([*recipe("tuned"), "--epochs", "1", "--init_from", source, "--sampler", "annealed_langevin"])
    tuned = zoo.from_pretrained(tmp_path / "runs" / "tuned" / "pipeline")
    assert tuned.config.sampler == "annealed_langevin"
    assert tuned.unet.config.data_scale == zoo.from_pretrained(source).unet.config.data_scale

    conditional_ddpm.save_pretrained(tmp_path / "ddpm")
    with pytest.raises(ZooError, match="is of family ddpm, the recipe of score"):
        train_score.main([*recipe("wrong"), "--init_from", str(tmp_path / "ddpm")])


@pytest.mark.parametrize(
    ("sde", "complaint"),
    [
        ("{name: sub-vp}", "key 'sde.name' expects ve or vp, got 'sub-vp'"),
        ("{sigma_min: 0.1}", "key 'sde.name' expects ve or vp, got None"),
        ("{name: vp, sigma_min: 0.1}", "key 'sde' has unknown key 'sigma_min'"),
        ("{name: ve, sigma_min: 9, sigma_max: 1}", "key 'sde': sigma_min, sigma_max: expected 0 < sigma_min"),
    ],
)
def test_a_bad_sde_is_named_before_a_run_begins(recipe, tmp_path, sde, complaint):
    with pytest.raises(ZooError, match=rf"bad\.yaml: {complaint}"):
        train_score.main([*recipe("bad"), "--sde", sde])
    assert not (tmp_path / "runs").exists()


def test_the_loss_is_that_of_denoising_score_matching():
    """σ²·‖score - target‖² with the score of the noisy image given the image, -noise / σ (Song & Ermon, 2019)."""
    torch.manual_seed(0)
    images, noise, guess = torch.randn(3, 4, 1, 8, 8)
    sigma = torch.tensor([0.1, 1.0, 5.0, 30.0])
    level = sigma.reshape(-1, 1, 1, 1)

    def model(sample, given):
        torch.testing.assert_close(sample, images + level * noise)
        assert torch.equal(given, sigma)
        return guess

    score = (guess - images - level * noise) / level**2
    expected = (level**2 * (score + noise / level) ** 2).mean(dim=(1, 2, 3))
    plain = score_loss(model, images, noise, sigma, 0.5, "score")
    torch.testing.assert_close(plain, expected, rtol=1e-4, atol=0)
    evened = score_loss(model, images, noise, sigma, 0.5, "image")
    torch.testing.assert_close(evened, plain * (sigma**2 + 0.25) / 0.25)
    assert score_loss(lambda *_: images, images, noise, sigma, 0.5, "score").abs().max() == 0
