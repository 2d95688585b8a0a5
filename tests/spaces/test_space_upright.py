"""Is the heart upright? What is turned, mirrored, too wide or something else is told, and nothing is measured in it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import zoo.datasets
from zoo.metrics.views import NAMES
from zoo.models.view_net import turned
from zoo.published.networks import load_judge

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / "outputs" / "data" / "acdc-64"
SPACING = (2.0, 2.0)


@pytest.fixture(scope="module")
def segmenter():
    return load_judge(ROOT / "model_cards" / "segmenter-acdc-64", "segmenter")


@pytest.fixture(scope="module")
def view():
    return load_judge(ROOT / "model_cards" / "view-acdc-64", "view")


class Saying:
    """A network of views that says the same of every image; of a stack, one thing after the other."""

    def __init__(self, *names: str):
        self.names = names
        config = SimpleNamespace(sample_size=64, pixel_spacing_mm=2.0, class_names=NAMES, known=[0, 3], threshold=-1.0)
        self.network = SimpleNamespace(config=config, known=lambda said: said[:, [0, 3]].logsumexp(1))

    def views(self, images: torch.Tensor) -> torch.Tensor:
        assert images.shape[1:] == (1, 64, 64) and images.dtype == torch.uint8
        said = torch.full((len(images), len(NAMES)), -9.0)
        for i in range(len(images)):
            said[i, NAMES.index(self.names[i % len(self.names)])] = -0.01
        return said


def measured(images, segmenter, view, spacing=SPACING):
    from measuring import measure
    from uploads import Stack

    stack = Stack(np.stack(images).astype(np.float32) / 255, spacing, 8.0, "a test")
    return list(measure(stack, None, segmenter, view))[-1]


def problems(*arguments) -> set[str]:
    return {verdict.problem for verdict in measured(*arguments).verdicts}


def test_what_is_wrong_is_told_in_words_and_nothing_is_measured(heart, segmenter):
    from measuring import measured_html

    laid = np.rot90(heart, 2).copy()
    found = measured([laid], segmenter, Saying("half"))
    assert found.verdicts[0].problem == "it looks turned by 180°" and found.values(0) == {}
    html = measured_html(found)
    assert "It looks turned by 180°. Nothing is measured." in html and " mm²" not in html and "<table" not in html
    mirrored = heart[:, ::-1].copy()
    assert problems([mirrored], segmenter, Saying("mirrored")) == {"it looks mirrored: left and right are exchanged"}
    whole = "it looks like more than a heart: crop it to the heart"
    assert problems([heart], segmenter, Saying("whole")) == {whole}
    (unknown,) = problems([heart], segmenter, Saying("whole"), None)
    assert unknown.startswith(whole) and "say how large a pixel is" in unknown
    assert problems([heart], segmenter, Saying("other")) == {"it does not look like a heart in short axis"}


def test_as_the_data_lie_is_fine(heart, segmenter):
    for name in ("upright", "quarter_right"):
        assert problems([heart], segmenter, Saying(name)) == {""}


def test_a_turn_is_told_only_of_what_is_a_heart_once_it_is_put_right(segmenter):
    picture = np.random.default_rng(0).integers(256, size=(64, 64), dtype=np.uint8)
    assert problems([picture], segmenter, Saying("half")) == {"it does not look like an upright heart in short axis"}


def test_of_a_stack_the_mean_over_its_slices_says_it(heart, segmenter):
    from upright import wrong_view

    images = torch.from_numpy(np.stack([heart[:, ::-1]] * 3))
    told = wrong_view(images, images, Saying("mirrored", "mirrored", "upright"), segmenter, True)
    assert told == "it looks mirrored: left and right are exchanged"


def test_without_such_a_network_the_page_says_that_it_was_not_checked(heart, segmenter):
    from measuring import measured_html

    found = measured([heart], segmenter, None)
    assert found.verdicts[0].problem == "" and "Which way it lies was not checked" in measured_html(found)
    assert "not checked" not in measured_html(measured([heart], segmenter, Saying("upright")))


def test_a_drawn_heart_is_upright(heart, segmenter, view):
    """As the examples of the page are."""
    assert problems([heart], segmenter, view) == {""}


@pytest.mark.skipif(not (REAL / "zoo_dataset.json").is_file(), reason="needs the ACDC dataset in outputs/data/acdc-64")
def test_real_volumes_are_told_apart(segmenter, view):
    from measuring import measured_html

    rows = zoo.datasets.load(REAL).dataset["validation"]
    first = [i for i, name in enumerate(rows["patient_id"][:]) if name == rows[0]["patient_id"]]
    volume = [np.asarray(rows[i]["image"]) for i in first if rows[i]["frame"] == rows[0]["frame"]]
    assert "" in problems(volume, segmenter, view)
    said = {2: "it looks turned by 180°", 4: "it looks mirrored: left and right are exchanged"}
    for turn, words in said.items():
        laid = turned(torch.from_numpy(np.stack(volume)), turn).numpy()
        found = measured(laid, segmenter, view)
        assert {verdict.problem for verdict in found.verdicts} == {words}
        assert words[3:] in measured_html(found)
