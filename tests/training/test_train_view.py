import json

import pytest
import torch

import train_view
from zoo.errors import ZooError
from zoo.metrics.views import NAMES, OTHER, WHOLE, whole_slices
from zoo.models import ViewNet
from zoo.models.view_net import TURNS, turned

TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
sample_size: 32
block_out_channels: [8, 8, 8]
epochs: 2
batch_size: 32
learning_rate: 0.01
ema_decay: 0.5
shift_pixels: 2
known_views: [upright, quarter_right]
evaluate_every: 2
sample_every: 1
checkpoint_every: 1
"""


@pytest.fixture
def recipe(tmp_path, few_images):
    def write(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=few_images, output_dir=tmp_path / "runs", name=name))
        return ["--config", str(path)]

    return write


def test_a_run_keeps_the_best_network_with_its_threshold_and_can_be_resumed(
    recipe, tmp_path, stop_after_the_first_epoch
):
    runs = tmp_path / "runs"
    train_view.main(recipe("whole"))
    rows = [json.loads(line) for line in (runs / "whole" / "metrics.jsonl").read_text().splitlines()]
    measured = [row for row in rows if "validation_missed" in row]
    assert len(measured) == 1 and all(0 <= row["told_mirrored_slice"] <= 1 for row in measured)
    network = ViewNet.from_pretrained(runs / "whole" / "pipeline")
    assert network.config.class_names == NAMES and network.config.pixel_spacing_mm == 2.0
    assert network.config.threshold < 0 and network.config.known == [0, 3]
    metrics = json.loads((runs / "whole" / "pipeline" / "metrics.json").read_text())
    assert metrics["model"] == {"name": "whole", "family": "view"}

    with stop_after_the_first_epoch():
        train_view.main(recipe("parts"))
    train_view.main([*recipe("parts"), "--resume"])
    again = ViewNet.from_pretrained(runs / "parts" / "pipeline").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in network.state_dict().items())


def test_what_is_no_turn_is_refused(recipe):
    with pytest.raises(ZooError, match="recipe: known_views: expected some of upright, .*, got 'whole'"):
        train_view.main([*recipe("odd"), "--known_views", "[whole]"])


@pytest.fixture
def settings():
    shares = {"share_whole": 0.0, "share_beside": 0.0, "share_clouds": 0.0}
    return train_view.ViewRecipe(name="a", dataset="b", sample_size=32, block_out_channels=[8], **shares)


def test_views_are_named_by_what_was_done(settings, few_images):
    import zoo.datasets

    slices = whole_slices(zoo.datasets.load(few_images), "train")
    images, centers = slices.images, slices.centers
    torch.manual_seed(0)
    shown, labels = train_view.draw_views(images, centers, settings)
    upright = 2 * slices.cut(32) - 1
    for image, label, expected in zip(shown, labels.tolist(), upright, strict=True):
        torch.testing.assert_close(image, turned(expected, label), atol=1e-4, rtol=0)
    assert len(set(labels.tolist())) == TURNS
    for name, label in (("share_whole", WHOLE), ("share_beside", OTHER), ("share_clouds", OTHER)):
        shown, labels = train_view.draw_views(images, centers, settings.model_copy(update={name: 1.0}))
        assert set(labels.tolist()) == {label} and shown.abs().max() <= 1
        assert shown.std() > 0.05
