"""The groups `anatomy` and `conditioning` on a card: shares in per cent, distances, and a table by class."""

import pytest

from zoo.cards.model_card import render_card
from zoo.published.metrics_file import save


def figure(value: float, spread: float, **more) -> dict:
    return {"value": value, "low": value - spread, "high": value + spread, "n": 25, **more}


@pytest.fixture
def card(dcgan, tmp_path, metrics) -> str:
    by_class = {"HCM": figure(13.4, 0.5, wasserstein_to_real=1.25), "NOR": figure(9.25, 0.5)}
    metrics["anatomy"] = {
        "segmenter": "segmenter-acdc-64 (sha256 ab…)",
        "segmenter_dice": figure(0.887, 0.013),
        "ring_closed": figure(0.602, 0.03, wasserstein_to_real=0.185, slice_level={"mid": figure(0.674, 0.05)}),
        "ring_closed_real": figure(0.787, 0.1, slice_level={"mid": figure(0.957, 0.04)}),
        "wall_thickness_mm": figure(10.3, 0.2, wasserstein_to_real=0.887, pathology=by_class),
        "wall_thickness_mm_real": figure(9.7, 0.7, pathology={"HCM": figure(13.1, 1.0)}),
    }
    metrics["conditioning"] = {
        "class_accuracy": figure(0.233, 0.02, pathology={"HCM": figure(0.333, 0.06)}),
        "class_accuracy_real": figure(0.605, 0.18),
        "ordering_kept": True,
        "ordering_kept_real": False,
        "ordering": "HCM has the thickest walls",
    }
    metrics["references"]["real"]["anatomy"] = {"wall_thickness_mm": figure(10.4, 0.5, wasserstein_to_real=0.667)}
    dcgan.save_pretrained(tmp_path / "tiny")
    save(tmp_path / "tiny" / "metrics.json", metrics)
    return render_card(tmp_path / "tiny").read_text()


def section(card: str, title: str) -> str:
    return card.split(f"### {title}\n", 1)[1].split("\n### ", 1)[0]


def test_figures_stand_beside_those_of_real_images(card):
    anatomy = section(card, "Anatomy")
    assert "|  | this model | real images |\n" in anatomy
    assert "| share with a closed ring | 60.2 % [57.2, 63.2], 18.5 points from real |  |" in anatomy
    assert "| share with a closed ring, real images of the split | 78.7 % [68.7, 88.7] |  |" in anatomy
    wall = "| wall thickness (mm) | 10.3 [10.1, 10.5], 0.887 from real | 10.4 [9.9, 10.9], 0.667 from real |"
    assert wall in anatomy
    assert "| Dice of the segmenter itself | 0.887 [0.874, 0.900] |" in anatomy
    assert "Segmenter: segmenter-acdc-64 (sha256 ab…)." in anatomy


def test_classes_have_a_table_of_their_own(card):
    anatomy = section(card, "Anatomy")
    assert "|  | mid | HCM | NOR |\n|---|---:|---:|---:|\n" in anatomy
    assert "| share with a closed ring | 67.4 % [62.4, 72.4] |  |  |" in anatomy
    assert "| wall thickness (mm) |  | 13.4 [12.9, 13.9] | 9.25 [8.75, 9.75] |" in anatomy
    assert "| wall thickness (mm), real images of the split |  | 13.1 [12.1, 14.1] |  |" in anatomy
    assert "By class" not in section(card, "Variety")


def test_asked_for_classes(card):
    conditioning = section(card, "Asked-for classes")
    assert "| class accuracy | 23.3 % [21.3, 25.3] |" in conditioning
    assert "| class accuracy, real images of the split | 60.5 % [42.5, 78.5] |" in conditioning
    assert "| ordering kept | yes |" in conditioning
    assert "| ordering kept, real images of the split | no |" in conditioning
    assert "Ordering: HCM has the thickest walls." in conditioning


def test_the_share_of_closed_rings_is_a_limitation(card):
    limits = card.split("## Limitations\n", 1)[1]
    assert (
        "By the segmenter 60.2 % [57.2, 63.2] of its slices have a closed myocardial ring, of real ones 78.7 %"
        in limits
    )
    assert "has not been measured" not in limits
