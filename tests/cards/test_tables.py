"""The results table and the list of models."""

import copy
import csv
import io
import re
from xml.etree import ElementTree

import pytest

from zoo.cards import tables
from zoo.errors import ZooError
from zoo.published.metrics_file import save
from zoo.published.places import list_models


@pytest.fixture
def zoo_folder(tmp_path, metrics):
    """Three models: a good one, a better one, and one that has not been evaluated."""
    better = copy.deepcopy(metrics)
    better["distribution"]["fd_efficientnet_lite0"]["value"] = 60.0
    for name, content in (("good", metrics), ("better", better), ("unmeasured", None)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model_index.json").write_text('{"_class_name": ["pipeline", "GANPipeline"]}')
        if content:
            save(tmp_path / name / "metrics.json", content)
    return tmp_path


def rows_of(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_markdown(zoo_folder):
    table = tables.results_table(list_models(zoo_folder), "md")
    head, _, *body = rows_of(table)
    assert [row[0] for row in body] == ["*real images*", "*mean image*", "*copy of training images*", "better", "good"]
    good = dict(zip(head, body[-1], strict=True))
    assert good["FID (EfficientNet-Lite0), × real"] == "85.0 [83.0, 87.0] (× 2.50)"
    assert good["SSIM of projections (latent dimensions)"] == "0.712 [0.702, 0.722] (100)"
    assert good["Copies"] == "1.2 % [0.2, 2.2]"
    assert good["MS-SSIM of pairs (training images)"] == "0.310 [0.290, 0.330] (0.250)"
    assert good["Parameters"] == "2,765,568"
    real = dict(zip(head, body[0], strict=True))
    assert real["FID (EfficientNet-Lite0), × real"] == "34.0 [32.0, 36.0] (× 1.00)"
    assert real["SSIM of projections (latent dimensions)"] == "–"
    assert len(head) == 8  # a page is not wider
    assert "**ACDC `acdc-64`, test (25 patients, 526 images)**" in table
    assert "FID (Inception-v3): not measured (its weights absent)" in table


def test_measured_fid_gets_a_column(zoo_folder, metrics):
    metrics["distribution"]["fid_inception_v3"] = {"value": 77.0, "low": 70.0, "high": 80.0}
    save(zoo_folder / "good" / "metrics.json", metrics)
    table = tables.results_table([zoo_folder / "good"], "md")
    assert "77.0 [70.0, 80.0]" in table and "not measured" not in table


@pytest.mark.parametrize(
    ("group", "figures", "heading", "cell"),
    [
        ("distribution", {"coverage_efficientnet_lite0": {"value": 0.25}}, "Coverage", "0.250"),
        (
            "anatomy",
            {"ring_closed": {"value": 0.5}, "ring_closed_real": {"value": 0.9}},
            "Closed rings (real)",
            "50.0 % (90.0 %)",
        ),
    ],
)
def test_what_somebody_has_measured_gets_a_column(zoo_folder, metrics, group, figures, heading, cell):
    assert heading not in tables.results_table(list_models(zoo_folder), "md")
    metrics[group] = metrics.get(group, {}) | figures
    save(zoo_folder / "good" / "metrics.json", metrics)
    head, _, *body = rows_of(tables.results_table(list_models(zoo_folder), "md"))
    by_model = {row[0]: dict(zip(head, row, strict=True))[heading] for row in body}
    assert (by_model["good"], by_model["better"]) == (cell, "–")


def test_models_that_make_no_images_have_no_row(zoo_folder, metrics):
    metrics["model"]["family"] = "segmenter"
    save(zoo_folder / "good" / "metrics.json", metrics)
    table = tables.results_table(list_models(zoo_folder), "md")
    assert "| better |" in table and "| good |" not in table


def test_html_is_one_page_with_every_figure_that_asks_for_nothing(zoo_folder):
    page = tables.results_table(list_models(zoo_folder), "html")
    assert not re.search(r"https?:|src=|href=|url\(|@import|fetch", page)
    (table,) = ElementTree.fromstring(f"<x>{page[page.index('<table>') : page.index('</table>')]}</table></x>")
    headings = ["".join(cell.itertext()) for cell in table.find("thead/tr")]
    body = [(row.get("class"), [(cell.text, cell.get("data-value")) for cell in row]) for row in table.find("tbody")]
    assert [kind for kind, _ in body] == ["reference"] * 3 + [None] * 2
    good = dict(zip(headings, body[-1][1], strict=True))
    assert good["Model"] == ("good", None)
    assert good["FID (EfficientNet-Lite0), × real"] == ("85.0 [83.0, 87.0] (× 2.50)", "85.0")
    assert good["PSNR of projections (dB)"] == ("24.3 [23.3, 25.3]", "24.3")
    assert good["Peak memory (MB)"] == ("–", "")
    assert good["Training images seen"] == ("152,600", "152600.0")


def test_html_escapes_what_a_model_is_called(zoo_folder):
    (zoo_folder / "good").rename(zoo_folder / "<b>&")
    page = tables.results_table([zoo_folder / "<b>&"], "html")
    assert "&lt;b&gt;&amp;" in page and "<b>" not in page


def test_csv_has_the_raw_numbers(zoo_folder, metrics):
    rows = list(csv.DictReader(io.StringIO(tables.results_table(list_models(zoo_folder), "csv"))))
    good = rows[-1]
    figure = metrics["projection"]["ssim"]
    assert good["model"] == "good" and good["dataset"] == "acdc-64" and good["split"] == "test"
    assert [float(good[f"projection_ssim{b}"]) for b in ("", "_low", "_high")] == [
        figure[key] for key in ("value", "low", "high")
    ]
    assert rows[0]["model"] == "real images" and rows[0]["projection_ssim"] == ""
    assert good["ms_ssim_train"] == "0.25" and good["images_seen"] == "152600" and good["class_accuracy"] == ""


def test_models_measured_on_different_splits_are_not_mixed(zoo_folder, metrics):
    metrics["dataset"]["split"] = "validation"
    save(zoo_folder / "good" / "metrics.json", metrics)
    table = tables.results_table(list_models(zoo_folder), "md")
    assert table.count("| Model |") == 2
    assert table.index("better") < table.index("validation") < table.index("| good |")


def test_text(zoo_folder):
    table = tables.results_table(list_models(zoo_folder), "text")
    assert "85.0 (× 2.50)" in table and "better" in table and "83.0" not in table  # no bounds
    assert max(map(len, table.splitlines())) <= 160


def test_refusals(zoo_folder, tmp_path):
    with pytest.raises(ZooError, match="format: expected one of md, csv, html, text, got 'pdf'"):
        tables.results_table([zoo_folder / "good"], "pdf")
    with pytest.raises(ZooError, match="none of the models has been evaluated"):
        tables.results_table([zoo_folder / "unmeasured"])
    with pytest.raises(ZooError, match="has no model_index.json"):
        tables.results_table([tmp_path])


def test_list(zoo_folder):
    listed = tables.models_table({path.name: path for path in list_models(zoo_folder)})
    assert [name for name in ("better", "good", "unmeasured") if name in listed] == ["better", "good", "unmeasured"]
    assert "GANPipeline" in listed


def test_update_section(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Zoo\n\n<!-- results:begin -->\nold\n<!-- results:end -->\n\nEnd\n")
    for _ in range(2):  # a second time changes nothing
        tables.update_section(readme, "new\n")
        assert readme.read_text() == "# Zoo\n\n<!-- results:begin -->\nnew\n<!-- results:end -->\n\nEnd\n"
    readme.write_text("# Zoo\n")
    with pytest.raises(ZooError, match="README.md: expected the markers"):
        tables.update_section(readme, "new\n")
    with pytest.raises(ZooError, match="not found"):
        tables.update_section(tmp_path / "missing.md", "new\n")


def test_a_figure_by_a_network_that_had_a_part_in_the_model_is_marked_and_ranks_last(zoo_folder, metrics):
    metrics["distribution"]["fd_efficientnet_lite0"]["value"] = 20.0
    metrics["extractors"] = {"efficientnet_lite0": {"had_a_part": True}}
    (zoo_folder / "styled").mkdir()
    (zoo_folder / "styled" / "model_index.json").write_text('{"_class_name": ["pipeline", "StyleTransferPipeline"]}')
    save(zoo_folder / "styled" / "metrics.json", metrics | {"model": {"name": "styled", "family": "style-transfer"}})
    table = tables.results_table(list_models(zoo_folder), "md")
    assert [row[0] for row in rows_of(table)][-1] == "styled"
    assert "20.0 [83.0, 87.0] (× 2.50) †" in table and "† By a network that had a part" in table


def test_the_front_table_has_no_row_of_a_model_without_a_distance(zoo_folder, metrics):
    metrics["anatomy"] = {"segmenter": "a name"}
    save(zoo_folder / "good" / "metrics.json", metrics)
    (zoo_folder / "maps").mkdir()
    (zoo_folder / "maps" / "model_index.json").write_text('{"_class_name": ["pipeline", "AnatomyPipeline"]}')
    drawn = {key: metrics[key] for key in ("schema_version", "dataset")} | {
        "model": {"name": "maps", "family": "anatomy"}
    }
    save(zoo_folder / "maps" / "metrics.json", drawn)
    names = [row[0] for row in rows_of(tables.front_table(list_models(zoo_folder)))]
    assert names[2:] == ["*real images*", "better"]
    assert "maps" in tables.results_table(list_models(zoo_folder), "md")
