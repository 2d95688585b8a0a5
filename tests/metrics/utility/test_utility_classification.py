"""CAS and NAS where samples must help, and where they cannot."""

import builtins
from dataclasses import replace

import pytest
import torch
from skimage.feature import hog
from utility_fakes import NAMES, hearts

from zoo.cards.utility_text import verdict
from zoo.errors import ZooError
from zoo.metrics.image_set import ImageSet
from zoo.metrics.utility import classification
from zoo.metrics.utility.classification import classification_figures, cnn, hog_features, hog_svm

SCHEDULE = replace(classification.SCHEDULE, steps=100, batch_size=16, learning_rate=4e-3)


def alternate(count: int) -> torch.Tensor:
    return torch.arange(count) % 2


@pytest.fixture(scope="module")
def unseen() -> ImageSet:
    """16 patients of three slices, every second slice of the other class."""
    return ImageSet(hearts(alternate(48).tolist(), 5)[0], [f"p{i % 2}-{i // 6}" for i in range(48)])


@pytest.fixture(scope="module")
def figures(unseen):
    """One real heart of each class; 80 samples that are as good as real ones."""
    real = hearts([0, 1], 1)[0], alternate(2)
    synthetic = hearts(alternate(80).tolist(), 2)[0], alternate(80)
    return classification_figures(real, synthetic, unseen, alternate(48), NAMES, [0, 1, 2], schedule=SCHEDULE)


def test_a_perfect_generator_helps_whoever_has_two_images(figures):
    for classifier in ("hog_svm", "cnn"):
        assert figures[f"nas_{classifier}"]["gain"]["low"] > 0
        assert figures[f"nas_{classifier}"]["value"] > figures[f"baseline_{classifier}"]["value"] + 0.1
    assert verdict(figures).startswith("Helps: with the samples the balanced accuracy of a CNN is")
    assert figures["cas_hog_svm"]["gain"]["low"] > 0  # even samples alone are better than two images


def test_what_stands_in_a_figure(figures):
    assert set(figures) == {f"{arm}_{name}" for arm in ("baseline", "cas", "nas") for name in ("hog_svm", "cnn")}
    entry, baseline = figures["nas_cnn"], figures["baseline_cnn"]
    assert set(entry) - set(baseline) == {"gain"} and entry["n"] == 16 and len(entry["per_seed"]) == 3
    assert entry["gain"]["value"] == pytest.approx(entry["value"] - baseline["value"])
    assert entry["gain"]["per_seed"] == pytest.approx(
        [ours - theirs for ours, theirs in zip(entry["per_seed"], baseline["per_seed"], strict=True)]
    )
    by_class = [entry["pathology"][name]["value"] for name in NAMES]
    assert entry["value"] == pytest.approx(sum(by_class) / 2) and entry["pathology"]["HCM"]["n"] == 8
    assert entry["accuracy"]["value"] == pytest.approx(entry["value"])  # as many slices of each class
    assert entry["patient_vote"]["n"] == 16 and entry["patient_vote"]["value"] * 48 % 1 == pytest.approx(0, abs=1e-9)
    assert all(0 <= figure["low"] <= figure["high"] <= 1 for figure in figures.values())


def test_samples_of_random_classes_cannot_help(unseen):
    real = hearts(alternate(40).tolist(), 1)[0], alternate(40)
    shuffled = alternate(40)[torch.randperm(40, generator=torch.Generator().manual_seed(0))]
    synthetic = hearts(alternate(40).tolist(), 2)[0], shuffled
    schedule = replace(SCHEDULE, steps=30)
    figures = classification_figures(real, synthetic, unseen, alternate(48), NAMES, [0, 1, 2], schedule=schedule)
    assert figures["nas_hog_svm"]["gain"]["value"] < 0 and figures["cas_hog_svm"]["value"] < 0.7
    assert verdict(figures).split(":")[0] in ("Does not help", "No difference that 16 patients can show")


def test_hcm_is_told_from_all_others(unseen):
    """A third class, `MINF`, are the hearts of NOR again: nobody can tell these two apart, but both from HCM."""
    labels = torch.tensor([0, 1, 2] * 20)
    sets = [(hearts([int(c == 1) for c in labels], seed)[0], labels) for seed in (1, 2)]
    figures = classification_figures(
        *sets, unseen, torch.where(alternate(48) == 1, 1, torch.arange(48) // 2 % 2 * 2), [*NAMES, "MINF"], [0, 1, 2],
        schedule=replace(SCHEDULE, steps=2),
    )  # fmt: skip
    assert {"baseline_hog_svm_hcm", "cas_cnn_hcm", "nas_cnn_hcm"} <= set(figures)
    assert figures["nas_hog_svm_hcm"]["value"] > 0.85 > 0.75 > figures["nas_hog_svm"]["value"]
    assert "pathology" not in figures["nas_cnn_hcm"] and "gain" in figures["nas_cnn_hcm"]


def test_images_of_no_weight_play_no_part():
    images, labels = hearts(alternate(20).tolist(), 0)[0], alternate(20)
    unseen = hearts([0, 1], 9)[0]
    half = {"arm": (torch.arange(20) < 10).double()}
    for classifier, options in ((hog_svm, {}), (cnn, {"schedule": replace(SCHEDULE, steps=3)})):
        ours = classifier(images, [labels], half, unseen, 0, **options)["arm"][0]
        changed = images.clone()
        changed[10:] = 255 - changed[10:]
        assert torch.equal(ours, classifier(changed, [labels], half, unseen, 0, **options)["arm"][0])
        other = classifier(images, [labels], half, unseen, 1, **options)["arm"][0]
        assert ours.shape == (2, 2) and not torch.equal(ours, other)  # the seed does


def test_hog_features_are_those_of_scikit_image():
    images = hearts([0, 1], 0, size=64)[0]
    found = hog_features(images)
    assert found.shape == (2, 7 * 7 * 4 * 9)
    assert found[1] == pytest.approx(hog(images[1, 0].numpy(), 9, (8, 8), (2, 2)), abs=1e-6)
    assert hog_features(images[:, :, :8, :8]).shape == (2, 3 * 3 * 4 * 9)  # tiny images have smaller cells
    assert hog_features(images.repeat(1, 3, 1, 1)) == pytest.approx(found)  # colour


def test_without_scikit_learn_it_is_told_what_to_install(monkeypatch):
    real_import = builtins.__import__

    def no_sklearn(name, *arguments, **options):
        if name.startswith("sklearn"):
            raise ModuleNotFoundError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", no_sklearn)
    images = hearts([0, 1], 0)[0]
    with pytest.raises(ZooError, match=r"scikit-learn is absent, run `pip install cardiac-mri-zoo\[eval\]`"):
        hog_svm(images, [alternate(2)], {"arm": torch.ones(2)}, images, 0)


def test_a_single_patient_is_refused_before_anything_is_trained(unseen, monkeypatch):
    monkeypatch.setattr(classification, "hog_svm", None)
    single = ImageSet(unseen.images[:2], ["p", "p"])
    with pytest.raises(ZooError, match="at least two patients"):
        classification_figures((single.images, alternate(2)), (single.images, alternate(2)), single, alternate(2),
                               NAMES, [0, 1, 2])  # fmt: skip
