"""Before and after fine-tuning: figures beside patients that no model was tuned on."""

from types import SimpleNamespace

import pytest
import torch

import compare_finetuned
import zoo
from zoo.errors import ZooError

NAMES = {"phase": ["ED", "ES"], "pathology": ["NOR", "MINF", "DCM", "HCM", "RV"]}


@pytest.fixture(autouse=True)
def cheap_judges(monkeypatch, coarse_pixels):
    def probabilities(images):
        return {"pathology": torch.eye(5)[torch.full((len(images),), 3)]}  # all are HCM

    monkeypatch.setattr(compare_finetuned, "EfficientNetLite0Extractor", coarse_pixels)
    judge = SimpleNamespace(name="blind", probabilities=probabilities)
    monkeypatch.setattr(compare_finetuned, "find_judge", lambda *_, **__: judge)


def save_model(folder, conditions) -> str:
    torch.manual_seed(0)
    names = {name: NAMES[name] for name in conditions}
    shares = {name: [1 / len(classes)] * len(classes) for name, classes in names.items()}
    generator = zoo.models.ACGANGenerator(conditions, names, shares, 64, latent_dim=8, base_channels=4)
    for parameter in generator.parameters():  # untrained weights are so small that all images are nearly one
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    zoo.pipelines.GANPipeline(generator.eval(), "acgan").save_pretrained(folder)
    return str(folder)


def test_samples_are_asked_for_the_classes_of_the_test_images(phantom, tmp_path, capsys):
    models = [save_model(tmp_path / "one", ["pathology", "phase"]), save_model(tmp_path / "two", ["pathology"])]
    compare_finetuned.main([*models, "--dataset", phantom, "--samples", "60"])
    *table, last = capsys.readouterr().out.splitlines()
    rows = [line.strip("| ").split(" | ") for line in table]
    assert [row[0] for row in rows[2:]] == ["real", *models] and len(rows[0]) == 5
    truth = zoo.datasets.load(phantom).dataset["test"]["pathology"][:]
    shares = [float(row[4].split()[0]) for row in rows[2:]]
    asked = (truth * 2)[:60]
    assert shares[0] == pytest.approx(truth.count(3) / len(truth), abs=5e-4)
    assert shares[1] == shares[2] == pytest.approx(asked.count(3) / 60, abs=5e-4)
    assert float(rows[2][1].split()[0]) < float(rows[3][1].split()[0])  # noise is no heart
    assert f"{len(truth)} test images" in last and "classes by blind" in last


def test_other_models_are_refused(dcgan, phantom, tmp_path):
    dcgan.save_pretrained(tmp_path / "model")
    with pytest.raises(ZooError, match="expected a model that can be asked for a pathology"):
        compare_finetuned.main([str(tmp_path / "model"), "--dataset", phantom])
    with pytest.raises(ZooError, match="--samples: expected at least 2, got 1"):
        compare_finetuned.main([str(tmp_path / "model"), "--dataset", phantom, "--samples", "1"])
