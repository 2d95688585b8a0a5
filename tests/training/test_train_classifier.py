import functools
import json
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

import train_classifier
from zoo.errors import ZooError
from zoo.models import ResNet50Classifier, ResNet50ClassifierConfig, SkinLesNet

TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
conditions: [slice_level, pathology, phase]
block_out_channels: [4, 4, 8, 8]
epochs: 2
batch_size: 32
learning_rate: 0.01
label_smoothing: 0.1
ema_decay: 0.5
rotation_degrees: 10
intensity: 0.1
evaluate_every: 1
checkpoint_every: 2
"""


@pytest.fixture
def recipe(tmp_path, phantom):
    def write(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=phantom, output_dir=tmp_path / "runs", name=name))
        return ["--config", str(path)]

    return write


def test_a_run_learns_and_can_be_fine_tuned(recipe, tmp_path):
    runs = tmp_path / "runs"
    train_classifier.main(recipe("whole"))
    rows = [json.loads(line) for line in (runs / "whole" / "metrics.jsonl").read_text().splitlines()]
    measured = [row for row in rows if "validation_error" in row]
    assert [row["validation_error"] for row in measured] == [
        1 - row["validation_slice_level_accuracy"] for row in measured
    ]
    assert measured[1]["validation_loss"] < measured[0]["validation_loss"]
    metrics = json.loads((runs / "whole" / "pipeline" / "metrics.json").read_text())
    assert metrics["model"] == {"name": "whole", "family": "classifier"}
    network = SkinLesNet.from_pretrained(runs / "whole" / "pipeline")
    assert list(network(torch.zeros(1, 1, 64, 64)).by_condition) == ["slice_level", "pathology", "phase"]

    source = str(runs / "whole" / "pipeline")
    train_classifier.main([*recipe("tuned"), "--epochs", "1", "--learning_rate", "1e-30", "--init_from", source])
    after = SkinLesNet.from_pretrained(runs / "tuned" / "pipeline").state_dict()
    assert all(torch.equal(value, after[key]) for key, value in network.state_dict().items())
    with pytest.raises(ZooError, match="expected the conditions"):
        train_classifier.main([*recipe("other"), "--conditions", "[phase]", "--init_from", source])


def test_a_resnet_with_a_trained_backbone_moves_its_head_alone(recipe, tmp_path, monkeypatch):
    small = {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1], "head_features": [8]}
    build = functools.partial(ResNet50ClassifierConfig, **small)
    torch.manual_seed(3)
    backbone = ResNet50Classifier(build(["phase"], {"phase": ["ED", "ES"]})).backbone
    backbone.save_pretrained(tmp_path / "backbone")
    options = ["--network", "ResNet50Classifier", "--backbone", str(tmp_path / "backbone"), "--epochs", "1"]
    with monkeypatch.context() as patched:
        patched.setattr(ResNet50Classifier, "config_class", build)
        train_classifier.main([*recipe("resnet"), *options])
    trained = ResNet50Classifier.from_pretrained(tmp_path / "runs" / "resnet" / "pipeline")
    for name, weight in backbone.named_parameters():
        assert torch.equal(trained.backbone.get_parameter(name), weight)
    assert trained.head[0].weight.shape == (8, 8) and list(trained.config.class_names["phase"]) == ["ED", "ES"]


def test_a_narrow_resnet_has_the_depth_of_the_wide_one():
    sizes = {"network": "ResNet50Classifier", "hidden_sizes": [8, 16, 24, 32]}
    chosen = train_classifier.ClassifierRecipe(name="narrow", dataset="none", conditions=["phase"], **sizes)
    data = SimpleNamespace(images=torch.zeros(1, 1, 16, 16, dtype=torch.uint8))
    network = train_classifier.build_network(chosen, data, {"phase": ["ED", "ES"]}, 2.0)
    assert network.config.hidden_sizes == [8, 16, 24, 32] and network.config.embedding_size == 2
    assert [len(stage.layers) for stage in network.backbone.encoder.stages] == [3, 4, 6, 3]
    assert network.eval()(torch.zeros(1, 1, 16, 16)).by_condition["phase"].shape == (1, 2)


def test_a_condition_that_is_left_open_says_nothing():
    logits = {"pathology": torch.randn(4, 3), "phase": torch.randn(4, 2)}
    labels = torch.tensor([[0, 1], [2, 2], [3, 0], [1, 2]])  # 3 and 2 are open
    expected = F.cross_entropy(logits["pathology"][[0, 1, 3]], torch.tensor([0, 2, 1]))
    expected += F.cross_entropy(logits["phase"][[0, 2]], torch.tensor([1, 0]))
    torch.testing.assert_close(train_classifier.classification_loss(logits, labels), expected)


def test_refusals(recipe):
    with pytest.raises(ZooError, match="'network' expects 'SkinLesNet' or 'ResNet50Classifier', got 'UNetSegmenter'"):
        train_classifier.main([*recipe("wrong"), "--network", "UNetSegmenter"])
    with pytest.raises(ZooError, match="condition 'patient_id' is no class column"):
        train_classifier.main([*recipe("column"), "--conditions", "[patient_id]"])
