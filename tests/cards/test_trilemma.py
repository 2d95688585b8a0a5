"""The figure of quality over speed."""

import copy

import pytest
from matplotlib.text import Text
from PIL import Image

from zoo.cards import trilemma
from zoo.errors import ZooError
from zoo.published.metrics_file import save


@pytest.fixture
def folders(tmp_path, metrics):
    """A slow good model, a quick bad one whose coverage is known, and one that has no speed."""
    quick, timeless = copy.deepcopy(metrics), copy.deepcopy(metrics)
    quick["distribution"]["fd_efficientnet_lite0"]["ratio_to_real"] = 5.0
    quick["distribution"]["coverage_efficientnet_lite0"] = {"value": 1.0, "low": 0.9, "high": 1.0, "n": 25}
    metrics["cost"]["samples_per_second_batch_16"]["value"] = 2.0
    del timeless["cost"]
    for name, content in (("slow", metrics), ("quick", quick), ("timeless", timeless)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model_index.json").write_text('{"_class_name": ["pipeline", "X"]}')
        save(tmp_path / name / "metrics.json", content)
    return [tmp_path / name for name in ("slow", "quick", "timeless")]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved, by what is drawn in them."""
    from matplotlib.figure import Figure

    kept, savefig = [], Figure.savefig

    def keep(self, *arguments, **options):
        kept.append(self)
        savefig(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept


def test_each_model_is_a_labelled_point_and_each_reference_a_line(folders, drawn, tmp_path):
    path = trilemma.draw_trilemma(folders, tmp_path / "new" / "figure.png")
    with Image.open(path) as picture:
        assert picture.size == (1350, 900)
    axis = drawn[0].axes[0]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    points = {tuple(point.get_offsets()[0]): tuple(point.get_facecolor()[0][:3]) for point in axis.collections}
    assert set(points) == {(2.0, 2.5), (1502.0, 5.0)}
    grey, yellow = points[2.0, 2.5], points[1502.0, 5.0]
    assert len(set(grey)) == 1 and yellow[0] > 0.9 > 0.2 > yellow[2]  # not measured, and full coverage
    labels = {text.get_text(): text.xy for text in axis.texts}
    assert labels["slow"] == (2.0, 2.5) and labels["quick"] == (1502.0, 5.0) and "timeless" not in labels
    assert labels["real images"][1] == 1 and labels["mean image"][1] == pytest.approx(343 / 34)
    assert {line.get_ydata()[0] for line in axis.lines} == {labels[row][1] for row in labels if "image" in row}


def test_labels_of_models_at_one_place_do_not_lie_on_each_other(folders, drawn, tmp_path):
    save(folders[1] / "metrics.json", trilemma.results(folders[:1])[0][1][-1][1])  # the same figures
    trilemma.draw_trilemma(folders[:2], tmp_path / "figure.png")
    figure = drawn[0]
    names = [text for text in figure.axes[0].texts if text.get_text() in ("slow", "quick")]
    boxes = [Text.get_window_extent(name) for name in names]  # of an annotation it would take in the arrow
    assert len(boxes) == 2 and not boxes[0].overlaps(boxes[1])


def test_refusals(folders, tmp_path):
    with pytest.raises(ZooError, match="no model has an FID and a speed"):
        trilemma.draw_trilemma(folders[2:], tmp_path / "figure.png")
    with pytest.raises(ZooError, match="figure.txt: expected a picture, such as figure.png"):
        trilemma.draw_trilemma(folders, tmp_path / "figure.txt")
    assert not list(tmp_path.glob("figure*"))
