"""`cardiac-zoo compare`, called as the user does."""

import pytest
from command_line import run

from zoo.cards import tables
from zoo.published.metrics_file import save


@pytest.fixture
def model(tmp_path, metrics):
    folder = tmp_path / "heart"
    folder.mkdir()
    (folder / "model_index.json").write_text('{"_class_name": ["pipeline", "X"]}')
    save(folder / "metrics.json", metrics)
    return folder


@pytest.mark.parametrize("format", ["md", "csv", "html", "text"])
def test_the_table_is_printed_and_nothing_else(model, format):
    assert run("compare", model, "--format", format) == (0, tables.results_table([model], format), "")


def test_section_and_figure_are_written_in_one_go(model, tmp_path):
    page, picture = tmp_path / "page.md", tmp_path / "trilemma.png"
    page.write_text("<!-- results:begin --><!-- results:end -->")
    code, output, _ = run("compare", model, "--update", page, "--figure", picture)
    assert code == 0 and output.split() == [str(page), str(picture)]
    assert tables.results_table([model], "md") in page.read_text()
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_the_front_table_has_the_best_of_each_kind_and_few_columns(model, metrics, tmp_path):
    metrics["anatomy"] = {"ring_closed": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 5}}
    metrics["model"] |= {"family": "ddpm"}
    distance = metrics["distribution"]["fd_efficientnet_lite0"]
    save(model / "metrics.json", metrics)
    for name, family, value in (("worse", "ldm", 2), ("gan", "acgan", 3)):  # ldm is of the script of ddpm
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model_index.json").write_text((model / "model_index.json").read_text())
        figure = distance | {"value": distance["value"] * value}
        distribution = metrics["distribution"] | {"fd_efficientnet_lite0": figure}
        about = metrics["model"] | {"family": family}
        save(folder / "metrics.json", metrics | {"model": about, "distribution": distribution})
    page = tmp_path / "page.md"
    page.write_text("<!-- results:begin --><!-- results:end -->")
    code, _, _ = run("compare", model, tmp_path / "worse", tmp_path / "gan", "--front", "--update", page)
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert code == 0 and rows[0].count("|") <= 8
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["*real images*", "heart", "gan"]


def test_a_figure_of_nothing_is_refused(model, metrics, tmp_path):
    del metrics["cost"]
    save(model / "metrics.json", metrics)
    code, _, error = run("compare", model, "--figure", tmp_path / "trilemma.png")
    assert code == 2 and "no model has an FID and a speed" in error
    assert not (tmp_path / "trilemma.png").exists()
