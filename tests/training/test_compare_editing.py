"""Choosing the noise level of an edit: walls as asked, walls as seen."""

from types import SimpleNamespace

import pytest

import compare_editing
import zoo.datasets
from compare_editing import hearts_to_edit
from zoo.errors import ZooError
from zoo.metrics.image_set import masks_of


@pytest.fixture
def model(hearts, tmp_path) -> str:
    for network in (hearts.unet, hearts.unet_2):
        network.register_to_config(sample_size=64)
    hearts.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def test_what_the_segmenter_does_not_see_change_is_off_by_what_was_asked(model, few_images, monkeypatch, capsys):
    rows = zoo.datasets.load(few_images).dataset["validation"]
    chosen = hearts_to_edit(rows, [4.0], 2.0, 4)
    before = masks_of(rows)[[index for index, _ in chosen]]
    blind = SimpleNamespace(masks=lambda images: before)
    monkeypatch.setattr(compare_editing, "find_judge", lambda *_: blind)
    options = ["--dataset", few_images, "--hearts", "4", "--changes", "4", "--alpha_bar", "0.9", "0.5"]
    compare_editing.main([model, *options])
    words = capsys.readouterr().out
    head, _, *table = [line.strip("| ").split(" | ") for line in words.splitlines() if line.startswith("|")]
    assert head == ["alpha_bar", "wall off (mm)", "without a closed ring", "Dice", "KID"]
    assert [row[0] for row in table] == ["0.9", "0.5"]
    for row in table:
        assert float(row[1]) == pytest.approx(4.0, abs=0.5)  # two pixels
        assert float(row[3]) < 0.95
    assert table[0][4] != table[1][4]  # the level does reach the pictures
    assert f"{len(chosen)} hearts" in words


def test_a_change_that_a_heart_cannot_take_is_left_out(few_images):
    rows = zoo.datasets.load(few_images).dataset["validation"]
    assert hearts_to_edit(rows, [60.0], 2.0, 4) == []
    found = hearts_to_edit(rows, [2.0, -1.0], 2.0, 4)
    names = rows.features["slice_level"].names
    assert found and {names[rows[index]["slice_level"]] for index, _ in found} == {"mid"}


def test_other_models_are_refused(dcgan, tmp_path, few_images):
    dcgan.save_pretrained(tmp_path / "model")
    with pytest.raises(ZooError, match="expected a model of hearts, got a GANPipeline"):
        compare_editing.main([str(tmp_path / "model"), "--dataset", few_images])
