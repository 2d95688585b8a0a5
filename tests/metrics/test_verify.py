"""Published figures computed again: what agrees, what does not, and what cannot be tricked."""

import copy
import json

import pytest
import torch
from metric_fakes import NoisePipeline, Projector

from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.metrics import diversity, evaluate
from zoo.metrics.verify import OTHER_MACHINE, SAME_MACHINE, verify

GROUPS = ["cost", "copying", "diversity", "projection", "items"]


@pytest.fixture(scope="module", autouse=True)
def few_pairs():
    """In what is published as in what is computed again: the protocol's 1,000 take a while."""
    pairs = diversity.random_pairs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diversity, "random_pairs", lambda ids, seed: pairs(ids, seed, 20))
        yield


@pytest.fixture(scope="module")
def published(data, model_dir, cache_dir):
    """As read from the file: 40 samples by a setting that is not the default."""
    options = {"num_samples": 40, "seed": 3, "settings": {"strength": 0.7}, "groups": GROUPS, "progress": False}
    report = evaluate(NoisePipeline(), data, model_dir=model_dir, cache_dir=cache_dir, **options)
    return json.loads(json.dumps(report))


@pytest.fixture
def metrics(published):
    return copy.deepcopy(published)


@pytest.fixture
def check(data, model_dir):
    """Verifies without a cache: everything is computed again."""

    def check(metrics, pipe=None, data=data, **options):
        return verify(pipe or NoisePipeline(), data, metrics, model_dir, progress=False, **options)

    return check


def named(result) -> list[str]:
    return [difference.figure for difference in result.differences]


def test_true_figures_hold(check, metrics):
    pipe = NoisePipeline()
    result = check(metrics, pipe)
    assert named(result) == [] and result.compared > 100
    assert result.same_machine and result.tolerance == SAME_MACHINE
    assert pipe.sampled >= 40  # nothing was taken from the evaluation's cache
    assert any("speed, memory and seconds" in reason for reason in result.not_verified)


def test_all_groups_with_an_extractor(data, model_dir, cache_dir):
    options = {"extractors": [Projector()], "model_dir": model_dir, "groups": ["distribution"], "progress": False}
    metrics = json.loads(json.dumps(evaluate(NoisePipeline(), data, **options)))
    arguments = [NoisePipeline(), data, metrics, model_dir]
    result = verify(*arguments, extractors=[Projector()], cache_dir=cache_dir, progress=False)
    assert named(result) == [] and not result.same_machine  # `cost` was not measured: no machine is named
    metrics["references"]["real"]["distribution"]["kid_projector"]["value"] += 0.01
    metrics["distribution"]["fd_projector"]["ratio_to_real"] *= 0.9
    result = verify(*arguments, extractors=[Projector()], cache_dir=cache_dir, progress=False)
    assert named(result) == [
        "distribution.fd_projector.ratio_to_real",
        "references.real.distribution.kid_projector.value",
    ]
    with pytest.raises(ZooError, match="extractors: unknown 'projector', expected one of efficientnet_lite0"):
        verify(*arguments, progress=False)


def scaled(group: str, figure: str, part: str, factor: float):
    def tamper(metrics):
        metrics[group][figure][part] *= factor

    return tamper


def put(value, *path):
    def tamper(metrics):
        *parents, last = path
        for key in parents:
            metrics = metrics[key]
        metrics[last] = value

    return tamper


TAMPERED = {
    "a value": (scaled("projection", "ssim", "value", 1.002), "projection.ssim.value"),
    "a widened bound": (scaled("diversity", "ms_ssim", "high", 3), "diversity.ms_ssim.high"),
    "an endless bound": (put(1e300, "diversity", "ssim", "high"), "diversity.ssim.high"),
    "no number": (put(float("nan"), "projection", "mse", "value"), "projection.mse.value"),
    "a text": (put("0.1", "projection", "psnr", "value"), "projection.psnr.value"),
    "a removed bound": (lambda metrics: metrics["projection"]["cc"].pop("low"), "projection.cc.low"),
    "an invented figure": (put(0.99, "diversity", "beauty"), "diversity.beauty"),
    "a reference row": (
        put(0.5, "references", "mean_image", "projection", "cc", "value"),
        "references.mean_image.projection.cc.value",
    ),
    "a share": (put(0.1, "copying", "share_copies", "value"), "copying.share_copies.value"),
    "a count": (put(11, "projection", "mse", "n"), "projection.mse.n"),
    "a method": (put("by magic", "projection", "method"), "projection.method"),
    "parameters": (put(15, "cost", "parameters"), "cost.parameters"),
    "an item": (put(0.123, "items", "samples", "mean", 5), "items.samples.mean.5"),
    "a shortened list": (lambda metrics: metrics["items"]["projection"]["ssim"].pop(), "items.projection.ssim.3"),
    "the family": (put("diffusion", "model", "family"), "model.family"),
    "the patients": (put(["patient001"], "dataset", "patient_ids", "test"), "dataset.patient_ids.test"),
}


def test_tampered_figures_are_named_and_no_others(check, metrics):
    for tamper, _ in TAMPERED.values():
        tamper(metrics)
    result = check(metrics)
    assert sorted(named(result)) == sorted(figure for _, figure in TAMPERED.values())
    by_name = {difference.figure: difference for difference in result.differences}
    widened = by_name["diversity.ms_ssim.high"]
    assert widened.allowed == pytest.approx(SAME_MACHINE * widened.recomputed)  # the file has no say in it
    assert by_name["projection.cc.low"].published is None and by_name["diversity.beauty"].recomputed is None


def test_changed_settings_give_other_figures(check, metrics, cache_dir):
    metrics["samples"]["settings"]["strength"] = 0.5
    names = named(check(metrics, cache_dir=cache_dir, groups=["diversity"]))
    assert {"diversity.ssim.value", "diversity.ms_ssim.value"} <= set(names)


@pytest.mark.parametrize(
    ("tamper", "figure"),
    [
        (put("0" * 64, "model", "sha256", "network/weights.safetensors"), "model.sha256.network/weights.safetensors"),
        (put({}, "model", "sha256"), "model.sha256.network/weights.safetensors"),
        (put("float16", "samples", "settings", "dtype"), "samples.settings.dtype"),
        (put("f" * 64, "dataset", "fingerprint"), "dataset.fingerprint"),
    ],
)
def test_another_model_or_dataset_is_told_before_anything_is_computed(check, metrics, tamper, figure):
    tamper(metrics)
    pipe = NoisePipeline()
    assert named(check(metrics, pipe)) == [figure]
    assert pipe.sampled == 0


def test_a_dataset_of_another_content(check, metrics, data):
    other = BuiltDataset(data.dataset, data.info | {"fingerprint": "a" * 64})
    assert named(check(metrics, data=other)) == ["dataset.fingerprint"]


def test_another_machine_is_allowed_two_per_cent_and_one_borderline_patient(check, metrics, cache_dir):
    metrics["cost"]["hardware"] = "an abacus"
    metrics["projection"]["ssim"]["value"] *= 1.015
    metrics["copying"]["copied_patients"] = ["patient100"]
    result = check(metrics, cache_dir=cache_dir, groups=["projection", "copying"])
    assert result.tolerance == OTHER_MACHINE and named(result) == []
    metrics["projection"]["ssim"]["value"] *= 1.015
    assert named(check(metrics, cache_dir=cache_dir, groups=["projection"])) == ["projection.ssim.value"]


def test_the_number_of_threads_makes_no_other_machine(check, metrics, cache_dir):
    threads = f"{torch.get_num_threads()} threads"
    assert threads in metrics["cost"]["hardware"]
    metrics["cost"]["hardware"] = metrics["cost"]["hardware"].replace(threads, "99 threads")
    assert check(metrics, cache_dir=cache_dir, groups=["diversity"]).same_machine


def test_quick_replays_sixteen_samples_and_four_projections(check, metrics):
    pipe = NoisePipeline()
    result = check(metrics, pipe, quick=True)
    assert named(result) == [] and pipe.sampled == 16
    metrics["items"]["projection"]["ssim"][2] -= 0.01
    metrics["diversity"]["ssim"]["value"] = 0.9  # not looked at
    assert named(check(metrics, quick=True)) == ["items.projection.ssim.2"]
    assert "cost, copying, diversity, projection: not asked for" in result.not_verified


def test_items_are_small_and_those_of_the_first_samples(published, data):
    items = published["items"]
    assert len(json.dumps(items)) < 4000
    assert {key: len(values) for key, values in items["samples"].items()} == {
        "mean": 16,
        "nearest_ssim_train": 16,
        "copy_ratio": 16,
    }
    assert items["projection"]["place"] == [0, 39, 79, 119]
    # Of a single image each: the mean over the first samples agrees with the group that measures all of them
    few = evaluate(
        NoisePipeline(), data, num_samples=16, seed=3, settings={"strength": 0.7}, groups=["copying"], progress=False
    )
    mean = sum(items["samples"]["nearest_ssim_train"]) / 16
    assert mean == pytest.approx(few["copying"]["nearest_ssim_train"]["value"], abs=1e-6)


@pytest.mark.parametrize(
    ("tamper", "options", "message"),
    [
        (lambda metrics: metrics.pop("items"), {"quick": True}, "no group 'items' that can be verified"),
        (lambda metrics: None, {"groups": ["beauty"]}, "no group 'beauty' that can be verified, it has cost, copying"),
        (lambda metrics: metrics["dataset"].pop("split"), {}, "dataset.split: expected str, got None"),
        (put("many", "samples", "count"), {}, "samples.count: expected int, got 'many'"),
        (lambda metrics: [metrics.pop(group) for group in GROUPS], {}, "no figures; run `cardiac-zoo evaluate`"),
    ],
)
def test_files_that_cannot_be_verified(check, metrics, tamper, options, message):
    tamper(metrics)
    with pytest.raises(ZooError, match=message):
        check(metrics, **options)
