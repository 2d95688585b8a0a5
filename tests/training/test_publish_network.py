"""A trained network becomes a folder beside the generators, is measured, and stays out of their tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file

import publish_network
import zoo.datasets
from zoo.cards import tables
from zoo.cards.network_card import render_network_card
from zoo.errors import ZooError
from zoo.metrics.views import NAMES
from zoo.models import SkinLesNet, SkinLesNetConfig, UNetSegmenter, UNetSegmenterConfig, ViewNet, ViewNetConfig
from zoo.published.layout import is_network
from zoo.published.networks import load_judge
from zoo.published.places import list_models

TRAINING = {
    "recipe": "tiny",
    "images_seen": 3200,
    "seconds": 65.0,
    "hardware": "a test machine",
    "seed": 0,
    "code_version": "0.1.0",
    "selected_by": {"validation_dice_error": 0.12},
    "dataset": {"name": "ACDC", "preset": "acdc-64", "n_images": 1526, "n_patients": 80},
}
CONDITIONS = {"slice_level": ["basal", "mid", "apical"], "pathology": ["NOR", "MINF", "DCM", "HCM", "RV"]}


FAMILIES = ["segmenter", "classifier", "view"]


def publish(family: str, folder: Path) -> Path:
    """A published folder, made from a run's."""
    torch.manual_seed(0)
    network = {
        "segmenter": UNetSegmenter(UNetSegmenterConfig(64, block_out_channels=[8, 8], pixel_spacing_mm=2.0)),
        "classifier": SkinLesNet(
            SkinLesNetConfig(
                list(CONDITIONS), CONDITIONS, block_out_channels=[2, 2, 2, 4], hidden_features=8, pixel_spacing_mm=2.0
            )
        ),
        "view": ViewNet(ViewNetConfig(NAMES, 32, block_out_channels=[8, 8], threshold=-1.5, pixel_spacing_mm=2.0)),
    }[family]
    source = folder / "runs" / "tiny" / "pipeline"
    network.save_pretrained(source)
    model = {"name": "tiny", "family": family}
    (source / "metrics.json").write_text(json.dumps({"schema_version": 1, "model": model, "training": TRAINING}))
    (source / "recipe.yaml").write_text("name: tiny\n")
    (source.parent / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
    publish_network.main([str(folder / "runs" / "tiny"), "--output_dir", str(folder / "model_cards")])
    return folder / "model_cards" / "tiny"


@pytest.fixture(params=FAMILIES)
def published(request, tmp_path):
    return publish(request.param, tmp_path)


def test_the_folder_is_whole_and_small(published, tmp_path):
    family = json.loads((published / "metrics.json").read_text())["model"]["family"]
    module = {"segmenter": "modeling_segmenter.py", "classifier": "modeling_skinlesnet.py"}.get(
        family, "modeling_view_net.py"
    )
    assert {path.name for path in published.iterdir()} == {
        *("README.md", "LICENSE", "metrics.json", "config.json", "recipe.yaml", "model.safetensors"),
        *("training.jsonl", "preprocessor_config.json", "modeling_slice_processor.py", module),
    }
    weights = load_file(published / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    before, after = (load_judge(folder).network for folder in (tmp_path / "runs/tiny/pipeline", published))
    for key, weight in before.state_dict().items():
        assert torch.equal(weight.half().float(), after.state_dict()[key])
    assert str(tmp_path) not in "".join(path.read_text() for path in published.glob("*.json"))


ALONE = """
import json, sys
sys.modules["zoo"] = None
import transformers

for folder, picture, task, auto in json.loads(sys.argv[1]):
    network = getattr(transformers, auto).from_pretrained(folder, trust_remote_code=True)
    found = transformers.pipeline(task, model=folder, trust_remote_code=True)(picture)
    print(json.dumps([type(network).__name__, str(network.dtype), sorted(each["label"] for each in found)]))
"""


def test_transformers_alone_reads_the_published_folders(tmp_path):
    """The code of the folders, trusted by the user, in a process without the zoo."""
    judges, asked = {}, []
    for family in FAMILIES:
        judges[family] = load_judge(folder := publish(family, tmp_path / family)).network
        size = getattr(judges[family].config, "sample_size", 64)
        pixels = (np.arange(size * size) % 256).astype(np.uint8).reshape(size, size)
        PIL.Image.fromarray(pixels).save(picture := tmp_path / f"{family}.png")
        task, auto = "image-classification", "AutoModelForImageClassification"
        if family == "segmenter":
            task, auto = "image-segmentation", "AutoModelForSemanticSegmentation"
        asked.append([str(folder), str(picture), task, auto])
    command = [sys.executable, "-c", ALONE, json.dumps(asked)]
    env = os.environ | {"HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=env)
    assert done.returncode == 0, done.stderr
    known = {
        "segmenter": ["background", "RV", "myocardium", "LV"],
        "classifier": sum(CONDITIONS.values(), []),
        "view": NAMES,
    }
    for family, line in zip(FAMILIES, done.stdout.splitlines()[-len(FAMILIES) :], strict=True):
        name, dtype, labels = json.loads(line)
        assert (name, dtype) == (type(judges[family]).__name__, "torch.float32")
        assert labels and set(labels) <= set(known[family])


def test_measured_by_the_command_line(published, tmp_path, phantom, monkeypatch, capsys):
    from zoo.cli import app

    app(["evaluate", str(published), "--dataset", phantom], standalone_mode=False)
    metrics = json.loads((published / "metrics.json").read_text())
    group = {"segmenter": "segmentation", "classifier": "classification", "view": "views"}[metrics["model"]["family"]]
    assert metrics["training"]["parameters"] > 0 and metrics["dataset"]["split"] == "test"
    key = {"segmentation": "dice", "classification": "pathology_accuracy_patient", "views": "told_half_slice"}[group]
    figure = metrics[group][key]
    assert 0 <= figure["low"] <= figure["value"] <= 1
    card = (published / "README.md").read_text()
    data = ModelCard(card).data
    assert {result.metric_type: result.metric_value for result in data.eval_results}[key] == figure["value"]
    assert data.license == "cc-by-nc-sa-4.0" and data.pipeline_tag.startswith("image-")
    wanted = {"segmentation": f"| dice | {figure['value']:.3f} [", "classification": "| pathology accuracy patient | "}
    wanted["views"] = f"| told half slice | {100 * figure['value']:.1f} % ["
    assert wanted[group] in card and "Not measured" not in card
    assert f"{metrics['training']['parameters']:,}" in card
    app(["card", str(published)], standalone_mode=False)
    assert (published / "README.md").read_text() == card


def test_lists_and_tables_of_generators_pass_it_by(published, dcgan, metrics):
    root = published.parent
    assert is_network(published) and list_models(root) == []
    dcgan.save_pretrained(root / "dcgan")
    (root / "dcgan" / "metrics.json").write_text(json.dumps(metrics))
    assert not is_network(root / "dcgan")
    assert "tiny" not in tables.models_table({folder.name: folder for folder in list_models(root)})
    assert "| dcgan |" in tables.results_table(list_models(root))


def test_a_card_without_figures_says_so(published):
    card = (published / "README.md").read_text()
    assert "Not measured yet." in card and ModelCard(card).data.eval_results is None
    assert "training/train_" in card and "patients of the University Hospital of Dijon" in card


def test_what_was_not_trained_has_no_card(published):
    (published / "metrics.json").write_text('{"schema_version": 1}')
    with pytest.raises(ZooError, match="metrics.json: expected a family of segmenter, classifier"):
        render_network_card(published)


def test_a_generator_is_refused(tmp_path, dcgan):
    dcgan.save_pretrained(tmp_path / "run" / "pipeline")
    with pytest.raises(ZooError, match="config.json: not found, expected the folder of a published network"):
        publish_network.main([str(tmp_path / "run")])


def test_the_phantom_fits_what_looks_at_hearts_alone(phantom, published):
    judge = load_judge(published)
    assert (judge.misfit(zoo.datasets.load(phantom)) is None) == (judge.network.family != "view")
