"""The schema of `metrics.json`: what it accepts, what it refuses and in which words, and models with damaged JSON."""

import json
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.metrics.intervals import mean_figure
from zoo.published.metrics_file import read, save

ROOT = Path(__file__).resolve().parents[2] / "model_cards"
PUBLISHED = sorted(ROOT.glob("*/metrics.json"))
NAN = float("nan")


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.parent.name)
def test_published_figures_pass(file):
    assert read(file)["schema_version"] == 1


def test_what_may_join(tmp_path, metrics):
    import torch

    metrics["control"] = {"segmenter": "s", "mask_dice_LV": mean_figure(torch.rand(9), list("abcabcabc"))}
    metrics["control"]["wall_thickness_mae_mm"] = {"value": 1, "low": 0.5, "high": 2.0, "n": 9}
    metrics["training"] |= {"optimizer_restarts": 1, "selected_by": {"kid": 0.1}, "notes": "more", "epochs": 3}
    metrics["samples"]["settings"] = {"sizes": (1, 2), "scheduler": None}
    save(tmp_path / "metrics.json", metrics)
    assert read(tmp_path / "metrics.json")["samples"]["settings"]["sizes"] == [1, 2]  # a list where a tuple was meant


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("distribution.fd_efficientnet_lite0.value", NAN, "expected a finite number, got nan"),
        ("distribution.fd_efficientnet_lite0.low", float("inf"), "expected a finite number, got inf"),
        ("distribution.fd_efficientnet_lite0.value", [1.0], r"expected a valid number, got \[1.0\]"),
        ("distribution.fd_efficientnet_lite0.value", "85", "expected a valid number, got '85'"),
        ("distribution.fd_efficientnet_lite0.ratio_to_real", "2", "expected a valid number, got '2'"),
        ("distribution.fd_efficientnet_lite0.n", 0, "expected greater than or equal to 1, got 0"),
        ("distribution.fd_efficientnet_lite0.low", 90.0, "expected low of at most high, got 90.0 and 87.0"),
        ("distribution.fd_efficientnet_lite0", 85.0, "expected a figure, got 85.0"),
        ("copying.threshold", "low", "expected"),
        ("projection.ssim.high", None, "expected a valid number, got None"),
        ("cost.parameters", 1.5, "expected a valid integer, got 1.5"),
        ("dataset.patient_ids.train", "patient001", "expected a valid list, got 'patient001'"),
        ("references.real.diversity.ms_ssim.value", NAN, "expected a finite number"),
        ("training.seconds", NAN, "expected a finite number"),
        ("training.notes", NAN, "expected a finite number"),
        ("likeness", {}, "unknown, expected one of projection"),
        ("anatomy", {"wall_thickness_cm": {"value": 1.0}}, "wall_thickness_cm: unknown unit 'cm', expected one of mm"),
    ],
)
def test_what_is_refused(tmp_path, metrics, path, value, words):
    """When it is read, and when it is written, with the file and the field."""
    place = metrics
    *parents, last = path.split(".")
    for part in parents:
        place = place[part]
    place[last] = value
    field = path.rpartition(".")[0] if "at most high" in words else path
    file = tmp_path / "metrics.json"
    with pytest.raises(ZooError, match=f"metrics.json: {field}: {words}"):
        save(file, metrics)
    assert not file.exists()
    file.write_text(json.dumps(metrics))
    with pytest.raises(ZooError, match=f"metrics.json: {field}: {words}"):
        read(file)
