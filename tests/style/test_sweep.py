"""Sweeps of the settings."""

import json
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
import yaml

from zoo.errors import ZooError
from zoo.pipelines.style_transfer import transfer
from zoo.style import Grid, study_b, style_sweep
from zoo.style import sweep as module

GRID = Grid(style_weights=[0.1, 10.0], content_weights=[1.0, 100.0], learning_rates=[0.05, 0.01], num_iterations=2)


@pytest.fixture
def content(style_transfer) -> torch.Tensor:
    return style_transfer(2, generator=torch.Generator().manual_seed(0), output_type="pt").content_images


@pytest.fixture
def styles() -> torch.Tensor:
    return torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def count(monkeypatch) -> list:
    """An entry for each image that is styled."""
    calls = []
    monkeypatch.setattr(
        module, "transfer", lambda *args, **settings: calls.append(settings) or transfer(*args, **settings)
    )
    return calls


def load(folder, tmp_path):
    return datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))


def pixels(picture) -> np.ndarray:
    return np.asarray(picture, dtype=np.float32) / 255


def test_every_combination_is_there_and_right(style_transfer, content, tmp_path, count):
    folder = style_sweep(style_transfer, content, tmp_path / "sweep", GRID, progress=False)
    rows = load(folder, tmp_path)
    assert len(rows) == 2 * 8
    found = {(r["content_index"], r["style_weight"], r["content_weight"], r["learning_rate"]) for r in rows}
    assert len(found) == 16 and {w for _, w, _, _ in found} == {0.1, 10.0}
    assert len(count) == 2 * 3 * 2  # 0.1 : 1 and 10 : 100 are one ratio
    row = rows[13]
    own = content[row["content_index"]][None]
    settings = {name: row[name] for name in ("style_weight", "content_weight", "learning_rate", "num_iterations")}
    expected = style_transfer(content_images=own, output_type="np", **settings).images[0, :, :, 0]
    np.testing.assert_allclose(pixels(row["image"]), expected, atol=0.51 / 255)
    np.testing.assert_allclose(pixels(row["content_image"]), own[0, 0], atol=0.51 / 255)
    assert row["style_loss"] < row["style_loss_before"] and row["content_loss"] > 0 and row["seconds"] > 0
    assert row["style_index"] is None and row["style_image"] is None and row["dice"] is None


def test_style_images_are_the_nearest_and_stored_only_when_asked(style_transfer, content, styles, tmp_path):
    nearest = style_transfer.nearest_styles(content, styles).tolist()
    grid = Grid(["cvae-encoder", "efficientnet-lite0"], [1.0], [1.0], [0.05], num_iterations=1)
    for stored in (False, True):
        folder = tmp_path / f"{stored}"
        style_sweep(style_transfer, content, folder, grid, style_images=styles, store_style_images=stored)
        rows = load(folder, tmp_path)
        assert rows["feature_network"][:] == ["cvae-encoder"] * 2 + ["efficientnet-lite0"] * 2
        assert rows["style_index"][:] == nearest * 2
        for row, index in zip(rows, nearest * 2, strict=True):
            assert (row["style_image"] is not None) is stored
            if stored:
                np.testing.assert_allclose(pixels(row["style_image"]), styles[index, 0], atol=0.51 / 255)


def test_an_interrupted_sweep_goes_on(style_transfer, content, tmp_path, count, monkeypatch):
    write, written = module._write_part, []

    def stop_after_one(file, rows):
        if written:
            raise KeyboardInterrupt
        written.append(file)
        write(file, rows)

    monkeypatch.setattr(module, "_write_part", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        style_sweep(style_transfer, content, tmp_path / "sweep", GRID, progress=False)
    first = written[0].read_bytes()
    monkeypatch.setattr(module, "_write_part", write)
    count.clear()
    style_sweep(style_transfer, content, tmp_path / "sweep", GRID, progress=False)
    assert len(count) == 6 and written[0].read_bytes() == first  # the first image was not styled again
    assert len(load(tmp_path / "sweep", tmp_path)) == 16
    count.clear()
    style_sweep(style_transfer, content, tmp_path / "sweep", GRID, progress=False)
    assert count == []


def test_a_folder_holds_one_sweep(style_transfer, content, tmp_path):
    small = Grid(style_weights=[1.0], learning_rates=[0.05], num_iterations=1)
    folder = style_sweep(style_transfer, content, tmp_path / "sweep", small, progress=False)
    before = sorted(folder.rglob("*"))
    with pytest.raises(ZooError, match="style_sweep.json: holds a sweep of other settings, images or weights"):
        style_sweep(style_transfer, content, folder, GRID)
    with pytest.raises(ZooError, match="other settings, images or weights"):
        style_sweep(style_transfer, 1 - content, folder, small)
    style_transfer.vae.decoder[-1].bias.data += 1
    with pytest.raises(ZooError, match="other settings, images or weights"):
        style_sweep(style_transfer, content, folder, small)
    assert sorted(folder.rglob("*")) == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    with pytest.raises(ZooError, match="expected a new or empty folder"):
        style_sweep(style_transfer, content, tmp_path / "other", small)


def test_harm_is_measured_with_a_segmenter(style_transfer, content, tmp_path):
    def brighter_is_muscle(images: torch.Tensor) -> torch.Tensor:
        return 2 * (images[:, 0] > 115).long()

    grid = Grid(style_weights=[1e-12, 1e12], learning_rates=[0.001], num_iterations=30)
    folder = style_sweep(style_transfer, content, tmp_path / "sweep", grid, segment=brighter_is_muscle)
    kept, changed = (np.array(load(folder, tmp_path)["dice"][:]).reshape(2, 2).mean(0)).tolist()
    assert changed < kept <= 1
    assert load(folder, tmp_path)["wall_thickness_change_mm"][:] == [None] * 4  # no ring is closed
    assert json.loads((folder / "style_sweep.json").read_text())["has_segmenter"] is True
    style_transfer.register_to_config(pixel_spacing_mm=None)
    with pytest.raises(ZooError, match="pixel spacing is unknown"):
        style_sweep(style_transfer, content, tmp_path / "other", grid, segment=brighter_is_muscle)


BAD = {
    "empty": ({"style_weights": []}, "style_weights: expected at least one value"),
    "twice": ({"learning_rates": [0.1, 0.1]}, "learning_rates: expected at least one value and none twice"),
    "negative": ({"style_weights": [-1.0]}, "sweep: style_weight, content_weight: expected finite numbers"),
    "network": ({"feature_networks": ["vgg19"]}, "vgg19: the model knows a style of cvae-encoder alone"),
}


@pytest.mark.parametrize(("settings", "message"), BAD.values(), ids=BAD)
def test_bad_settings_are_named(style_transfer, content, tmp_path, settings, message):
    with pytest.raises(ZooError, match=message):
        style_sweep(style_transfer, content, tmp_path / "sweep", Grid(**settings))
    assert not list(tmp_path.rglob("*.parquet"))


def test_absolute_weights_of_one_ratio_are_different_settings(style_transfer, content, styles, tmp_path, count):
    grid = Grid(style_weights=[1e-9, 1.0], content_weights=[1e-9, 1.0], learning_rates=[0.05], style_loss="maps")
    with pytest.raises(ZooError, match="style loss 'maps': compares with an image, give style images"):
        style_sweep(style_transfer, content, tmp_path / "no", grid)
    folder = style_sweep(style_transfer, content[:1], tmp_path / "sweep", grid, style_images=styles, progress=False)
    rows = {(row["style_weight"], row["content_weight"]): row for row in load(folder, tmp_path)}
    assert len(count) == len(rows) == 4
    assert not np.array_equal(pixels(rows[1e-9, 1e-9]["image"]), pixels(rows[1.0, 1.0]["image"]))


def test_the_grid_of_study_b():
    grid = Grid.of_study_b()
    assert len(grid.combinations) == 32 * 32 * 8 and grid.num_iterations == 1000 and grid.style_loss == "maps"
    assert (1e-15, 1e16, 5e-5) in grid.combinations


def test_recipes_hold_what_the_study_prints():
    for recipe, figure in (("style-transfer", "encoder, figure 23"), ("style-transfer-vgg19", "vgg19, figure 22a")):
        file = Path(__file__).parents[2] / "training" / "recipes" / "study_b" / f"{recipe}.yaml"
        found, (network, settings) = yaml.safe_load(file.read_text()), study_b.PRINTED[figure]
        assert found["feature_network"] == network and found["num_iterations"] == study_b.NUM_ITERATIONS
        assert {key: found[key] for key in settings} == settings
