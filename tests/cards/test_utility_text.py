"""What is said of group `utility`: one table, one sentence, on the card and in a terminal."""

import pytest

from zoo.cards.model_card import render_card
from zoo.cards.utility_text import HEAD, utility_table, utility_text, verdict
from zoo.published.metrics_file import save


def figure(value: float, spread: float, **more) -> dict:
    return {"value": value, "low": value - spread, "high": value + spread, "n": 25, **more}


def change(low: float, high: float) -> dict:
    return {"value": (low + high) / 2, "low": low, "high": high, "n": 25, "std": 0.01, "per_seed": [0.0] * 3}


@pytest.fixture
def group() -> dict:
    more = {"std": 0.012, "per_seed": [0.5, 0.53, 0.56], "accuracy": figure(0.55, 0.08, std=0.01, per_seed=[0.55] * 3)}
    patient = {"patient_vote": figure(0.7, 0.15, std=0.02, per_seed=[0.7] * 3)}
    return {
        "baseline_cnn": figure(0.53, 0.09, **more, **patient, pathology={"HCM": figure(0.61, 0.2)}),
        "cas_cnn": figure(0.31, 0.08, std=0.02, gain=change(-0.3, -0.1), pathology={"HCM": figure(0.4, 0.2)}),
        "nas_cnn": figure(0.56, 0.09, std=0.02, gain=change(-0.02, 0.08), pathology={"HCM": figure(0.66, 0.2)}),
        "baseline_cnn_hcm": figure(0.8, 0.1, std=0.01),
        "nas_cnn_hcm": figure(0.81, 0.1, std=0.01, gain=change(0.005, 0.015)),
        "dice_shared_generator_5": figure(0.7, 0.05, std=0.01, real_alone=figure(0.65, 0.05), gain=change(0.02, 0.08)),
        "dice_shared_generator_100": figure(0.8, 0.02, real_alone=figure(0.82, 0.02), gain=change(-0.05, 0.01)),
        "dice_same_data_5": figure(0.66, 0.05, std=0.01, real_alone=figure(0.65, 0.05), gain=change(-0.01, 0.03)),
        "cnn": "a small network",
        "not_measured": ["nothing (no reason)"],
        "settings": {"seeds": 3},
    }


def test_table(group):
    lines = {line[0]: line[1:] for line in utility_table(group)}
    assert lines["CNN, all classes"] == [
        "53.0 ± 1.2 % [44.0, 62.0]",
        "31.0 ± 2.0 % [23.0, 39.0]",
        "56.0 ± 2.0 % [47.0, 65.0]",
        "+3.0 points [-2.0, +8.0]",
    ]
    assert lines["CNN, all classes: HCM"] == ["61.0 % [41.0, 81.0]", "40.0 % [20.0, 60.0]", "66.0 % [46.0, 86.0]", ""]
    assert lines["CNN, all classes: unbalanced"][1:] == ["", "", ""]
    assert lines["CNN, HCM against the rest"][1:] == ["", "81.0 ± 1.0 % [71.0, 91.0]", "+1.0 points [+0.5, +1.5]"]
    assert lines["Dice, 5 %: shared generator"] == [
        "0.650 [0.600, 0.700]",
        "",
        "0.700 ± 0.010 [0.650, 0.750]",
        "+0.050 [+0.020, +0.080]",
    ]
    assert "Dice, 5 %: same data" in lines  # never mixed with the other case
    assert len(lines) == 8 and all(len(line) == len(HEAD) for line in utility_table(group))


CNN = "with the samples the balanced accuracy of a CNN is 56.0 % instead of 53.0 %"
DICE = "with the samples the Dice of a segmenter is 0.800 instead of 0.820"
NOTHING = "no difference that 25 patients can show"


@pytest.mark.parametrize(
    ("classes", "dice", "sentence"),
    [
        ((0.01, 0.05), None, f"Helps: {CNN} (+3.0 points [+1.0, +5.0])."),
        ((-0.05, -0.01), None, f"Does not help: {CNN} (-3.0 points [-5.0, -1.0])."),
        ((-0.01, 0.07), None, f"N{NOTHING[1:]}: {CNN} (+3.0 points [-1.0, +7.0])."),
        ((0.0, 0.0), None, f"N{NOTHING[1:]}: {CNN} (+0.0 points [+0.0, +0.0])."),
        (
            (0.01, 0.05),
            (-0.05, 0.01),
            f"Helps: {CNN} (+3.0 points [+1.0, +5.0]); {DICE} (-0.020 [-0.050, +0.010]), {NOTHING}.",
        ),
        (
            (0.01, 0.05),
            (-0.05, -0.01),
            f"Helps and harms: {CNN} (+3.0 points [+1.0, +5.0]); {DICE} (-0.030 [-0.050, -0.010]).",
        ),
        (None, (-0.05, -0.01), f"Does not help: {DICE} (-0.030 [-0.050, -0.010])."),
    ],
)
def test_the_interval_decides_the_sentence(group, classes, dice, sentence):
    for key, bounds in (("nas_cnn", classes), ("dice_shared_generator_100", dice)):
        if bounds is None:
            del group[key]
        else:
            group[key]["gain"] = change(*bounds)
    assert verdict(group) == sentence


def test_nothing_else_decides_it(group):
    """Neither what is best among many figures, nor what samples alone are worth."""
    assert group["dice_shared_generator_5"]["gain"]["low"] > 0 and group["nas_cnn_hcm"]["gain"]["low"] > 0
    assert verdict(group).startswith("No difference that 25 patients can show: ")
    assert verdict({}) is None and verdict({"cas_cnn": figure(0.5, 0.1)}) is None


def test_terminal(group):
    said = utility_text(group)
    assert said.endswith(f"{verdict(group)}\n") and said.count("\n") > 8
    assert "change by adding samples" in said and "+3.0 points [-2.0, +8.0]" in said


@pytest.fixture
def card(dcgan, tmp_path, metrics, group):
    def render(**changes) -> str:
        dcgan.save_pretrained(tmp_path / "tiny")
        save(tmp_path / "tiny" / "metrics.json", metrics | {"utility": group | changes})
        return render_card(tmp_path / "tiny").read_text()

    return render


def test_card(card, group):
    text = card()
    section = text.split("### Usefulness\n", 1)[1].split("\n### ", 1)[0]
    assert f"\n\n**{verdict(group)}**\n\n| " in section
    assert "|  | real images alone | samples alone (CAS) | both (NAS) | change by adding samples |\n" in section
    assert "| CNN, all classes: HCM | 61.0 % [41.0, 81.0] | 40.0 % [20.0, 60.0] | 66.0 % [46.0, 86.0] |  |" in section
    assert "CNN: a small network." in section and "Settings: seeds 3." in section
    assert "Not measured: nothing (no reason)." in section
    assert f"- {verdict(group)}\n" in text.split("## Limitations\n", 1)[1]
    assert "| Dice, 5 %: same data | 0.650" in section


def test_what_helps_is_no_limitation(card, group):
    text = card(nas_cnn=group["nas_cnn"] | {"gain": change(0.01, 0.05)})
    assert "**Helps: " in text and "Helps: " not in text.split("## Limitations\n", 1)[1]
