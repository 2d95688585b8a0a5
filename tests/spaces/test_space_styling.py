"""Study B's dashboard: what is read from a sweep, and what is run."""

import numpy as np
import pytest
import torch

from zoo import png
from zoo.errors import ZooError
from zoo.pipelines import sample_generators


def test_a_combination_is_looked_up(sweep, style_transfer):
    import datasets

    from styling import Sweep

    grid = Sweep(sweep)
    assert grid.contents == 2
    found = grid.read("cvae-encoder", 1, 10.0, 1.0, 0.01)
    files = {"train": [str(file) for file in sorted((sweep / "data").glob("*.parquet"))]}
    rows = datasets.load_dataset("parquet", data_files=files)["train"].to_list()
    wanted = {"content_index": 1, "style_weight": 10.0, "content_weight": 1.0, "learning_rate": 0.01}
    (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    np.testing.assert_array_equal(found.image, png.decode(row["image"]))
    np.testing.assert_array_equal(found.content, png.decode(row["content_image"]))
    assert found.style is None and found.dice is None
    assert found.losses == (row["style_loss_before"], row["style_loss"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("vgg19", 0, 1.0, 1.0, 0.05), "vgg19, 0 is not part of the grid"),
        (("cvae-encoder", 2, 1.0, 1.0, 0.05), "is not part of the grid"),
        (("cvae-encoder", 0, 2.0, 1.0, 0.05), "is not part of the grid"),
    ],
)
def test_what_is_not_in_the_grid_is_refused(sweep, asked, message):
    from styling import Sweep

    with pytest.raises(ZooError, match=message):
        Sweep(sweep).read(*asked)


def test_a_folder_that_is_no_sweep_is_told(tmp_path, monkeypatch):
    from styling import Sweep

    assert Sweep.from_environment() is None
    monkeypatch.setenv("ZOO_STYLE_SWEEP", str(tmp_path))
    with pytest.raises(ZooError, match="no readable style_sweep.json; expected a folder of `style-sweep`"):
        Sweep.from_environment()


def test_the_shipped_grid_stands_in_for_its_own_model(sweep, monkeypatch):
    import styling

    assert styling.Sweep.from_environment(["ORG/style-transfer-acdc-64"]).folder == styling.SHIPPED
    assert styling.Sweep.from_environment(["ORG/another", "cvae"]) is None
    monkeypatch.setenv("ZOO_STYLE_SWEEP", str(sweep))
    assert styling.Sweep.from_environment(["style-transfer-acdc-64"]).folder == sweep


def test_the_shipped_grid_is_whole_and_holds_no_style_image():
    import styling

    shipped = styling.Sweep(styling.SHIPPED)
    assert len(shipped.files) == shipped.parts
    for content in range(shipped.contents):
        for network in shipped.grid.feature_networks:
            for combination in shipped.grid.combinations:
                found = shipped.read(network, content, *combination)
                assert found.style is None and found.image.shape == found.content.shape


def test_a_part_that_is_missing_is_told(sweep, tmp_path):
    import shutil

    from styling import Sweep

    copy = shutil.copytree(sweep, tmp_path / "sweep")
    sorted((copy / "data").iterdir())[1].unlink()
    grid = Sweep(copy)
    assert grid.read("cvae-encoder", 0, 1.0, 1.0, 0.05).image.shape == (16, 16)
    with pytest.raises(ZooError, match="not computed yet"):
        grid.read("cvae-encoder", 1, 1.0, 1.0, 0.05)


SETTINGS = {"style_weight": 10.0, "content_weight": 1.0, "learning_rate": 0.05, "num_iterations": 3}


def test_live_styles_as_the_pipeline_does_and_tells_of_it(style_transfer):
    from styling import style_live

    news = []
    found = style_live(style_transfer, "cvae-encoder", 7, None, SETTINGS, news.append)
    expected = style_transfer(generator=sample_generators(7, [0]), output_type="np", **SETTINGS)
    for picture, image in ((found.image, expected.images), (found.content, expected.content_images)):
        np.testing.assert_array_equal(picture, (image[0] * 255).round().astype(np.uint8))
    assert found.style is None and found.losses[1] < found.losses[0]
    done, total = zip(*news, strict=True)
    assert list(done) == sorted(done) and done[-1] == total[-1]


def test_live_takes_the_nearest_style_image(style_transfer):
    from styling import style_live

    styles = torch.randint(256, (5, 1, 16, 16), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    found = style_live(style_transfer, "cvae-encoder", 7, styles, SETTINGS, lambda news: None)
    expected = style_transfer(
        generator=sample_generators(7, [0]), output_type="np", style_images=styles / 255, **SETTINGS
    )
    np.testing.assert_array_equal(found.style[..., 0], styles[expected.style_indices[0], 0].numpy())
    np.testing.assert_array_equal(found.image, (expected.images[0] * 255).round().astype(np.uint8))
    with pytest.raises(ZooError, match="style images|style_images"):
        style_live(style_transfer, "cvae-encoder", 7, styles[..., :8], SETTINGS, lambda news: None)


def test_other_feature_networks_are_offered_where_they_can_be_run(monkeypatch):
    import styling

    assert styling.live_networks("cvae-encoder", False) == ["cvae-encoder"]
    monkeypatch.setattr(styling, "PACKAGES", {"installed": "json", "absent": "no_such_package"})
    assert styling.live_networks("cvae-encoder", True) == ["cvae-encoder", "installed"]
