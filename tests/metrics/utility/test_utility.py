"""Group `utility` of a whole evaluation: what is asked, what is kept, what is verified."""

import copy
import importlib
import json
from dataclasses import replace
from types import SimpleNamespace

import datasets
import pytest
import torch
from safetensors.torch import save_file
from utility_fakes import ImagePipeline, PairPipeline, built

from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.hardware import describe_hardware
from zoo.metrics import dataset_share, evaluate
from zoo.metrics.utility import classification, segmentation
from zoo.metrics.utility.classes import class_indices, shared_classes
from zoo.metrics.utility.segmentation import SameData
from zoo.metrics.verify import verify

evaluation = importlib.import_module("zoo.metrics.evaluate")
CLASSIFICATION = {f"{arm}_{name}" for arm in ("baseline", "cas", "nas") for name in ("hog_svm", "cnn")}


@pytest.fixture(scope="module")
def drawn() -> BuiltDataset:
    return built({"train": 20, "validation": 2, "test": 4}, slices=2)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    for module, steps in ((classification, 4), (segmentation, 2)):
        monkeypatch.setattr(module, "SCHEDULE", replace(module.SCHEDULE, steps=steps))


def measure(pipe, data, **options) -> dict:
    return evaluate(pipe, data, **{"groups": ["utility"], "num_samples": 20, "progress": False} | options)


def told(capsys) -> str:
    """What was said on stderr, without the line breaks that depend on the terminal's width."""
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture
def trainings(monkeypatch) -> list:
    """The weights of the segmenters that are trained."""
    found, train = [], segmentation.train_segmenter

    def counted(images, masks, weights, *arguments):
        found.append(weights)
        return train(images, masks, weights, *arguments)

    monkeypatch.setattr(segmentation, "train_segmenter", counted)
    return found


def test_a_model_of_pairs_is_asked_everything(drawn, trainings):
    report = measure(PairPipeline(), drawn)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    group = report["utility"]
    dice = {f"dice_shared_generator_{share}" for share in (5, 10, 25, 100)}
    assert set(group) == CLASSIFICATION | dice | {"hog_svm", "cnn", "segmenter", "settings"}
    assert group["settings"] == {"seeds": 3, "shares": [0.05, 0.1, 0.25, 1.0]} and report["samples"]["count"] == 20
    assert group["dice_shared_generator_100"]["n"] == group["nas_cnn"]["n"] == 4
    # One, two, five and all patients alone, and with pairs of the same weight in sum
    sizes = [2, 4, 10, 40]
    assert [len(weights) for weights in trainings] == [size + more for size in sizes for more in (0, 20) for _ in "123"]
    assert all(weights[-20:].sum().item() == pytest.approx(0.5) for weights in trainings[3:6])


def test_images_without_masks_train_no_segmenter(drawn, capsys, trainings):
    group = measure(ImagePipeline(), drawn, progress=True)["utility"]
    assert set(group) == CLASSIFICATION | {"hog_svm", "cnn", "settings", "not_measured"}
    assert group["not_measured"] == ["segmentation (the model makes no masks)"] and trainings == []
    said = told(capsys)
    assert "utility, segmentation: not measured: the model makes no masks" in said
    assert "utility, classification: two classifiers, 9 trainings each, about 2 s" in said


def test_a_model_without_classes_and_masks_has_no_such_group(drawn, capsys):
    pipe = ImagePipeline(names=[])
    report = measure(pipe, drawn, progress=True)
    assert "utility" not in report and pipe.sampled == 0
    assert "utility, classification: not measured: the model has no classes" in " ".join(
        capsys.readouterr().err.split()
    )


def test_it_is_measured_only_if_asked_for(drawn, monkeypatch):
    monkeypatch.setattr(evaluation, "GROUPS", evaluation.GROUPS[-2:])  # `items` and `utility`
    report = evaluate(ImagePipeline(), drawn, num_samples=20, progress=False)
    assert "items" in report and "utility" not in report


def of_hcm_alone(rows: datasets.Dataset) -> datasets.Dataset:
    return rows.filter(lambda label: label == 1, input_columns="pathology")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows.remove_columns("pathology"), "dataset has no classes in a column 'pathology' or 'label'"),
        (of_hcm_alone, "train and test share fewer than two of the model's classes NOR, HCM"),
    ],
)
def test_datasets_without_the_classes(drawn, change, reason, capsys):
    splits = datasets.DatasetDict({name: change(rows) for name, rows in drawn.dataset.items()})
    pipe = ImagePipeline()
    assert "utility" not in measure(pipe, BuiltDataset(splits, drawn.info), progress=True) and pipe.sampled == 0
    assert reason in told(capsys)


def test_samples_of_one_class_and_datasets_without_masks(drawn, capsys):
    class OfOneClass(PairPipeline):
        def draw_labels(self, class_labels, conditions, generators):
            return torch.ones(len(generators), 1, dtype=torch.int64)

    plain = BuiltDataset(drawn.dataset.remove_columns("mask"), drawn.info)
    assert "utility" not in measure(OfOneClass(), plain, progress=True)
    said = told(capsys)
    assert "not measured: train, test and the samples share fewer than two classes" in said
    assert "not measured: the dataset has no masks" in said


def test_classes_are_known_by_name():
    names = datasets.ClassLabel(names=["DCM", "HCM", "ARV"])
    rows = datasets.Dataset.from_dict({"label": [0, 1, 2, 1]}, datasets.Features(label=names))
    found = class_indices(rows, "pathology", ["NOR", "HCM", "DCM"])  # `label` stands in, ARV is not known
    assert found.tolist() == [2, 1, 3, 1]
    assert class_indices(rows, "pathology", []).tolist() == [0, 0, 0, 0]
    assert shared_classes(["NOR", "HCM", "DCM"], found, torch.tensor([0, 2, 1])) == [1, 2]
    assert class_indices(rows.rename_column("label", "name"), "pathology", ["NOR"]) is None


def test_trainings_are_kept_and_those_on_real_images_for_all_models(drawn, model_dir, tmp_path, trainings):
    options = {"model_dir": model_dir, "cache_dir": tmp_path / "cache", "utility_shares": (0.25, 1.0)}
    first = measure(PairPipeline(), drawn, **options)
    assert len(trainings) == 12
    pipe = PairPipeline()
    assert measure(pipe, drawn, **options) == first
    assert len(trainings) == 12 and pipe.sampled == 0
    other = tmp_path / "other"
    other.mkdir()
    save_file({"weight": torch.zeros(1)}, other / "weights.safetensors")
    assert measure(PairPipeline(), drawn, **options | {"model_dir": other})["utility"] == first["utility"]
    assert len(trainings) == 12 + 6
    assert all(len(weights) > 20 for weights in trainings[12:])  # those with pairs


def test_generators_of_the_same_data_have_figures_of_their_own(drawn):
    class Blank(PairPipeline):
        """Pairs in which nothing can be learned."""

        def __call__(self, *arguments, **options):
            output = super().__call__(*arguments, **options)
            return SimpleNamespace(images=output.images * 0, masks=output.masks * 0)

    generator = SameData(Blank(), dataset_share(drawn, 0.25).info["fingerprint"])
    group = measure(PairPipeline(), drawn, same_data={0.25: generator}, utility_shares=(0.25,))["utility"]
    same, shared = (group[f"dice_{case}_25"] for case in ("same_data", "shared_generator"))
    assert same["value"] != shared["value"] and "dice_same_data_100" not in group
    pipe = PairPipeline()
    with pytest.raises(ZooError, match="was trained on other data"):
        measure(pipe, drawn, same_data={0.5: generator})
    assert pipe.sampled == 0


def test_too_few_seeds_or_patients_are_refused_before_sampling(drawn):
    pipe, single = PairPipeline(), built({"train": 4, "validation": 1, "test": 1})
    with pytest.raises(ZooError, match="shares: expected numbers above 0 and up to 1, got 1.5"):
        measure(pipe, drawn, utility_shares=(0.1, 1.5))
    for data, seeds, message in ((drawn, 2, "seeds: expected at least 3, got 2"), (single, 3, "at least two patients")):
        with pytest.raises(ZooError, match=message):
            measure(pipe, data, utility_seeds=seeds)
    assert pipe.sampled == 0


@pytest.fixture(scope="module")
def published(drawn, model_dir):
    """Of four seeds, with a figure that takes a model of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classification, "SCHEDULE", replace(classification.SCHEDULE, steps=4))
        report = measure(ImagePipeline(), drawn, model_dir=model_dir, utility_seeds=4)
    report["utility"]["dice_same_data_10"] = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 4}
    report["cost"] = {"hardware": describe_hardware(torch.device("cpu"))}
    return json.loads(json.dumps(report))


def test_it_is_verified_if_asked_for(drawn, model_dir, published):
    metrics = copy.deepcopy(published)
    metrics["utility"]["nas_cnn"]["gain"]["low"] = 0.4
    metrics["utility"]["cas_hog_svm"]["value"] -= 0.1
    result = verify(ImagePipeline(), drawn, metrics, model_dir, groups=["utility"], progress=False)
    assert result.same_machine and result.compared > 200
    assert any(reason.startswith("dice_same_data_") for reason in result.not_verified)
    assert [difference.figure for difference in result.differences] == [  # and all others hold
        "utility.cas_hog_svm.value",
        "utility.nas_cnn.gain.low",
    ]


@pytest.mark.parametrize(("groups", "hardware"), [(None, None), (["utility"], "an abacus")])
def test_it_is_not_trained_again_unless_asked_for_on_the_same_machine(drawn, model_dir, published, groups, hardware):
    metrics, pipe = copy.deepcopy(published), ImagePipeline()
    metrics["utility"]["nas_cnn"]["value"] = 0.99
    if hardware:
        metrics["cost"]["hardware"] = hardware
    else:
        metrics.pop("cost")
    result = verify(pipe, drawn, metrics, model_dir, groups=groups, progress=False)
    assert result.differences == [] and pipe.sampled == 0
    assert (
        "utility: trained again only if asked for by name, on the same machine and without a GPU" in result.not_verified
    )
