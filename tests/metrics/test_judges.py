"""The networks that judge: loading, fitting a dataset, their own figures, and their features."""

import json
import shutil

import pytest
import torch

import zoo.datasets
from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.metrics.anatomy import knows_hearts
from zoo.metrics.extractors import TrainedExtractor, extract, load_extractor
from zoo.metrics.functional import volume_dice
from zoo.metrics.image_set import from_split, volumes_of
from zoo.metrics.judges import find_judge, none_of
from zoo.metrics.judging import dice_figures, evaluate_judge
from zoo.models import (
    ResNet50Classifier,
    ResNet50ClassifierConfig,
    SkinLesNet,
    SkinLesNetConfig,
    UNetSegmenter,
    UNetSegmenterConfig,
)
from zoo.published import places
from zoo.published.metrics_file import save
from zoo.published.networks import WEIGHTS_FILE, Judge, load_judge


@pytest.fixture(scope="module")
def phantom() -> BuiltDataset:
    return zoo.datasets.build_phantom(num_patients=20, progress=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory, phantom):
    """A small segmenter and a small classifier, untrained, in half precision as they are published."""
    torch.manual_seed(0)
    features = phantom.dataset["train"].features
    conditions = ["slice_level", "pathology", "phase"]
    names = {name: features[name].names for name in conditions}
    networks = {
        "segmenter": UNetSegmenter(UNetSegmenterConfig(64, block_out_channels=[8, 8], pixel_spacing_mm=2.0)),
        "classifier": SkinLesNet(
            SkinLesNetConfig(conditions, names, 64, block_out_channels=[2, 2, 4, 4], pixel_spacing_mm=2.0)
        ),
    }
    root = tmp_path_factory.mktemp("judges")
    for name, network in networks.items():
        network.half().save_pretrained(root / name)
        dataset = {"name": "ACDC", "preset": "acdc-64", "n_images": 1526}
        save(root / name / "metrics.json", {"schema_version": 1, "training": {"dataset": dataset}})
    return root


@pytest.fixture(scope="module")
def segmenter(folders) -> Judge:
    return load_judge(folders / "segmenter", "segmenter")


@pytest.fixture(scope="module")
def classifier(folders) -> Judge:
    return load_judge(folders / "classifier", "classifier")


def test_a_judge_is_in_float32_and_in_eval_mode(segmenter, classifier):
    for judge in (segmenter, classifier):
        assert judge.network.dtype == torch.float32 and not judge.network.training
    assert segmenter.name == "segmenter" and len(segmenter.sha256) == 64


def test_it_sees_images_as_it_was_trained_to(segmenter, classifier, phantom):
    images = from_split(phantom, "test").images[:60]  # more than a batch
    scaled = images.float() / 127.5 - 1
    assert torch.equal(segmenter.masks(images), segmenter.network.segment(scaled))
    found = classifier.probabilities(images)
    assert list(found) == ["slice_level", "pathology", "phase"]
    with torch.no_grad():
        expected = classifier.network(scaled).by_condition
    for name, probability in found.items():
        torch.testing.assert_close(probability, expected[name].softmax(1))


def test_folders_that_are_no_judges(folders, tmp_path):
    with pytest.raises(ZooError, match="config.json: not found, expected the folder of a published segmenter"):
        load_judge(tmp_path, "segmenter")
    with pytest.raises(ZooError, match="architectures: expected a segmenter of zoo.models, got 'SkinLesNet'"):
        load_judge(folders / "classifier", "segmenter")
    for file in (folders / "segmenter").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"block_out_channels": [8, 8, 8]}))
    with pytest.raises(ZooError, match="missing or unexpected weights|cannot be loaded"):
        load_judge(tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"\0" * 100)
    with pytest.raises(ZooError, match="cannot be loaded"):
        load_judge(tmp_path)


def test_datasets_that_a_judge_does_not_fit(segmenter, phantom, data):
    assert segmenter.misfit(phantom) is None
    assert "expects 64x64 pixels and 1 channel(s), got 32x32" in segmenter.misfit(data)
    coarse = phantom.dataset.map(lambda row: {"pixel_spacing": [1.5, 1.5]})
    assert "pixels of 2.0 mm, got [1.5, 1.5]" in segmenter.misfit(BuiltDataset(coarse, phantom.info))


@pytest.fixture
def published(folders, tmp_path, monkeypatch):
    """Nothing but a segmenter of 128 pixels, one of 64 and a classifier, which `ZOO_MODELS` names."""
    monkeypatch.setattr(places, "CHECKOUT", tmp_path / "none")
    root = tmp_path / "models"
    shutil.copytree(folders / "segmenter", root / "segmenter-acdc-64")
    shutil.copytree(folders / "classifier", root / "classifier-acdc-64")
    large = UNetSegmenter(UNetSegmenterConfig(128, block_out_channels=[8, 8], pixel_spacing_mm=1.0))
    large.save_pretrained(root / "segmenter-acdc-128")
    shutil.copy(folders / "segmenter" / "metrics.json", root / "segmenter-acdc-128")
    monkeypatch.setenv("ZOO_MODELS", str(root))
    return root


def test_which_judge_is_found(published, phantom, data):
    assert find_judge("segmenter", phantom) is None  # not the dataset that it was trained on, and nobody asked
    assert find_judge("segmenter", phantom, published / "segmenter-acdc-64").name == "segmenter-acdc-64"
    acdc = BuiltDataset(phantom.dataset, phantom.info | {"name": "ACDC"})
    (published / "segmenter-acdc-128" / WEIGHTS_FILE).unlink()  # not opened: its config says that it does not fit
    assert find_judge("segmenter", acdc).name == "segmenter-acdc-64"
    assert find_judge("segmenter", phantom, required=True).name == "segmenter-acdc-64"
    assert find_judge("classifier", acdc).name == "classifier-acdc-64"
    other_size = BuiltDataset(data.dataset, data.info | {"name": "ACDC"})
    assert find_judge("segmenter", other_size) is None
    expected = "dataset noise-32: segmenter-acdc-128 expects 128x128 .*; segmenter-acdc-64 expects 64x64"
    with pytest.raises(ZooError, match=expected):
        find_judge("segmenter", other_size, required=True)
    with pytest.raises(ZooError, match="dataset noise-32: segmenter-acdc-64 expects 64x64"):
        find_judge("segmenter", other_size, "segmenter-acdc-64")


def test_no_judge_is_found(published, phantom, monkeypatch):
    lesions = BuiltDataset(phantom.dataset, phantom.info | {"name": "ISIC"})
    assert find_judge("segmenter", lesions) is None  # not that of hearts
    assert none_of("segmenter", lesions).startswith("no published segmenter of ISIC fits phantom-64 (ZOO_MODELS=")
    acdc = BuiltDataset(phantom.dataset, phantom.info | {"name": "ACDC"})
    monkeypatch.delenv("ZOO_MODELS")
    assert find_judge("segmenter", acdc) is None
    with pytest.raises(ZooError, match=r"segmenter of ACDC fits .* \(ZOO_MODELS is not set; no checkout\)"):
        find_judge("segmenter", acdc, required=True)


def test_the_dice_of_a_segmenter(folders, segmenter, phantom):
    report = evaluate_judge(folders / "segmenter", phantom, "validation")
    group, rows = report["segmentation"], phantom.dataset["validation"]
    masks = torch.from_numpy(zoo.datasets.images(rows, "mask")[..., 0])
    volumes = list(zip(rows["patient_id"], rows["frame"], strict=True))
    _, scores = volume_dice(segmenter.masks(from_split(phantom, "validation").images), masks, volumes)
    assert group["dice"]["value"] == pytest.approx(scores.mean().item())
    assert group["dice"]["std"] == pytest.approx(scores.mean(1).std().item())
    assert group["dice_LV"]["value"] == pytest.approx(scores[:, 2].mean().item())
    assert group["volumes"] == len(set(volumes)) and group["dice"]["n"] == len(set(rows["patient_id"]))
    assert report["dataset"]["split"] == "validation" and report["model"]["family"] == "segmenter"
    assert report["model"]["sha256"] == {WEIGHTS_FILE: segmenter.sha256}


def test_a_segmenter_that_knows_the_masks_has_a_dice_of_one(segmenter, phantom, monkeypatch, folders):
    masks = torch.from_numpy(zoo.datasets.images(phantom.dataset["test"], "mask")[..., 0])
    monkeypatch.setattr(Judge, "masks", lambda self, images: masks)
    group = evaluate_judge(folders / "segmenter", phantom)["segmentation"]
    assert group["dice"]["value"] == group["dice_myocardium"]["low"] == 1


def test_the_accuracy_of_a_classifier(folders, classifier, phantom):
    group = evaluate_judge(folders / "classifier", phantom)["classification"]
    rows, images = phantom.dataset["test"], from_split(phantom, "test")
    probability = classifier.probabilities(images.images)["pathology"]
    truth = torch.tensor(rows["pathology"][:])
    right = (probability.argmax(1) == truth).double().mean().item()
    assert group["pathology_accuracy_slice"]["value"] == pytest.approx(right)
    patients = sorted(set(images.ids))
    which = [torch.tensor([item == patient for item in images.ids]) for patient in patients]
    votes = [probability[chosen].mean(0).argmax() == truth[chosen][0] for chosen in which]
    assert group["pathology_accuracy_patient"]["value"] == pytest.approx(sum(votes).item() / len(patients))
    assert group["pathology_accuracy_patient"]["n"] == len(patients)
    assert "phase_accuracy_slice" in group and "phase_accuracy_patient" not in group  # it changes within a patient
    assert group["phase_chance"] == pytest.approx(0.5)


def test_classes_of_other_names_are_refused(folders, phantom):
    split = phantom.dataset["test"].remove_columns("phase")
    lacking = BuiltDataset(phantom.dataset | {"test": split}, phantom.info)
    with pytest.raises(ZooError, match="column 'phase': expected the classes ED, ES"):
        evaluate_judge(folders / "classifier", lacking)


def test_features(segmenter, classifier, phantom):
    images = from_split(phantom, "test").images[:5]
    for judge, name, dimensions in ((segmenter, "unet_acdc", 8), (classifier, "skinlesnet_acdc", 128)):
        extractor = TrainedExtractor(judge)
        found = extract(extractor, images)
        assert found.shape == (5, dimensions) and extractor.describe()["dimensions"] == dimensions
        with torch.no_grad():
            expected = extractor.network.features(images.float() / 127.5 - 1)
        torch.testing.assert_close(found, expected)
        assert extractor.name == name and extractor.sha256 == judge.sha256


def test_features_of_a_resnet(phantom):
    torch.manual_seed(0)
    stages = {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1], "head_features": [16, 6]}
    network = ResNet50Classifier(ResNet50ClassifierConfig(["phase"], {"phase": ["ED", "ES"]}, **stages)).eval()
    extractor = TrainedExtractor(Judge("resnet", network, "0" * 64))
    assert extractor.name == "resnet50"  # nobody says what it was trained on
    assert extract(extractor, from_split(phantom, "test").images[:2]).shape == (2, 6)


def test_a_published_extractor_must_be_what_it_is_called(published):
    assert load_extractor("skinlesnet_acdc").name == "skinlesnet_acdc"
    with pytest.raises(ZooError, match="unknown 'unet_acdc'"):  # no judge of likeness
        load_extractor("unet_acdc")
    shutil.copytree(published / "segmenter-acdc-64", published / "classifier-isic-64")
    with pytest.raises(ZooError, match="extractor skinlesnet_isic: .* holds the network of unet_acdc"):
        load_extractor("skinlesnet_isic")


def test_what_a_damaged_metrics_file_tells_of_the_training(folders, tmp_path):
    for file in (folders / "segmenter").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "metrics.json").write_text("[1]")
    with pytest.raises(ZooError, match="metrics.json: schema_version: expected 1"):
        load_judge(tmp_path)
    (tmp_path / "metrics.json").unlink()
    assert load_judge(tmp_path).trained_on is None


def test_judges_of_images_without_patients_and_slices(segmenter, phantom):
    """Skin lesions: one image a volume, no millimetres, and so no anatomy."""
    rows = phantom.dataset["test"]
    lesions = rows.remove_columns(["patient_id", "frame", "pixel_spacing"])
    images = from_split(phantom, "test")
    assert volumes_of(images, lesions) == [(patient, i) for i, patient in enumerate(images.ids)]
    assert len(set(volumes_of(images, rows))) < len(rows)
    by_patient = rows.remove_columns("frame")  # a folder of one volume a patient
    assert len(set(volumes_of(images, by_patient))) == len(set(rows["patient_id"][:]))
    data = BuiltDataset(phantom.dataset | {"test": lesions}, phantom.info)
    flat = BuiltDataset({"train": lesions}, phantom.info)
    assert segmenter.misfit(data) is None and "pixels of 2.0 mm, got none" in segmenter.misfit(flat)
    network = UNetSegmenter(UNetSegmenterConfig(64, 1, ["background", "lesion"], [8, 8])).eval()
    judge = Judge("lesions", network, "0" * 64)
    assert judge.misfit(flat) is None and "expects no pixel spacing, got [2.0, 2.0]" in judge.misfit(phantom)
    assert knows_hearts(segmenter) and not knows_hearts(judge)
    with pytest.raises(ZooError, match="column 'mask': not there"):
        dice_figures(judge, images, lesions.remove_columns("mask"))
