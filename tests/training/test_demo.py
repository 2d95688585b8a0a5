import json
import os
import sys
from pathlib import Path

import pytest
import torch

import demo
from zoo.errors import ZooError
from zoo.models import DCGANGenerator
from zoo.pipelines import GANPipeline


def save_model(folder: Path) -> None:
    """A tiny model with figures of its own."""
    torch.manual_seed(0)
    GANPipeline(DCGANGenerator(16, 1, 8, 4).eval(), "dcgan").save_pretrained(folder)
    dataset = {"name": "ACDC", "preset": "acdc-64", "fingerprint": "0", "split": "test", "n_images": 3}
    figures = {"distribution": {"kid_efficientnet_lite0": {"value": 0.125}}}
    content = {"schema_version": 1, "model": {"name": folder.name, "family": "dcgan"}, "dataset": dataset, **figures}
    (folder / "metrics.json").write_text(json.dumps(content))


@pytest.fixture
def pretend(monkeypatch, tmp_path):
    """Puts the demo into an empty project where training and evaluation leave tiny models behind at once."""
    monkeypatch.chdir(tmp_path)
    lines = []

    def command(self, *words):
        words = list(map(str, words))
        lines.append(" ".join(words))
        if words[0] == "accelerate":
            name = Path(words[words.index("--config") + 1]).stem
            save_model(Path(words[words.index("--output_dir") + 1]) / name / "pipeline")
        elif words[1] == "evaluate":
            metrics = json.loads((Path(words[2]) / "metrics.json").read_text())
            metrics["distribution"]["kid_efficientnet_lite0"] = {"value": 0.5}
            (Path(words[2]) / "metrics.json").write_text(json.dumps(metrics))

    def side_by_side(self, commands):
        for words in commands.values():
            command(self, *words)

    monkeypatch.setattr(demo.Demo, "command", command)
    monkeypatch.setattr(demo.Demo, "side_by_side", side_by_side)
    return lines


def test_without_published_models_the_report_holds_those_trained_here(pretend, capsys):
    report = demo.Demo(Path("out")).run()
    text = report.read_text()
    assert "measured here, on the phantom" in text
    assert "0.500" in text
    assert "## Published models" not in text
    assert "No published models yet" in capsys.readouterr().out
    assert all((report.parent / f"{name}.png").exists() and f"({name}.png)" in text for name in demo.SCRIPTS)
    assert [line.split()[:2] for line in pretend] == [
        ["cardiac-zoo", "data"],
        *[["accelerate", "launch"]] * 2,
        *[["cardiac-zoo", "evaluate"]] * 2,
    ]


def test_published_figures_are_shown_as_such(pretend):
    save_model(Path("model_cards/heart"))
    text = demo.Demo(Path("out")).run().read_text()
    section = text.partition("## Published models")[2]
    assert "published, not measured here" in section
    assert "0.125" in section
    assert Path("out/heart.png").exists()


def test_a_published_model_without_figures_is_shown_all_the_same(pretend):
    save_model(Path("model_cards/heart"))
    Path("model_cards/heart/metrics.json").unlink()
    section = demo.Demo(Path("out")).run().read_text().partition("## Published models")[2]
    assert "None of them has been evaluated yet." in section
    assert "(heart.png)" in section


def test_on_a_named_dataset_copies_of_the_published_models_are_measured(pretend, monkeypatch):
    monkeypatch.setattr(demo.zoo.hub.datasets, "load", lambda folder: None)
    save_model(Path("model_cards/heart"))
    section = demo.Demo(Path("out"), Path("mine")).run().read_text().partition("## Published models")[2]
    assert "measured here, on mine" in section
    assert "0.500" in section
    assert "evaluate out/published/heart --dataset mine" in pretend[-1]
    assert "0.125" in Path("model_cards/heart/metrics.json").read_text()


def test_a_dataset_that_is_none_is_refused_before_anything_runs(pretend, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ZooError, match="zoo_dataset.json"):
        demo.Demo(Path("out"), tmp_path / "empty")
    assert pretend == []


def test_a_command_that_fails_ends_the_demo_with_its_exit_code(tmp_path):
    with pytest.raises(SystemExit) as stopped:
        demo.Demo(tmp_path).command(Path(sys.executable).name, "-c", "raise SystemExit(3)")
    assert stopped.value.code == 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_demo_with_short_trainings(tmp_path, monkeypatch):
    monkeypatch.chdir(demo.ROOT)
    text = demo.Demo(tmp_path, overrides=["--max_seconds", "5"]).run().read_text()
    for name in demo.SCRIPTS:
        metrics = json.loads((tmp_path / "models" / name / "metrics.json").read_text())
        assert metrics["training"]["seconds"] >= 5
        assert metrics["samples"]["count"] == 1000
        assert name in text
    assert os.path.getsize(tmp_path / "ddpm-phantom-64.png") > 1000
