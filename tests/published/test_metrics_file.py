"""Reading metrics files and adding to them."""

import copy
import json

import pytest

from zoo.errors import ZooError
from zoo.published.metrics_file import load_metrics, merge_metrics, save


def measured(metrics: dict, *groups: str) -> dict:
    """What an evaluation of some groups would answer, with other figures."""
    found = {key: copy.deepcopy(metrics[key]) for key in ("model", "dataset", "samples", *groups)}
    found["references"] = {"real": {group: {"new": {"value": 1}} for group in groups}}
    return {"schema_version": 1, **found}


def test_round_trip(tmp_path, metrics):
    save(tmp_path / "metrics.json", metrics)
    assert load_metrics(tmp_path) == metrics


def test_nothing_measured(tmp_path):
    assert load_metrics(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON"),
        ("[]", "schema_version: expected 1"),
        ('{"schema_version": 2}', "schema_version: expected 1"),
        ('{"schema_version": 1, "cost": 3}', "cost: expected a group of figures, got 3"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(ZooError, match=f"metrics.json: {message}"):
        load_metrics(tmp_path)


def test_a_group_is_replaced_and_the_others_are_kept(metrics):
    new = measured(metrics, "diversity")
    new["diversity"] = {"ms_ssim": {"value": 0.5}}
    merged = merge_metrics(metrics, new)
    assert merged["diversity"] == {"ms_ssim": {"value": 0.5}}
    assert merged["distribution"] == metrics["distribution"]
    assert merged["training"] == metrics["training"]
    assert merged["references"]["real"] == {
        "distribution": metrics["references"]["real"]["distribution"],
        "diversity": {"new": {"value": 1}},
    }
    assert merged["references"]["copy"] == metrics["references"]["copy"]
    json.dumps(merged)


def test_projections_need_no_samples(metrics):
    new = measured(metrics, "projection")
    del new["samples"]
    merged = merge_metrics(metrics, new)
    assert merged["samples"] == metrics["samples"]
    assert "distribution" in merged


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("model", "sha256", {"generator_model/x.safetensors": "00"}),
        ("dataset", "fingerprint", "0" * 64),
        ("dataset", "split", "validation"),
        ("samples", "seed", 1),
    ],
)
def test_figures_of_something_else_are_dropped(metrics, group, key, value):
    new = measured(metrics, "diversity")
    new[group][key] = value
    merged = merge_metrics(metrics, new)
    assert "distribution" not in merged and "copy" not in merged["references"]
    assert merged["training"] == metrics["training"]
    assert merged[group][key] == value


def test_the_first_measurement_keeps_the_name_of_the_training(metrics):
    old = {"schema_version": 1, "model": {"name": "tiny", "family": "dcgan"}, "training": {"seed": 7}}
    new = measured(metrics, "diversity")
    new["model"]["name"] = "pipeline"
    merged = merge_metrics(old, new)
    assert merged["model"] == {**metrics["model"], "name": "tiny"}
    assert merged["training"] == {"seed": 7}
    assert merge_metrics({}, new)["model"]["name"] == "pipeline"


def test_another_extractor_adds_its_figures(metrics):
    """FID, measured later, stands beside the other distances, and those are kept in the reference rows as well."""
    metrics["copying"]["mifid_efficientnet_lite0"] = {"value": 90.0}
    new = measured(metrics)
    new["distribution"] = {"fid_inception_v3": {"value": 70.0}}
    new["copying"] = {"share_copies": {"value": 0.5}, "mifid_inception_v3": {"value": 71.0}}
    new["extractors"] = {"inception_v3": {"dimensions": 2048}}
    new["references"]["real"] = {"distribution": {"fid_inception_v3": {"value": 30.0}}}
    merged = merge_metrics(metrics, new)
    assert merged["distribution"] == {**metrics["distribution"], **new["distribution"]}
    assert merged["copying"] == {"mifid_efficientnet_lite0": {"value": 90.0}, **new["copying"]}
    real = merged["references"]["real"]
    assert set(real["distribution"]) == {"fd_efficientnet_lite0", "kid_efficientnet_lite0", "fid_inception_v3"}
    assert set(merged["extractors"]) == {"efficientnet_lite0", "inception_v3"}


def test_the_same_extractor_replaces_its_figures(metrics):
    new = measured(metrics, "distribution")
    new["distribution"] = {"fd_efficientnet_lite0": {"value": 1.0}}
    new["extractors"] = metrics["extractors"]
    assert merge_metrics(metrics, new)["distribution"] == {"fd_efficientnet_lite0": {"value": 1.0}}
