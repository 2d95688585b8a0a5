"""The configuration, from a published CVAE to a published folder, and the sweep of it, by their command lines."""

import json

import datasets
import pytest
import torch
from command_line import run

import make_style_transfer
import publish
import zoo
import zoo.datasets
from zoo.errors import ZooError
from zoo.metrics import evaluate
from zoo.metrics.image_set import from_split
from zoo.metrics.projection import projection_group
from zoo.models import ConvolutionalVAE, DenseVAE
from zoo.pipelines import VAEPipeline

RECIPE = """
name: style
dataset: {phantom}
content_model: {folder}/cvae
output_dir: {folder}/runs
num_iterations: 2
style_weight: 1e16
content_weight: 1e15
"""


@pytest.fixture
def recipe(phantom, tmp_path) -> str:
    torch.manual_seed(0)
    vae = ConvolutionalVAE(64, 1, 4, block_out_channels=[4, 4, 4], final_channels=4, extra_layers=0, norm_num_groups=2)
    VAEPipeline(vae.eval(), "cvae", pixel_spacing_mm=2.0).save_pretrained(tmp_path / "cvae")
    content = {"schema_version": 1, "model": {"name": "cvae", "family": "cvae"}}
    dataset = {"name": "Cardiac phantom", "preset": "phantom-64", "fingerprint": "0" * 64, "n_images": 48}
    content["training"] = {"images_seen": 1000, "seconds": 5.0, "dataset": dataset}
    (tmp_path / "cvae" / "metrics.json").write_text(json.dumps(content))
    (tmp_path / "style.yaml").write_text(RECIPE.format(phantom=phantom, folder=tmp_path))
    return str(tmp_path / "style.yaml")


def test_from_recipe_to_published_folder_to_sweep(recipe, phantom, tmp_path, monkeypatch):
    make_style_transfer.main(["--config", recipe, "--num_iterations", "3"])
    publish.main([str(tmp_path / "runs" / "style"), "--output_dir", str(tmp_path / "cards")])
    folder = tmp_path / "cards" / "style"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    weights = {f"{name}/diffusion_pytorch_model.safetensors" for name in ("vae", "style")}
    assert weights | {"pipeline.py", "README.md", "recipe.yaml", "samples.png", "metrics.json"} <= files
    pipe = zoo.from_pretrained(folder)
    assert pipe(batch_size=4, generator=torch.Generator().manual_seed(0), output_type="pt").images.shape == (
        4,
        1,
        64,
        64,
    )
    assert pipe.default_settings["style_weight"] == 1e16 and pipe.default_settings["num_iterations"] == 3
    train = zoo.datasets.images(zoo.datasets.load(phantom).dataset["train"])
    training = json.loads((folder / "metrics.json").read_text())["training"]
    assert training["images_seen"] == 1000 + len(train) and training["seconds"] >= 5
    found = pipe.build_feature_network().grams(torch.from_numpy(train).permute(0, 3, 1, 2) / 255)
    for stored, grams in zip(pipe.style(), found, strict=True):  # stored in half precision
        torch.testing.assert_close(stored[0], grams.mean(0), atol=1e-3, rtol=2e-3)
    assert "Gatys" in (folder / "README.md").read_text()

    sweep = ["style-sweep", folder, "--output", tmp_path / "sweep", "-n", 2, "--iterations", 1]
    sweep += ["--style-weight", "1,10", "--learning-rate", "0.05", "--dataset", phantom]
    code, output, _ = run(*sweep)
    assert code == 0 and output.splitlines()[-1] == f"{tmp_path / 'sweep'}: 4 styled images"
    rows = datasets.load_dataset(str(tmp_path / "sweep"), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["style_weight"][:] == [1.0, 10.0] * 2 and None not in rows["style_index"][:]
    for extra, message in (
        (["--style-weight", "1,x"], "--style-weight: expected numbers separated by commas, got 1,x"),
        (["--style-weight", "2"], "holds a sweep of other settings"),
        (["--feature-network", "vgg19"], "vgg19: no weights"),
    ):
        code, _, error = run(*sweep, *extra)
        assert code == 2 and message in error
    code, _, error = run("style-sweep", tmp_path / "cvae", "--output", tmp_path / "no")
    assert code == 2 and "expected a model of family style-transfer, got cvae" in error


def test_it_is_evaluated_like_any_model(recipe, phantom, tmp_path):
    make_style_transfer.main(["--config", recipe, "--num_iterations", "1"])
    folder = tmp_path / "runs" / "style" / "pipeline"
    pipe, data = zoo.from_pretrained(folder), zoo.datasets.load(phantom)
    report = evaluate(pipe, data, num_samples=4, groups=["cost", "diversity"], model_dir=folder, progress=False)
    assert report["model"]["family"] == "style-transfer"
    assert report["samples"]["settings"]["num_iterations"] == 1
    assert report["cost"]["network_evaluations"] == 5
    targets = from_split(data, "test")[torch.arange(0, 40, 10)]
    projection = projection_group(pipe, targets)
    assert 0 < projection["ssim"]["value"] < 1 and projection["latent_dimensions"] == 4


BAD = {
    "network": (["--feature_network", "vgg16"], "expected cvae-encoder, efficientnet-lite0 or vgg19, got 'vgg16'"),
    "rate": (["--learning_rate", "-1"], "key 'learning_rate' expects a number greater than 0, got -1"),
    "key": (["--style_weight", "much"], "key 'style_weight' expects a valid number, got 'much'"),
}


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=BAD)
def test_bad_recipes_are_named(recipe, tmp_path, options, message):
    with pytest.raises(ZooError, match=message):
        make_style_transfer.main(["--config", recipe, *options])
    assert not (tmp_path / "runs").exists()


def test_another_family_is_refused(recipe, tmp_path):
    VAEPipeline(DenseVAE(64, 1, 4, hidden_dims=[4])).save_pretrained(tmp_path / "vae")
    with pytest.raises(ZooError, match="vae: expected a model of family cvae, got vae"):
        make_style_transfer.main(["--config", recipe, "--content_model", str(tmp_path / "vae")])


def test_a_model_of_real_images_is_not_published(recipe, tmp_path):
    make_style_transfer.main(["--config", recipe, "--style", "nearest", "--style_loss", "maps"])
    run_folder = tmp_path / "runs" / "style"
    assert zoo.from_pretrained(run_folder / "pipeline").holds_style_images
    with pytest.raises(ZooError, match="holds real images as its style"):
        publish.main([str(run_folder), "--output_dir", str(tmp_path / "cards")])
    assert not (tmp_path / "cards").exists()
