from types import SimpleNamespace

import pytest
import torch

from zoo.metrics.anatomy import Hearts
from zoo.metrics.asked import asked_classes, shared_conditions
from zoo.metrics.conditioning import accuracy, ordering_figures, ordering_kept
from zoo.pipelines import sample_generators
from zoo.published.networks import Judge

PATHOLOGIES = ["NOR", "HCM", "DCM"]


def classifier(**class_names) -> Judge:
    config = SimpleNamespace(conditions=list(class_names), class_names=class_names)
    return Judge("classifier", SimpleNamespace(config=config), "0" * 64)


def test_accuracy_and_that_of_each_class():
    predicted, asked = torch.tensor([0, 0, 1, 2, 1, 1]), torch.tensor([0, 1, 1, 2, 3, 0])  # the fifth was left open
    found = accuracy(predicted, asked, PATHOLOGIES, "pathology", list("abcdef"))
    assert found["value"] == pytest.approx(3 / 5) and found["n"] == 5
    shares = {name: figure["value"] for name, figure in found["pathology"].items()}
    assert shares == {"NOR": 0.5, "HCM": 0.5, "DCM": 1.0}
    assert list(accuracy(predicted[:1], asked[:1], PATHOLOGIES, "pathology", ["a"])["pathology"]) == ["NOR"]


def test_what_was_asked_for_is_what_the_pipeline_drew(conditional_ddpm):
    pipe = conditional_ddpm
    asked = asked_classes(pipe, {"phase": "ES"}, seed=5, count=40)
    names, phase = asked["phase"]
    assert names == ["ED", "ES"] and (phase == 1).all()
    drawn = pipe.draw_labels(None, {}, sample_generators(5, range(40)))[:, 0]
    assert torch.equal(asked["pathology"][1], drawn) and len(set(drawn.tolist())) == 2
    given = asked_classes(pipe, {"class_labels": "HCM", "num_inference_steps": 2}, seed=5, count=3)
    assert given["pathology"][1].tolist() == [1, 1, 1]
    # and the images are those of these classes
    free = pipe(3, generator=sample_generators(5, range(3)), output_type="pt").images
    named = pipe(3, class_labels=drawn[:3].tolist(), generator=sample_generators(5, range(3)), output_type="pt").images
    assert torch.equal(free, named)


def test_an_unconditional_pipeline_was_asked_for_nothing(dcgan):
    assert asked_classes(dcgan, {}, 0, 4) == {}
    assert shared_conditions(dcgan, classifier(pathology=["NOR", "HCM"])) == []


def test_conditions_that_both_know(conditional_ddpm):
    known = {"pathology": ["NOR", "HCM"], "phase": ["ED", "ES"]}
    assert shared_conditions(conditional_ddpm, classifier(**known)) == ["pathology", "phase"]
    assert shared_conditions(conditional_ddpm, classifier(**known | {"phase": ["ES", "ED"]})) == ["pathology"]
    assert shared_conditions(conditional_ddpm, classifier(phase=["ED", "ES"])) == []  # not the first of them
    assert shared_conditions(conditional_ddpm, None) == []


def hearts(walls: dict[str, float], cavities: dict[str, float], level: int = 1) -> Hearts:
    index = torch.arange(3)
    measures = {
        "wall_thickness_mm": torch.tensor([walls[name] for name in PATHOLOGIES]),
        "cavity_area_mm2": torch.tensor([cavities[name] for name in PATHOLOGIES]),
    }
    levels = (["basal", "mid", "apical"], torch.full((3,), level))
    return Hearts(measures, list("abc"), {"pathology": (PATHOLOGIES, index), "slice_level": levels})


def test_the_order_of_pathologies():
    walls, cavities = {"NOR": 9.0, "HCM": 15.0, "DCM": 8.0}, {"NOR": 1200.0, "HCM": 1100.0, "DCM": 3000.0}
    kept = hearts(walls, cavities)
    assert ordering_kept(kept) is True
    thin, narrow = hearts(walls | {"HCM": 8.5}, cavities), hearts(walls, cavities | {"DCM": 1150.0})
    assert ordering_kept(thin) is False and ordering_kept(narrow) is False
    assert ordering_kept(hearts(walls, cavities, level=2)) is None  # no mid slice
    assert ordering_kept(hearts(walls | {"DCM": float("nan")}, cavities)) is None
    figures = ordering_figures(thin, kept)
    assert (figures["ordering_kept"], figures["ordering_kept_real"]) == (False, True) and "HCM" in figures["ordering"]


def test_without_classes_there_is_no_order():
    bare = hearts({name: 1.0 for name in PATHOLOGIES}, {name: 1.0 for name in PATHOLOGIES})
    bare = Hearts(bare.measures, bare.ids, {"pathology": bare.classes["pathology"]})
    assert ordering_figures(bare, bare) == {}
