"""`cardiac-zoo utility`, called as the user does."""

import json
import shutil
from dataclasses import replace

import pytest
from command_line import run
from utility_fakes import built

import zoo.datasets
from zoo.cards.utility_text import utility_text
from zoo.metrics import dataset_share
from zoo.metrics.utility import classification, segmentation
from zoo.published import metrics_file

TRAINED_ON = {"name": "mine", "preset": "mine-8", "n_images": 4}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    for module in (classification, segmentation):
        monkeypatch.setattr(module, "SCHEDULE", replace(module.SCHEDULE, steps=2))


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """By size, the folder of the user's own patients."""
    root = tmp_path_factory.mktemp("data")
    splits = {"train": 10, "validation": 2, "test": 4}
    return {size: zoo.datasets.save(built(splits, 2, size), root / str(size)) for size in (16,)}


def test_a_conditional_model(acgan, mine, tmp_path):
    acgan.save_pretrained(tmp_path / "acgan")
    cache = tmp_path / "cache"
    arguments = ["utility", tmp_path / "acgan", "--dataset", mine[16], "--num-samples", 30, "--cache", cache]
    code, output, error = run(*arguments, "--output", tmp_path / "figures.json")
    assert code == 0, error
    assert "not measured: the model makes no masks" in error
    group = json.loads((tmp_path / "figures.json").read_text())["utility"]
    assert output == utility_text(group) and group["nas_cnn"]["n"] == 4
    assert output.splitlines()[-1].split(":")[0] in ("Helps", "Does not help", "No difference that 4 patients can show")
    assert not (tmp_path / "acgan" / "metrics.json").exists()  # the model's own file is for the protocol's dataset
    kept = {path: path.stat().st_mtime_ns for path in cache.glob("samples-*")}
    assert kept and run(*arguments, "--split", "validation")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in cache.glob("samples-*")} == kept  # not drawn again


def test_its_figures_join_a_metrics_file(acgan, mine, tmp_path):
    folder = tmp_path / "acgan"
    acgan.save_pretrained(folder)
    assert run("evaluate", folder, "--dataset", mine[16], "--samples", 30, "--groups", "items")[0] == 0
    code, output, error = run("evaluate", folder, "--dataset", mine[16], "--samples", 30, "--groups", "utility")
    assert code == 0, error
    assert {"items", "utility"} <= set(metrics_file.load_metrics(folder))
    assert "### Usefulness" in (folder / "README.md").read_text()


def test_a_model_of_pairs_beside_one_of_the_same_patients(hearts, mine, tmp_path):
    model, other = tmp_path / "pairs", tmp_path / "pairs-20"
    hearts.save_pretrained(model)
    shutil.copytree(model, other)
    trained_on = dataset_share(zoo.datasets.load(mine[16]), 0.2).info["fingerprint"]
    training = {"dataset": {**TRAINED_ON, "fingerprint": trained_on}}
    metrics_file.save(other / "metrics.json", {"schema_version": 1, "training": training})
    arguments = ["utility", model, "--dataset", mine[16], "--num-samples", 10, "--shares", 1, "--same-data"]
    code, output, error = run(*arguments, f"0.2={other}")
    assert code == 0, error
    assert "Dice, 20 %: same data" in output
    assert "Dice, 100 %: shared generator" in output
    code, _, error = run(*arguments, f"0.4={other}")
    assert code == 2 and "generator of 40 % of the patients: was trained on other data than" in error
    code, _, error = run(*arguments, other)
    assert code == 2 and "--same-data: expected" in error.splitlines()[-1]


def test_bad_input_is_one_line(dcgan, acgan, mine, tmp_path):
    dcgan.save_pretrained(tmp_path / "dcgan")
    acgan.save_pretrained(tmp_path / "acgan")
    for model, options, message in (
        ("dcgan", (), "cannot help with"),
        ("acgan", ("--seeds", 2), "seeds: expected at least 3, got 2"),
        ("nowhere", (), "expected the folder of a model"),
    ):
        code, output, error = run("utility", tmp_path / model, "--dataset", mine[16], *options)
        assert code == 2 and output == ""
        assert error.splitlines()[-1].startswith("cardiac-zoo: error: ") and message in error.splitlines()[-1]
    assert "the model has no classes" in run("utility", tmp_path / "dcgan", "--dataset", mine[16])[2]
