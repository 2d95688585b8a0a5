"""A whole evaluation of a small pipeline: the schema, the honesty, the resume."""

import json
import math

import pytest
import torch
from accelerate import debug_launcher
from metric_fakes import NoisePipeline, Projector

from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.metrics import diversity, evaluate
from zoo.metrics.functional import frechet_distance, mse
from zoo.metrics.image_set import from_split
from zoo.metrics.projection import choose_images
from zoo.metrics.references import real_row


@pytest.fixture(scope="module")
def report(data, model_dir, cache_dir):
    return evaluate(
        NoisePipeline(), data, extractors=[Projector()], model_dir=model_dir, cache_dir=cache_dir, progress=False
    )


def test_schema(report, data, model_dir):
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    groups = {"cost", "copying", "diversity", "distribution", "projection", "unpaired", "items"}
    assert set(report) == {"schema_version", "model", "dataset", "samples", "extractors", "references"} | groups
    assert report["schema_version"] == 1
    assert report["model"]["name"] == "noise-32" and len(report["model"]["sha256"]["network/weights.safetensors"]) == 64
    dataset = report["dataset"]
    assert (dataset["split"], dataset["n_patients"], dataset["n_images"]) == ("test", 10, 120)
    assert dataset["patient_ids"] == {name: split["patient_ids"] for name, split in data.info["splits"].items()}
    assert report["samples"] == {"count": 1000, "seed": 0, "settings": {"strength": 1.0, "dtype": "float32"}}
    rows = {"copying", "diversity", "distribution", "unpaired"}
    assert set(report["references"]["real"]) == rows
    for row in ("mean_image", "copy"):
        assert set(report["references"][row]) == rows | {"projection"}


def test_every_figure_lies_within_its_bounds(report):
    def figures(entry):
        if isinstance(entry, dict):
            if "low" in entry:
                yield entry
            for value in entry.values():
                yield from figures(value)

    found = list(figures(report))
    assert len(found) > 40
    for entry in found:
        assert entry["low"] <= entry["value"] <= entry["high"] and isinstance(entry["n"], int)


def test_distribution(report, data):
    group, real = report["distribution"], report["references"]["real"]["distribution"]
    fd, kid = group["fd_projector"], group["kid_projector"]
    assert fd["n"] == 10
    assert fd["ratio_to_real"] == pytest.approx(fd["value"] / real["fd_projector"]["value"])
    assert kid["difference_to_real"] == pytest.approx(kid["value"] - real["kid_projector"]["value"])
    rows = {row: figures["distribution"] for row, figures in report["references"].items()}
    assert rows["real"]["fd_projector"]["ratio_to_real"] == 1
    assert rows["copy"]["fd_projector"]["ratio_to_real"] == pytest.approx(1, abs=0.2)
    assert rows["mean_image"]["fd_projector"]["ratio_to_real"] > 1.5
    real_images, test_images = real_row(from_split(data, "train"), 1000, seed=0), from_split(data, "test")
    expected = frechet_distance(*(Projector()(images.floats) for images in (real_images, test_images)))
    assert expected == pytest.approx(rows["real"]["fd_projector"]["value"], rel=1e-4)


def test_neighbourhoods_of_a_distribution(report):
    """Equal counts of 120 real images and as many samples: copies are precise, the mean image covers nothing."""
    rows = {row: figures["distribution"] for row, figures in report["references"].items()}
    names = {f"{name}_projector" for name in ("fd", "kid", "cmmd", "precision", "recall", "density", "coverage")}
    assert set(report["distribution"]) - {"settings"} == set(rows["mean_image"]) == names  # no network with classes
    settings = {"k_precision_recall": 3, "k_density_coverage": 5, "images_a_side": 120}
    assert report["distribution"]["settings"] == settings
    scores = [report["distribution"], *rows.values()]
    shares = [row[f"{name}_projector"] for name in ("precision", "recall", "coverage") for row in scores]
    assert all(0 <= share["low"] and share["high"] <= 1 for share in shares)
    assert rows["mean_image"]["recall_projector"]["value"] == 0
    assert rows["mean_image"]["coverage_projector"]["value"] < 0.2
    assert rows["mean_image"]["cmmd_projector"]["value"] > rows["real"]["cmmd_projector"]["value"]
    coverage = report["distribution"]["coverage_projector"]
    real = rows["real"]["coverage_projector"]["value"]
    assert coverage["difference_to_real"] == pytest.approx(coverage["value"] - real) and coverage["n"] == 10


def test_inception_score_of_a_network_that_classifies(data):
    class Classifier(Projector):
        name = "classifier"

        def probabilities(self, features):
            return features.softmax(1)

    options = {"groups": ["distribution"], "extractors": [Classifier()], "progress": False}
    figure = evaluate(NoisePipeline(), data, **options)["distribution"]["inception_score_classifier"]
    assert 1 <= figure["low"] < figure["value"] < figure["high"] < 16 and figure["n"] == 1000


def test_copying_in_features(report, data):
    group, rows = report["copying"], {row: groups["copying"] for row, groups in report["references"].items()}
    assert rows["copy"]["share_copies_projector"]["value"] >= 0.99
    assert group["share_copies_real_projector"] == rows["real"]["share_copies_projector"]
    assert group["share_copies_real_projector"]["n"] == 10 and "share_copies_real_test_projector" in group
    # The copies' distance from the split is divided by their distance to the training images
    mifid = {row: rows[row]["mifid_projector"]["value"] for row in ("copy", "mean_image")}
    distances = {row: report["references"][row]["distribution"]["fd_projector"]["value"] for row in mifid}
    assert mifid["copy"] > 5 * distances["copy"] and "mifid_projector" not in rows["real"]
    assert 0 < group["threshold_mifid_projector"] < 1 and "mifid_projector" in group


def test_copying_by_pathology_and_membership(report):
    group, rows = report["copying"], {row: groups["copying"] for row, groups in report["references"].items()}
    counts = [rows["copy"][f"share_copies_{name}"]["n"] for name in ("NOR", "HCM")]
    assert counts == [20, 20]  # patients
    assert {"share_copies_NOR", "share_copies_HCM", "nearest_cc_train"} <= set(group)
    assert rows["copy"]["membership_auc"]["value"] > 0.8
    assert rows["real"]["membership_auc"]["low"] < 0.5 < rows["real"]["membership_auc"]["high"]


def test_copying_alone_needs_no_extractor_and_gives_no_distance_at_other_counts(data):
    options = {"groups": ["copying"], "num_samples": 20, "progress": False}
    plain = evaluate(NoisePipeline(), data, **options)
    assert "extractors" not in plain and not any("efficientnet" in key for key in plain["copying"])
    group = evaluate(NoisePipeline(), data, extractors=[Projector()], **options)["copying"]
    assert "share_copies_projector" in group and "mifid_projector" not in group


def test_a_network_that_knows_the_patients_is_no_judge_of_copies(data):
    class Informed(Projector):
        name = "informed"
        knows_patients = True

    options = {"groups": ["copying"], "num_samples": 20, "progress": False}
    report = evaluate(NoisePipeline(), data, extractors=[Projector(), Informed()], **options)
    assert "share_copies_projector" in report["copying"]
    assert not any("informed" in key for key in report["copying"])


def test_the_report_goes_to_a_folder_of_its_own(data, model_dir, tmp_path):
    options = {"groups": ["copying"], "num_samples": 20, "model_dir": model_dir, "progress": False}
    pipe = NoisePipeline()
    with pytest.raises(ZooError, match="outside those of models"):
        evaluate(pipe, data, report_dir=model_dir / "report", **options)
    assert pipe.sampled == 0
    evaluate(pipe, data, report_dir=tmp_path / "report", **options)
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"nearest.png", "nearest.csv"}
    assert [path.name for path in model_dir.iterdir()] == ["network"]


def test_copying_catches_the_memoriser_alone(report):
    group, rows = report["copying"], report["references"]
    assert rows["copy"]["copying"]["share_copies"]["value"] >= 0.99
    assert group["share_copies"]["value"] <= 0.02  # noise raises no more false alarms than real images do
    assert set(group["copied_patients"]) <= set(report["dataset"]["patient_ids"]["train"])
    assert group["share_copies_real"]["value"] <= 0.02
    assert group["share_copies_real"] == rows["real"]["copying"]["share_copies"]
    assert rows["copy"]["copying"]["nearest_ssim_train"]["value"] > 0.99
    assert {"threshold", "nearest_ssim_train", "nearest_ssim_test", "share_copies_real_test"} <= set(group)


def test_a_memoriser_is_named_with_its_patients(data, cache_dir):
    train = from_split(data, "train")

    class Memoriser(NoisePipeline):
        def __call__(self, batch_size=1, generator=None, output_type="pil"):
            output = super().__call__(batch_size, generator, output_type)
            output.images = train.floats[:batch_size]  # 50 images: the first patient's 30, and 20 of the second
            return output

    report = evaluate(Memoriser(), data, groups=["copying"], num_samples=100, cache_dir=cache_dir, progress=False)
    assert report["copying"]["share_copies"]["value"] == 1
    assert report["copying"]["copied_patients"] == ["patient100", "patient101"]
    assert "distribution" not in report and "model" not in report


def test_diversity(report, data):
    group = report["diversity"]
    real = report["references"]["real"]["diversity"]
    assert group["ssim_train"] == real["ssim"] and group["ms_ssim_train"] == real["ms_ssim"]
    assert report["references"]["mean_image"]["diversity"]["ssim"]["value"] == pytest.approx(1)
    ids = from_split(data, "train").ids
    pairs = diversity.random_pairs(ids, seed=0)
    assert len(pairs) == 1000 and all(ids[i] != ids[j] for i, j in pairs.tolist())


def test_projection(report, data):
    group = report["projection"]
    targets = from_split(data, "test")[choose_images(data.dataset["test"])]
    blend = 0.9 * targets.floats + 0.05
    assert group["mse"]["value"] == pytest.approx(mse(targets.floats, blend).mean().item(), rel=1e-5)
    assert group["cc"]["value"] == pytest.approx(1) and group["mse"]["n"] == 10
    assert group["grey_0.5"]["mse"]["value"] == pytest.approx(25 * group["mse"]["value"], rel=1e-5)
    assert (group["settings"], group["latent_dimensions"], group["images"]) == ({"grey": 0.1}, 7, 120)
    copy, mean = (report["references"][row]["projection"] for row in ("copy", "mean_image"))
    brute = ((targets.floats[:, None] - from_split(data, "train").floats[None]) ** 2).mean((2, 3, 4)).min(1).values
    assert copy["mse"]["value"] == pytest.approx(brute.mean().item(), rel=1e-4)
    assert set(copy) == set(mean) == {"ssim", "cc", "mse", "psnr"}


def test_chosen_images_keep_the_proportions_of_the_split(data):
    train = data.dataset["train"]
    chosen = choose_images(train, seed=0)
    assert len(set(chosen.tolist())) == 128 and torch.equal(chosen, choose_images(train, seed=0))
    assert not torch.equal(chosen, choose_images(train, seed=1))
    picked = train.select(chosen.tolist())
    strata = list(zip(picked["pathology"], picked["slice_level"], strict=True))
    assert all(abs(strata.count(s) - 128 / 6) <= 1 for s in set(strata)) and len(set(strata)) == 6


def test_cost(report):
    cost = report["cost"]
    assert cost["parameters"] == 16 and cost["network_evaluations"] == 1
    assert cost["checkpoint_mb"] == pytest.approx(1.0, abs=0.01)
    assert cost["samples_per_second_batch_16"]["value"] > 0 and cost["peak_memory_mb"] > 10
    assert torch.__version__ in cost["hardware"]


def test_an_interrupted_evaluation_goes_on(data, model_dir, tmp_path, few_pairs):
    class Interrupted(NoisePipeline):
        def __call__(self, *args, **options):
            if self.sampled >= 60:
                raise KeyboardInterrupt
            return super().__call__(*args, **options)

    options = dict(
        groups=["diversity"], num_samples=100, batch_size=20, model_dir=model_dir, cache_dir=tmp_path, progress=False
    )
    with pytest.raises(KeyboardInterrupt):
        evaluate(Interrupted(), data, **options)
    pipe = NoisePipeline()
    resumed = evaluate(pipe, data, **options)
    assert pipe.sampled == 40
    fresh = evaluate(NoisePipeline(), data, **options | {"cache_dir": None, "batch_size": 33})
    assert resumed["diversity"] == fresh["diversity"]  # and neither cache nor batch size changes a figure
    other = evaluate(NoisePipeline(), data, **options, seed=1)
    assert other["diversity"]["ssim"] != fresh["diversity"]["ssim"]


def share(data: BuiltDataset, folder, options: dict) -> None:
    """What each of several processes does; the rank's own work and findings are left in the folder."""
    torch.set_num_threads(1)
    pipe = NoisePipeline()
    found = evaluate(pipe, data, **options)
    (folder / f"{torch.distributed.get_rank()}.json").write_text(json.dumps({"sampled": pipe.sampled, "found": found}))


def test_processes_draw_together_and_the_first_measures(data, tmp_path):
    options = {"groups": ["diversity", "cost"], "num_samples": 50, "batch_size": 8, "progress": False}
    debug_launcher(share, (data, tmp_path, options), num_processes=2)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert second == {"sampled": 24, "found": {}}  # 3 of 7 batches
    alone = evaluate(NoisePipeline(), data, **options)
    assert first["found"]["diversity"] == json.loads(json.dumps(alone["diversity"]))
    assert first["found"]["cost"]["parameters"] == 16


def test_images_without_patients_stand_for_themselves(data):
    plain = BuiltDataset(
        data.dataset.remove_columns("patient_id"), data.info | {"splits": {name: {} for name in data.dataset}}
    )
    report = evaluate(NoisePipeline(), plain, groups=["copying", "projection"], num_samples=20, progress=False)
    assert report["copying"]["share_copies_real"]["n"] == 120 and "copied_patients" not in report["copying"]
    assert report["projection"]["mse"]["n"] == 120 and "patient_ids" not in report["dataset"]


def test_duplicate_patients_count_as_one(data):
    info = data.info | {"duplicates": [["patient100", "patient101"]]}
    assert len(set(from_split(BuiltDataset(data.dataset, info), "train").ids)) == 39


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 999}, "exactly 1,000 samples, got 999"),
        ({"groups": ["beauty"]}, "unknown group 'beauty'"),
        ({"split": "train"}, "split: expected"),
        ({"groups": ["copying"], "num_samples": 1}, "num_samples"),
    ],
)
def test_bad_requests_are_refused_before_sampling(data, options, message):
    pipe = NoisePipeline()
    with pytest.raises(ZooError, match=message):
        evaluate(pipe, data, extractors=[Projector()], progress=False, **options)
    assert pipe.sampled == 0


@pytest.mark.parametrize("split", ["train", "test"])
def test_too_few_real_images_are_refused(data, split):
    small = data.dataset.copy()
    small[split] = small[split].select(range(99))
    with pytest.raises(ZooError, match=f"split {split}: group 'distribution' needs at least"):
        evaluate(NoisePipeline(), BuiltDataset(small, data.info), extractors=[Projector()], progress=False)


@pytest.mark.parametrize(("value", "message"), [(math.nan, "samples: 10 of 10 images hold NaN"), (0.5, "constant")])
def test_samples_without_content_get_no_number(data, value, message):
    class Broken(NoisePipeline):
        def __call__(self, *args, **options):
            output = super().__call__(*args, **options)
            output.images.fill_(value)
            return output

    with pytest.raises(ZooError, match=message):
        evaluate(Broken(), data, groups=["diversity"], num_samples=10, progress=False)


def test_model_of_another_size(data):
    pipe = NoisePipeline()
    pipe.sample_size = 64
    with pytest.raises(ZooError, match="32x32"):
        evaluate(pipe, data, progress=False)
