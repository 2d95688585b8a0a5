import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

import common.run
import train_vae
import zoo
from train_vae import VAERecipe, reconstruction_loss
from zoo.errors import ZooError
from zoo.models import ConvolutionalVAE, DenseVAE

RECIPES = Path(train_vae.__file__).parent / "recipes"
TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
family: cvae
network: {{latent_dim: 8, block_out_channels: [4, 8], final_channels: 4, extra_layers: 1, norm_num_groups: 2}}
epochs: 2
batch_size: 16
kl_warmup_epochs: 1
pyramid_weight: 0.1
rotation_degrees: 10
ema_decay: 0.9
lr_scheduler: reduce_on_plateau
lr_plateau_patience: 0
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


def logged(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_a_model_that_can_be_fine_tuned(recipe, tmp_path):
    run = tmp_path / "runs" / "whole"
    train_vae.main(recipe("whole"))
    rows = logged(run)
    figures = [row for row in rows if "validation_loss" in row]
    assert [set(row) >= {"validation_kl", "validation_mse", "validation_ssim"} for row in figures] == [True, True]
    assert figures[1]["validation_loss"] < figures[0]["validation_loss"]
    assert (run / "samples" / "epoch-0002.png").exists()
    pipe = zoo.from_pretrained(run / "pipeline")
    assert (pipe.family, pipe.config.pixel_spacing_mm) == ("cvae", 2.0)
    assert pipe(2, output_type="np").images.shape == (2, 64, 64, 1)

    train_vae.main([*recipe("tuned"), "--epochs", "1", "--init_from", str(run / "pipeline")])
    tuned = json.loads((tmp_path / "runs" / "tuned" / "pipeline" / "metrics.json").read_text())
    assert tuned["model"] == {"name": "tuned", "family": "cvae"}
    assert tuned["training"]["images_seen"] == 1.5 * rows[-1]["images_seen"]
    with pytest.raises(ZooError, match="is of family cvae, the recipe of vae"):
        dense = ["--family", "vae", "--network", "{}"]
        train_vae.main([*recipe("dense"), *dense, "--init_from", str(run / "pipeline")])


def test_a_stopped_run_goes_on_to_the_same_weights_and_rates(recipe, tmp_path, monkeypatch):
    # The second figure is worse: the plateau halves the rate, which the rest of the run must remember
    worse = ["--epochs", "3", "--lr_plateau_factor", "0.5"]
    figures = {"whole": iter([1.0, 2.0, 0.5]), "broken": iter([1.0, 2.0, 0.5])}

    def run(name: str, *switches: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(train_vae, "validate", lambda *_: {"validation_loss": next(figures[name])})
            train_vae.main([*recipe(name), *worse, *switches])

    run("whole")
    end_epoch = common.run.Run.end_epoch

    def stop_after_the_second_epoch(self, *arguments, **settings):
        end_epoch(self, *arguments, **settings)
        self.interrupted = self.progress.epoch == 2

    with monkeypatch.context() as patch:
        patch.setattr(common.run.Run, "end_epoch", stop_after_the_second_epoch)
        run("broken")
    run("broken", "--resume")
    whole, broken = (tmp_path / "runs" / name for name in ("whole", "broken"))
    rates = [row["learning_rate"] for row in logged(broken) if "learning_rate" in row]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(5e-4)
    one, other = (load_file(run / "checkpoints/last/model.safetensors") for run in (whole, broken))
    assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_the_dense_network_of_study_a_trains_under_each_loss_and_optimiser(recipe, tmp_path):
    dense = ["--family", "vae", "--network", "{latent_dim: 4, hidden_dims: [16]}", "--epochs", "1"]
    train_vae.main([*recipe("dense"), *dense, "--reconstruction", "mse", "--optimizer", "rmsprop"])
    assert zoo.from_pretrained(tmp_path / "runs" / "dense" / "pipeline").family == "vae"


def test_a_discriminator_moves_the_decoder_and_the_kid_of_samples_decides(recipe, tmp_path, monkeypatch, coarse_pixels):
    monkeypatch.setattr(train_vae, "EfficientNetLite0Extractor", coarse_pixels)
    adversarial = ["--discriminator", "{base_channels: 4}", "--kid_samples", "20", "--real_label", "0.9"]
    for name, weight in (("plain", "0"), ("judged", "0.5")):
        train_vae.main([*recipe(name), *adversarial, "--adversarial_weight", weight, "--temperature", "2"])
    plain, judged = (tmp_path / "runs" / name for name in ("plain", "judged"))
    selected = json.loads((judged / "pipeline" / "metrics.json").read_text())["training"]["selected_by"]
    assert list(selected) == ["validation_kid"]
    assert {"g_loss", "d_loss", "score_real", "score_fake"} <= {key for row in logged(judged) for key in row}
    assert not (plain / "checkpoints/last/model_1.safetensors").exists()
    one, other = (load_file(run / "checkpoints/last/model.safetensors") for run in (plain, judged))
    last = max(key for key in one if key.startswith("decoder") and key.endswith("weight"))
    assert not torch.equal(one[last], other[last])
    assert zoo.from_pretrained(judged / "pipeline").default_settings == {"temperature": 2}


def test_the_last_weight_is_that_of_the_decoders_last_layer():
    for network in (ConvolutionalVAE(16, 1, 4, [4], 4, 1, 2), DenseVAE(8, 1, 4, [8])):
        outputs = network.decode_logits(torch.zeros(1, 4)).flatten(1).shape[1]
        weight = train_vae.last_weight(network)
        assert weight.shape[0] == (outputs if weight.ndim == 2 else 1)


def test_the_loss_is_summed_over_the_pixels():
    logits, images = torch.randn(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images = images.tanh()
    p, x = logits.sigmoid(), images / 2 + 0.5
    recipe = VAERecipe(name="a", dataset="d")
    bce = -(x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3))
    torch.testing.assert_close(reconstruction_loss(logits, images, recipe), bce)
    recipe.reconstruction = "mse"
    mse = reconstruction_loss(logits, images, recipe)
    torch.testing.assert_close(mse, ((p - x) ** 2).sum((1, 2, 3)))
    recipe.pyramid_weight = 0.5
    pyramid = train_vae.pyramid_loss(p, x)
    torch.testing.assert_close(reconstruction_loss(logits, images, recipe), mse + 0.5 * 64 * pyramid)


def test_bad_networks_are_named(recipe):
    with pytest.raises(ZooError, match=r"bad.yaml: key 'network' has unknown key 'depth'"):
        train_vae.main([*recipe("bad"), "--network", "{depth: 3}"])
    with pytest.raises(ZooError, match=r"bad2.yaml: key 'network': sample_size: expected at least 128, got 64"):
        train_vae.main([*recipe("bad2"), "--network", "{block_out_channels: [8, 8, 8, 8, 8, 8, 8]}"])


@pytest.mark.parametrize(
    ("name", "size", "most"), [("cvae-acdc-64-base", 64, 5e6), ("vae-acdc-64", 64, 5e6), ("study_b/cvae", 180, 1e7)]
)
def test_networks_of_the_recipes_have_the_size_they_claim(name, size, most):
    """Half precision weights of a published model are at most 10 MB; study B's network has over 4 million of them."""
    recipe = VAERecipe(**yaml.safe_load((RECIPES / f"{name}.yaml").read_text()))
    network = train_vae.build_network(recipe, name, SizedImages(size))
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count <= most
    if recipe.family == "cvae":
        assert isinstance(network, ConvolutionalVAE)
        assert count > 4e6
        assert network.config.latent_dim == 512


class SizedImages:
    """As much of a dataset as a new network asks for."""

    def __init__(self, size: int):
        self.images = torch.zeros(1, 1, size, size, dtype=torch.uint8)
