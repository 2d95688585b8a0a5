"""Training the model of label maps and both stages of the one that paints on them, as typed."""

import json

import pytest
import torch

import train_anatomy
import train_hearts
import zoo
import zoo.datasets
from common.quantities import quantities_of, quantity_ranges
from train_anatomy import DistanceMaps, moved
from zoo.anatomy import QUANTITIES
from zoo.errors import ZooError

TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
conditions: [pathology]
epochs: 2
batch_size: 16
mixed_precision: "no"
block_out_channels: [32, 32]
patch_size: 8
attention_levels: []
num_inference_steps: 2
ema_decay: 0.9
rotation_degrees: 10
zoom: 0.1
evaluate_every: 1
sample_every: 2
checkpoint_every: 1
"""


@pytest.fixture
def write(tmp_path, few_images):
    def write(name: str, more: str = "") -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=few_images, output_dir=tmp_path / "runs", name=name) + more)
        return ["--config", str(path)]

    return write


@pytest.fixture
def validation(few_images):
    return zoo.datasets.load(few_images).dataset["validation"]


def test_all_stages_end_in_hearts_to_order(write, tmp_path):
    runs = tmp_path / "runs"
    train_anatomy.main(write("maps"))
    drawer = zoo.from_pretrained(runs / "maps" / "pipeline")
    assert list(drawer.quantities) == list(QUANTITIES)
    assert drawer().masks[0].size == (64, 64)

    anatomy = f"anatomy: {runs}/maps/pipeline\n"
    train_hearts.main(write("coarse", anatomy))
    assert zoo.from_pretrained(runs / "coarse" / "pipeline").unet_2 is None
    train_hearts.main(write("fine", f"{anatomy}coarse: {runs}/coarse/pipeline\nedit_alpha_bar: 0.2\n"))
    pipe = zoo.from_pretrained(runs / "fine" / "pipeline")
    output = pipe(2, class_labels="HCM", wall_thickness_mm=pipe.quantities["wall_thickness_mm"]["max"])
    assert output.images[0].size == output.masks[0].size == (64, 64)
    assert output.pixel_spacing_mm == 2.0 and pipe.config.edit_alpha_bar == 0.2
    training = json.loads((runs / "fine" / "pipeline" / "metrics.json").read_text())["training"]
    assert training["images_seen"] == 2 * 2 * 48  # both stages

    with pytest.raises(ZooError, match="expected hearts of both stages"):
        more = f"{anatomy}coarse: {runs}/coarse/pipeline\ninit_from: {runs}/coarse/pipeline\n"
        train_hearts.main(write("again", more))
    with pytest.raises(ZooError, match="expected a model of label maps of 64 pixels"):
        train_hearts.main(write("wrong", f"anatomy: {runs}/coarse/pipeline\n"))


def test_quantities_are_those_of_the_masks(validation):
    data = DistanceMaps(validation, {"pathology": ["NOR", "MINF", "DCM", "HCM", "RV"]})
    item = data[0]
    assert item["image"].shape == (3, 32, 32) and item["quantities"].shape == (len(QUANTITIES),)
    inner = item["image"][2]  # each position covers 4 mm x 4 mm
    area = item["quantities"][QUANTITIES.index("cavity_area_mm2")]
    assert (inner > 0).sum() * 16 == pytest.approx(area.item(), rel=0.15)


def test_what_a_slice_lacks_is_nan():
    masks = torch.zeros(1, 16, 16, dtype=torch.uint8)
    found = dict(zip(QUANTITIES, quantities_of(masks, 1.0)[0].tolist(), strict=True))
    assert found["rv_area_mm2"] == 0
    assert all(value != value for name, value in found.items() if name != "rv_area_mm2")


def test_ranges_leave_out_what_is_unknown():
    values = torch.tensor([[1.0] * 5, [3.0] * 5, [torch.nan] * 5])
    assert quantity_ranges(values)["septal_wall_mm"] == pytest.approx(
        {"mean": 2.0, "std": 2**0.5, "min": 1.0, "max": 3.0}
    )


def test_zoom_moves_maps_and_quantities_alike(monkeypatch):
    class Recipe:
        rotation_degrees, zoom = 0.0, 0.2

    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.ones(*shape))  # the largest zoom
    y, x = torch.meshgrid(torch.arange(32) - 15.5, torch.arange(32) - 15.5, indexing="ij")
    maps = (8 - torch.hypot(x, y)).expand(1, 3, 32, 32)
    larger, quantities = moved(maps, torch.ones(1, 5), Recipe)
    assert quantities[0].tolist() == pytest.approx([1.2, 1.2, 1.2, 1.44, 1.44])
    expected = 1.2 * 8 - torch.hypot(x, y)
    torch.testing.assert_close(larger[0, 0, 8:24, 8:24], expected[8:24, 8:24], atol=0.25, rtol=0)
