import json

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

import publish
import zoo
from zoo.errors import ZooError
from zoo.samples import code_grid


def save_run(pipe, folder):
    """What a training leaves in a run's folder."""
    pipe.save_pretrained(folder / "pipeline")
    content = {"schema_version": 1, "model": {"name": "tiny", "family": pipe.family}, "training": {"images_seen": 32}}
    (folder / "pipeline" / "metrics.json").write_text(json.dumps(content))
    (folder / "pipeline" / "recipe.yaml").write_text("name: tiny\n")


@pytest.fixture
def run(tmp_path, conditional_ddpm):
    folder = tmp_path / "runs" / "tiny"
    save_run(conditional_ddpm, folder)
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
    return folder


def test_a_run_becomes_a_published_folder(run, tmp_path):
    output = tmp_path / "cards"
    chosen = ["--scheduler", "DDIMScheduler", "--num_inference_steps", "4", "--guidance_scale", "2"]
    publish.main([str(run), "--output_dir", str(output), *chosen])
    folder = output / "tiny"
    found = {path.name for path in folder.iterdir()}
    assert {"README.md", "metrics.json", "model_index.json", "recipe.yaml", "samples.png", "pipeline.py"} <= found
    weights = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    pipe = zoo.from_pretrained(folder)
    assert pipe.default_settings == {
        "scheduler": "DDIMScheduler",
        "num_inference_steps": 4,
        "guidance_scale": 2.0,
    }
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert recipe == {
        "name": "tiny",
        "num_inference_steps": 4,
        "guidance_scale": 2.0,
    }  # with what was chosen
    assert json.loads((folder / "metrics.json").read_text())["training"]["images_seen"] == 32
    assert (folder / "training.jsonl").read_text() == (run / "metrics.jsonl").read_text()
    assert "| Log | [`training.jsonl`](training.jsonl)" in (folder / "README.md").read_text()
    assert not (folder / "codes.png").exists() and "codes.png" not in (folder / "README.md").read_text()


@pytest.mark.parametrize("options", [["--scheduler", "UNet2DModel"], ["--scheduler", "Nothing"]])
def test_what_is_no_scheduler_is_refused(run, tmp_path, options):
    with pytest.raises(ZooError, match="--scheduler: expected a scheduler class of diffusers"):
        publish.main([str(run), "--output_dir", str(tmp_path / "cards"), *options])
    assert not (tmp_path / "cards").exists()


def test_a_stochastic_sampler_is_a_setting_of_its_own(run, tmp_path):
    publish.main([str(run), "--output_dir", str(tmp_path / "cards"), "--scheduler", "DPMSolverMultistepScheduler"])
    plain = zoo.from_pretrained(tmp_path / "cards" / "tiny")
    chosen = ["--scheduler", "DPMSolverMultistepScheduler", "--algorithm_type", "sde-dpmsolver++"]
    publish.main([str(run), "--output_dir", str(tmp_path / "stochastic"), *chosen])
    stochastic = zoo.from_pretrained(tmp_path / "stochastic" / "tiny")
    assert plain.default_settings["scheduler"] == "DPMSolverMultistepScheduler"
    assert stochastic.default_settings["scheduler"] == "DPMSolverMultistepScheduler (sde-dpmsolver++)"
    recipe = yaml.safe_load((tmp_path / "stochastic" / "tiny" / "recipe.yaml").read_text())
    assert recipe["algorithm_type"] == "sde-dpmsolver++"

    def draw(pipe, seed):
        generators = [torch.Generator().manual_seed(seed + sample) for sample in range(2)]
        return pipe(2, generator=generators, num_inference_steps=3, output_type="pt").images

    assert torch.equal(draw(stochastic, 0), draw(stochastic, 0))
    assert torch.allclose(draw(stochastic, 0)[1:], draw(stochastic, 1)[:1], atol=1e-4)  # noise, too, is a sample's own
    assert not torch.allclose(draw(stochastic, 0), draw(plain, 0))


@pytest.mark.parametrize(
    ("model", "words"), [("dcgan", "a GANPipeline has no scheduler"), ("conditional_ddpm", "a DDIMScheduler has none")]
)
def test_an_algorithm_is_refused_where_there_is_none(tmp_path, request, model, words):
    save_run(request.getfixturevalue(model), tmp_path / "run")
    options = ["--scheduler", "DDIMScheduler", "--algorithm_type", "sde-dpmsolver++"]
    with pytest.raises(ZooError, match=words):
        publish.main([str(tmp_path / "run"), "--output_dir", str(tmp_path / "cards"), *options])


def test_a_setting_that_the_pipeline_lacks_is_refused(tmp_path, dcgan):
    dcgan.save_pretrained(tmp_path / "run" / "pipeline")
    with pytest.raises(ZooError, match="a GANPipeline has no default_steps"):
        publish.main([str(tmp_path / "run"), "--num_inference_steps", "4"])


def test_the_card_of_an_infogan_shows_what_its_codes_move(tmp_path, infogan):
    save_run(infogan, tmp_path / "run")
    publish.main([str(tmp_path / "run"), "--output_dir", str(tmp_path / "cards"), "--dtype", "float32"])
    shown = np.asarray(Image.open(tmp_path / "cards" / "tiny" / "codes.png"))
    assert np.array_equal(shown, np.asarray(code_grid(infogan)))
    card = (tmp_path / "cards" / "tiny" / "README.md").read_text()
    assert "![What each code moves](codes.png)" in card


def test_the_temperature_is_chosen(tmp_path, dcgan):
    save_run(dcgan, tmp_path / "run")
    publish.main([str(tmp_path / "run"), "--output_dir", str(tmp_path / "cards"), "--temperature", "2.5"])
    assert zoo.from_pretrained(tmp_path / "cards" / "tiny").default_settings == {"temperature": 2.5}


def test_the_sampler_of_a_score_model_is_chosen(tmp_path, score_model):
    save_run(score_model, tmp_path / "run")
    chosen = ["--sampler", "probability_flow", "--num_inference_steps", "3"]
    publish.main([str(tmp_path / "run"), "--output_dir", str(tmp_path / "cards"), *chosen])
    pipe = zoo.from_pretrained(tmp_path / "cards" / "tiny")
    assert pipe.default_settings == {"sampler": "probability_flow", "num_inference_steps": 3}
    assert "A score model" in (tmp_path / "cards" / "tiny" / "README.md").read_text()
