"""What CONTRIBUTING.md promises a method's author: one model file, one recipe, one line in the registry."""

import json
import signal
import sys

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState
from toy_family import ToyDiscriminator, ToyGenerator

import publish
import train_gan
import zoo
import zoo.datasets
import zoo.models
from zoo import cli
from zoo.families import FAMILIES, Family

RECIPE = """
name: toy-phantom
dataset: {folder}/phantom-64
output_dir: {folder}/runs
family: toy
epochs: 1
generator: {{coarse: 4}}
kid_samples: 20
"""
LINE = Family("toy", "A toy of one layer.", "training/train_gan.py", "ToyGenerator", "ToyDiscriminator")


@pytest.fixture
def toy(monkeypatch):
    """The toy in its place: the file in `zoo.models`, the line in the registry."""
    monkeypatch.setattr(zoo.models, "ToyGenerator", ToyGenerator, raising=False)
    monkeypatch.setattr(zoo.models, "ToyDiscriminator", ToyDiscriminator, raising=False)
    monkeypatch.setitem(FAMILIES, LINE.name, LINE)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


def test_a_new_family_is_trained_published_evaluated_and_gets_its_card(toy, tmp_path, monkeypatch, few_pairs):
    phantom = zoo.datasets.save(zoo.datasets.build_phantom(num_patients=20, seed=0), tmp_path / "phantom-64")
    recipe = tmp_path / "toy-phantom.yaml"
    recipe.write_text(RECIPE.format(folder=tmp_path))
    train_gan.main(["--config", str(recipe)])
    publish.main([str(tmp_path / "runs" / "toy-phantom"), "--output_dir", str(tmp_path / "cards")])

    folder = tmp_path / "cards" / "toy-phantom"
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"modeling_toy_family.py", "pipeline.py", "recipe.yaml", "samples.png", "README.md"} <= files
    pipe = zoo.from_pretrained(folder)
    assert isinstance(pipe.generator_model, ToyGenerator) and pipe.generator_model.config.coarse == 4

    options = ["--dataset", str(phantom), "--samples", "8", "--groups", "cost,diversity,copying"]
    command = ["cardiac-zoo", "evaluate", str(folder), *options, "--cache", str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert done.value.code == 0
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["model"]["family"] == "toy"
    assert metrics["cost"]["parameters"] == pipe.generator_model.num_parameters()
    assert pipe.project(torch.rand(1, 1, 64, 64), num_steps=2).shape == (1, 1, 64, 64)
    card = (folder / "README.md").read_text()
    assert "A toy of one layer." in card
    assert "accelerate launch training/train_gan.py --config training/recipes/toy-phantom.yaml" in card
    assert "MS-SSIM" in card
