"""Study C's classifiers, and samples of one model a class."""

import json

import numpy as np
import pytest
import torch
from skimage.feature import hog
from sklearn.svm import SVC
from utility_fakes import built, hearts

from zoo.cards.utility_text import utility_table
from zoo.errors import ZooError
from zoo.metrics.utility import classification, one_class, study_c
from zoo.metrics.utility.training import Schedule


def test_blocks_move_by_two_pixels():
    image = hearts([0], 0)[0]
    features = study_c.hog_features(image)
    size = image.shape[-1]
    cells = [size // 4, (size - 2) // 4]
    assert features.shape == (1, sum((rows - 1) * (columns - 1) for rows in cells for columns in cells) * 4 * 9)
    first = hog(image[0].permute(1, 2, 0).numpy(), 9, (4, 4), (2, 2), channel_axis=-1)
    np.testing.assert_allclose(features[0, : len(first)], first, atol=1e-6)


def test_the_svm_is_the_best_of_the_grid():
    labels = torch.arange(24) % 2
    images, unseen = hearts(labels.tolist(), 0)[0], hearts(labels.tolist(), 1)[0]
    arms = {"all": torch.ones(24), "half": (torch.arange(24) < 12).double()}
    found = study_c.hog_svm(images, [labels], arms, unseen, seed=0)
    assert {arm: scores[0].shape for arm, scores in found.items()} == {"all": (24, 2), "half": (24, 2)}
    assert (found["all"][0].argmax(1) == labels).double().mean() > 0.8
    # Rows of weight 0 play no part
    kept = study_c.hog_svm(images[:12], [labels[:12]], {"half": torch.ones(12)}, unseen, seed=0)
    torch.testing.assert_close(kept["half"][0], found["half"][0])
    features = study_c.hog_features(images)
    margins = {
        SVC(C=c, kernel=kernel).fit(features, labels.numpy()).decision_function(study_c.hog_features(unseen))[0]
        for c in study_c.GRID["C"]
        for kernel in study_c.GRID["kernel"]
    }
    assert min(abs(found["all"][0][0, 1].item() - margin) for margin in margins) < 1e-6


def test_skinlesnet_learns_its_own_set(monkeypatch):
    monkeypatch.setattr(study_c, "EPOCHS", 40)
    labels = torch.arange(32) % 2
    images = hearts(labels.tolist(), 0)[0]
    arms = {"all": torch.ones(32), "none of one class": (labels == 0).double()}
    state = torch.random.get_rng_state()
    found = study_c.skinlesnet(images, [labels], arms, images, seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.testing.assert_close(found["all"][0].sum(1), torch.ones(32, dtype=torch.float64))
    assert (found["all"][0].argmax(1) == labels).double().mean() > 0.8
    assert (found["none of one class"][0].argmax(1) == 0).all()


class OneClass:
    """A generator of the hearts of one class."""

    sample_size, num_channels, device, family = 16, 1, "cpu", "fake"
    default_settings = {"steps": 3}

    def __init__(self, kind: int, calls: list):
        self.kind, self.calls = kind, calls

    def set_progress_bar_config(self, **_):
        pass

    def __call__(self, batch_size, generator, output_type):
        self.calls.append(batch_size)
        images = hearts([self.kind] * batch_size, generator[0].initial_seed() % 1000)[0]
        return type("Output", (), {"images": images.float() / 255})


@pytest.fixture(scope="module")
def data():
    return built({"train": 16, "validation": 4, "test": 16})


def test_two_models_of_one_class_each_are_taken_together(data, tmp_path):
    for name in ("hcm", "normal"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").write_bytes(name.encode())
    calls = []
    models = {"HCM": (OneClass(1, calls), tmp_path / "hcm"), "NOR": (OneClass(0, calls), tmp_path / "normal")}
    how = {"num_samples": 20, "cache_dir": tmp_path / "cache", "progress": False}
    few = {"cnn": lambda *inputs: classification.cnn(*inputs, schedule=Schedule(30, 8, 4e-3, 0.04))}
    found = one_class.utility_of_classes(models, data, **how, classifiers=few)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert calls == [10, 10] and found["samples"]["count"] == 20
    assert list(found["model"]["sha256"]) == ["HCM/weights.safetensors", "NOR/weights.safetensors"]
    entry = found["utility"]["cas_cnn"]
    matrix = np.array(entry["confusion"])  # of HCM and NOR
    assert matrix.sum() == pytest.approx(len(data.dataset["test"]))
    assert entry["precision"]["low"] <= entry["precision"]["value"] <= entry["precision"]["high"] <= 1
    assert entry["accuracy"]["value"] == pytest.approx(np.trace(matrix) / matrix.sum())
    assert entry["recall"]["value"] == pytest.approx(matrix[0, 0] / matrix[0].sum())
    titles = [line[0] for line in utility_table(found["utility"])]
    assert "CNN, all classes: recall" in titles and "CNN, all classes: F1" in titles

    one_class.utility_of_classes(models, data, **how, classifiers=few)
    assert calls == [10, 10]  # the samples were kept


@pytest.mark.parametrize(
    ("names", "seeds", "message"),
    [
        (["HCM"], 3, "classes: expected at least two models, got 1"),
        (["HCM", "NOR"], 2, "seeds: expected at least 3, got 2"),
        (["HCM", "XYZ"], 3, "classes: train and test have no images of 'XYZ'"),
    ],
)
def test_bad_input(data, names, seeds, message):
    models = {name: (OneClass(0, []), None) for name in names}
    with pytest.raises(ZooError, match=message):
        one_class.utility_of_classes(models, data, seeds=seeds, progress=False)
