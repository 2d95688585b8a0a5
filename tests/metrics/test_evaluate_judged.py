"""The groups `anatomy` and `conditioning` of a whole evaluation, by judges that make no mistakes.

Images are masks in four greys here, so that a stand-in for the segmenter reads them off.
"""

import importlib
import json
from types import SimpleNamespace

import datasets
import pytest
import torch

import zoo.datasets
from zoo import png
from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.metrics import evaluate
from zoo.metrics.functional import measure_anatomy
from zoo.metrics.image_set import from_split
from zoo.published.networks import Judge

evaluation = importlib.import_module("zoo.metrics.evaluate")
PATHOLOGIES = ["NOR", "MINF", "DCM", "HCM", "RV"]
GREY = 85


class Reader(Judge):
    """Reads masks off the greys, and holds every slice to be a mid one of an HCM patient."""

    def misfit(self, data):
        return None

    def masks(self, images):
        return images[:, 0] // GREY

    def probabilities(self, images):
        chosen = {"pathology": "HCM", "slice_level": "mid"}
        names = self.network.config.class_names
        return {
            condition: torch.tensor([float(name == chosen[condition]) for name in names[condition]]).repeat(
                len(images), 1
            )
            for condition in names
        }


CONFIGS = {
    "segmenter": {"pixel_spacing_mm": 2.0, "class_names": ["background", "RV", "myocardium", "LV"]},
    "classifier": {"class_names": {"pathology": PATHOLOGIES, "slice_level": ["basal", "mid", "apical"]}},
}


def reader(family: str, sha256: str = "ab" * 32) -> Reader:
    network = SimpleNamespace(config=SimpleNamespace(**CONFIGS[family]))
    return Reader(f"{family} of the tests", network, sha256)


class Replay:
    """Sample `i` is image `i` of a split, asked for as what it is."""

    family, sample_size, num_channels, device, dtype = "replay", 64, 1, "cpu", torch.float32
    default_settings, components = {}, {}

    def __init__(self, split: datasets.Dataset, images: torch.Tensor, conditional: bool = True):
        self.split, self.images, self.calls = split, images, 0
        self.class_names = {"pathology": PATHOLOGIES} if conditional else {}

    def network_evaluations(self, **settings):
        return 1

    def draw_labels(self, class_labels, conditions, generators):
        return torch.tensor(self.split["pathology"][: len(generators)])[:, None]

    def __call__(self, batch_size=1, generator=None, output_type="pt"):
        first, self.calls = self.calls, self.calls + batch_size
        return SimpleNamespace(images=self.images[first : first + batch_size])


class ReplayPairs(Replay):
    """The same with masks, whose first half knows no right ventricle and whose second half is right."""

    def __call__(self, batch_size=1, generator=None, output_type="pt"):
        output = super().__call__(batch_size, generator, output_type)
        masks = (output.images[:, 0] * 255 / GREY).round().to(torch.uint8)
        first = torch.arange(self.calls - batch_size, self.calls) < len(self.images) // 2
        return SimpleNamespace(images=output.images, masks=torch.where(first[:, None, None] & (masks == 1), 0, masks))


@pytest.fixture(scope="module")
def greys() -> BuiltDataset:
    built = zoo.datasets.build_phantom(num_patients=20, progress=False)
    features = built.dataset["train"].features

    splits = {}
    for name, split in built.dataset.items():
        masks = zoo.datasets.images(split, "mask")[..., 0]
        pictures = [png.encode(mask * GREY) for mask in masks]
        splits[name] = split.remove_columns("image").add_column("image", pictures, feature=features["image"])
    return BuiltDataset(datasets.DatasetDict(splits), built.info | {"name": "ACDC", "preset": "acdc-64"})


@pytest.fixture
def judged(greys, monkeypatch):
    """Evaluates a pipeline that hands out the images of a split."""

    def run(conditional=True, judges=("segmenter", "classifier"), sha256="ab" * 32, replay=Replay, **options):
        found = {family: reader(family, sha256) for family in judges}
        monkeypatch.setattr(evaluation, "find_judge", lambda family, *_: found.get(family))
        images = from_split(greys, "test")
        pipe = replay(greys.dataset["test"], images.floats, conditional)
        options = {"groups": ["anatomy", "conditioning"], "progress": False, "num_samples": len(images)} | options
        return evaluate(pipe, greys, **options)

    return run


def test_the_test_images_themselves_are_at_no_distance(judged, greys):
    report = judged()
    group = report["anatomy"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert group["segmenter"].startswith("segmenter of the tests (sha256 abab")
    assert group["segmenter_dice"]["value"] == 1
    for name in ("ring_closed", "empty", "wall_thickness_mm", "septal_wall_mm", "cavity_area_mm2", "lv_rv_ratio"):
        figure, real = group[name], group[f"{name}_real"]
        assert figure["value"] == pytest.approx(real["value"]) and figure["wasserstein_to_real"] == 0
        assert set(figure["pathology"]) == set(PATHOLOGIES) and set(figure["slice_level"]) == {"mid"}
        assert all(entry["wasserstein_to_real"] == 0 for entry in figure["pathology"].values())
        assert real["n"] == len(set(greys.dataset["test"]["patient_id"])) < figure["n"]  # patients, and samples
    rows = greys.dataset["test"]
    masks = torch.from_numpy(zoo.datasets.images(rows, "mask")[..., 0])
    walls, pathology = measure_anatomy(masks, 2.0)["wall_thickness_mm"], torch.tensor(rows["pathology"][:])
    expected = walls[pathology == PATHOLOGIES.index("HCM")].mean().item()
    assert group["wall_thickness_mm"]["pathology"]["HCM"]["value"] == pytest.approx(expected)


def test_masks_of_pairs_are_compared_with_those_of_the_segmenter(judged, greys):
    assert "mask_agreement_dice" not in judged()["anatomy"]
    report = judged(replay=ReplayPairs, batch_size=7)
    plain, group = judged()["anatomy"], report["anatomy"]
    assert group["mask_agreement_dice_real"]["value"] == 1
    masks = torch.from_numpy(zoo.datasets.images(greys.dataset["test"], "mask")[..., 0])
    there = torch.stack([(masks == label).flatten(1).any(1) for label in (1, 2, 3)], dim=1).double()
    expected = torch.ones(len(masks), dtype=torch.float64)  # of a missing one of the structures 0, of the others 1
    half = len(masks) // 2
    expected[:half] = there[:half, 1:].sum(1) / there[:half].sum(1)
    assert 0 < expected.nanmean() < 1
    expected[there.sum(1) == 0] = float("nan")
    assert group["mask_agreement_dice"]["value"] == pytest.approx(expected.nanmean().item())
    assert group["mask_agreement_dice"]["n"] == (~expected.isnan()).sum()
    assert group["wall_thickness_mm"] == plain["wall_thickness_mm"]  # of the segmenter's labels, as for every model


def test_reference_rows(judged):
    report = judged()
    rows = {name: groups["anatomy"] for name, groups in report["references"].items()}
    assert set(rows) == {"real", "mean_image", "copy"}
    real = rows["real"]["wall_thickness_mm"]
    assert real["wasserstein_to_real"] == real["wasserstein_train_to_test"] > 0
    assert report["anatomy"]["wall_thickness_mm"]["wasserstein_train_to_test"] == real["wasserstein_to_real"]
    by_class = report["anatomy"]["wall_thickness_mm"]["pathology"]["DCM"]
    assert by_class["wasserstein_train_to_test"] > 0 and "pathology" not in real
    assert rows["copy"]["cavity_area_mm2"]["value"] == pytest.approx(rows["real"]["cavity_area_mm2"]["value"], rel=0.02)
    assert all(set(groups) == {"anatomy"} for groups in report["references"].values())


def test_the_order_and_the_accuracy_of_classes(judged, greys):
    group = judged()["conditioning"]
    share = greys.dataset["test"]["pathology"].count(PATHOLOGIES.index("HCM")) / len(greys.dataset["test"])
    assert group["class_accuracy"]["value"] == group["class_accuracy_real"]["value"] == pytest.approx(share)
    assert group["class_accuracy"]["pathology"]["HCM"]["value"] == 1
    assert group["class_accuracy"]["pathology"]["NOR"]["value"] == 0
    assert group["ordering_kept"] is True and group["ordering_kept_real"] is True  # the phantom was drawn so


def test_without_a_segmenter_there_is_no_anatomy_and_no_order(judged):
    report = judged(judges=["classifier"])
    assert "anatomy" not in report and "ordering_kept" not in report["conditioning"]
    assert "class_accuracy" in report["conditioning"]


def test_an_unconditional_pipeline_has_no_pathologies(judged):
    report = judged(conditional=False)
    assert "conditioning" not in report
    assert "pathology" not in report["anatomy"]["wall_thickness_mm"]
    assert "slice_level" in report["anatomy"]["wall_thickness_mm"]


def test_references_are_kept_for_the_next_model_and_only_for_the_same_judges(judged, tmp_path, monkeypatch):
    first = judged(cache_dir=tmp_path)
    calls = []
    masks = Reader.masks
    monkeypatch.setattr(Reader, "masks", lambda self, images: calls.append(len(images)) or masks(self, images))
    assert judged(cache_dir=tmp_path)["references"] == first["references"]
    assert len(calls) == 2  # samples and real images alone
    judged(cache_dir=tmp_path, sha256="cd" * 32)
    assert len(calls) == 2 + 2 + 4  # all of them again: two sets, three rows and the Dice


def test_a_judge_that_is_asked_for_must_be_there(greys):
    pipe = Replay(greys.dataset["test"], from_split(greys, "test").floats)
    with pytest.raises(ZooError, match="nowhere: expected the folder of a model"):
        evaluate(pipe, greys, groups=["anatomy"], segmenter="nowhere", num_samples=10, progress=False)
    assert pipe.calls == 0


def test_groups_that_need_a_judge_are_left_out_where_there_is_none(judged, capsys):
    report = judged(judges=[], progress=True)
    assert "anatomy" not in report and "conditioning" not in report
    said = " ".join(capsys.readouterr().err.split())
    assert "anatomy: left out: no published segmenter of ACDC fits acdc-64 (" in said
    assert "conditioning: left out: no published classifier of ACDC" in said and "judges:" not in said


def test_the_networks_that_judge_are_said(judged, capsys):
    judged(progress=True)
    said = " ".join(capsys.readouterr().err.split())
    assert "judges: segmenter of the tests (sha256 abab" in said and "classifier of the tests" in said
