"""Study reports: one run end to end with tiny recipes, and what is resumed, refused or left out."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import study
import zoo.datasets
from zoo.errors import ZooError
from zoo.published.metrics_file import save

DIFFUSION = """
name: ignored
dataset: outputs/data/acdc-64
epochs: 200
batch_size: 32
block_out_channels: [4, 4, 8]
attention_levels: [2]
attention_head_dim: 4
norm_num_groups: 2
num_inference_steps: 2
beta_schedule: squaredcos_cap_v2
prediction_type: v_prediction
"""
VAE = """
name: ignored
family: vae
dataset: outputs/data/acdc-64
epochs: 50
network: {latent_dim: 4, hidden_dims: [8]}
batch_size: 32
"""
CVAE = """
name: ignored
family: cvae
dataset: outputs/data/acdc-64
epochs: 50
network: {latent_dim: 4, block_out_channels: [8, 8, 8], final_channels: 8, extra_layers: 0}
batch_size: 32
"""
STYLE = """
name: ignored
dataset: outputs/data/acdc-64
content_model: overridden
num_iterations: 300
"""


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study_a")
    (folder / "ddpm.yaml").write_text(DIFFUSION)
    (folder / "vae.yaml").write_text(VAE)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A phantom of few patients, at the project's paths for nobody else to see."""
    folder = tmp_path_factory.mktemp("data") / "phantom-64"
    return zoo.datasets.save(zoo.datasets.build_phantom(num_patients=12), folder)


@pytest.fixture
def pretend(monkeypatch):
    """Commands leave behind what the next step looks for; the report is not drawn."""
    lines = []

    def command(self, *words):
        words = list(map(str, words))
        lines.append(" ".join(words))
        if words[0] == "accelerate":
            run = Path(words[words.index("--output_dir") + 1]) / words[words.index("--name") + 1]
            (run / "pipeline").mkdir(parents=True)

    monkeypatch.setattr(study.Study, "command", command)
    monkeypatch.setattr(study.Study, "pictures", lambda self, systems: [])
    return lines


def rows_of(text: str) -> dict[str, dict[str, str]]:
    lines = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line[:2] == "| "]
    head, _, *body = [line for line in lines if len(line) > 3]
    return {line[0]: dict(zip(head, line, strict=False)) for line in body}


def test_a_whole_study(typed, recipes, tiny, tmp_path):
    output = tmp_path / "study_a"
    given = {"acdc": tiny}
    report = study.Study("a", 0.01, given, recipes, output).run()
    text = report.read_text()

    rows, images = rows_of(text), len(zoo.datasets.load(tiny).dataset["train"])
    assert list(rows)[:2] == ["VAE", "Diffusion"]  # in the order of the study
    for title, key, reported, epochs in (("VAE", "vae", "0.903", 1), ("Diffusion", "ddpm", "0.972", 2)):
        metrics = json.loads((output / "phantom-64-0.01" / key / "pipeline" / "metrics.json").read_text())
        assert metrics["samples"]["count"] == 50 and "distribution" not in metrics
        assert metrics["training"]["recipe"] == key
        row = rows[title]
        assert row["SSIM, study"] == reported
        assert row["Training images seen"] == f"{epochs * (images // 32 * 32):,}"  # in whole batches
        assert float(row["SSIM, here"].split()[0]) == pytest.approx(metrics["projection"]["ssim"]["value"], abs=6e-4)
        link = re.search(r"\((.*)\)", row["Full report"])[1]
        assert (output / link).is_file()
    assert rows["Diffusion"]["Latent dimensions"] == "4,096" and rows["VAE"]["Latent dimensions"] == "4"
    assert {"*mean image*", "*copy of training images*"} <= set(rows)  # the floors stand in the same table
    assert "*nearest* training slice" in text and "reward blur" in text  # what the figures cannot mean
    assert "**A trial:**" in text and "drawn phantom" not in text  # a dataset was named
    assert "- GAN: no recipe" in text and "- VAE" not in text

    pictures = re.findall(r"!\[[^]]*\]\((.*?)\)", text)
    names = {Path(picture).name for picture in pictures}
    assert {"samples-0.png", "vae-curves.png", "ddpm-curves.png", "ddpm-samples.png"} <= names
    shown = {picture: np.asarray(Image.open(output / picture).convert("L")) for picture in pictures}
    assert all(len(np.unique(pixels)) > 20 for pixels in shown.values())  # nothing is blank
    assert "From left to right: original, VAE, Diffusion." in text

    # Once more: nothing is trained or judged again, and the report says the same
    count = len(typed)
    again = study.Study("a", 0.01, given, recipes, output).run().read_text()
    assert len(typed) == count == 4
    assert rows_of(again) == rows

    # A recipe that has changed since is not passed off as the one that was trained
    changed = shutil.copytree(recipes, tmp_path / "changed")
    (changed / "vae.yaml").write_text(VAE.replace("latent_dim: 4", "latent_dim: 8"))
    with pytest.raises(ZooError, match="vae: holds a run of another recipe or dataset"):
        study.Study("a", 0.01, given, changed, output).run()


def test_a_style_transfer_is_made_of_the_studys_own_cvae(typed, tiny, tmp_path):
    recipes = tmp_path / "study_b"
    recipes.mkdir()
    (recipes / "style-transfer.yaml").write_text(STYLE)
    text = study.Study("b", 0.01, {"acdc": tiny}, recipes, tmp_path / "first").run().read_text()
    assert "- CVAE with style transfer: no recipe of cvae, which it is made of" in text and typed == []
    (recipes / "cvae.yaml").write_text(CVAE)
    text = study.Study("b", 0.01, {"acdc": tiny}, recipes, tmp_path / "second").run().read_text()
    rows = rows_of(text)
    assert list(rows)[:2] == ["CVAE", "CVAE with style transfer"]
    assert rows["CVAE with style transfer"]["SSIM, here"] != rows["CVAE"]["SSIM, here"] != "–"
    pipe = zoo.from_pretrained(tmp_path / "second" / "phantom-64-0.01" / "style-transfer" / "pipeline")
    assert pipe.default_settings["num_iterations"] == 3
    assert any(line.startswith("python training/make_style_transfer.py") for line in text.splitlines())


def test_an_interrupted_training_goes_on_and_one_without_checkpoint_starts_anew(pretend, recipes, tiny, tmp_path):
    one = study.Study("a", 0.01, {"acdc": tiny}, recipes, tmp_path)
    (system,) = [system for system in one.systems if system.key == "ddpm"]
    assert one.prepare(system) is None and system.length == 2
    one.remember(system, {"plan": system.plan})
    (system.folder / "metrics.jsonl").write_text("{}\n")  # from a run that the training script would refuse to touch
    one.train(system)
    assert "--resume" not in pretend[-1] and not (system.folder / "metrics.jsonl").exists()
    assert one.state(system)["trained"]

    shutil.rmtree(system.folder)
    one.remember(system, {"plan": system.plan})
    (system.folder / "checkpoints" / "last").mkdir(parents=True)
    one.train(system)
    assert pretend[-1].endswith("--name ddpm --epochs 2 --resume")


def test_the_whole_study_is_judged_under_the_whole_protocol(pretend, recipes, tiny, tmp_path):
    one = study.Study("a", 1.0, {"acdc": tiny}, recipes, tmp_path)
    (system,) = [system for system in one.systems if system.key == "vae"]
    one.prepare(system)
    one.evaluate(system)
    assert system.length == 50
    assert "--samples 1000" in pretend[-1] and "--groups" not in pretend[-1]
    assert "A trial" not in one.conditions([system])


def test_without_acdc_a_phantom_stands_in_and_the_report_says_so(pretend, recipes, tiny, tmp_path, monkeypatch):
    def build(self, *words):
        assert words[:3] == ("cardiac-zoo", "data", "phantom")
        shutil.copytree(tiny, words[-1])

    monkeypatch.setattr(study.Study, "command", build)
    one = study.Study("a", 0.01, {}, recipes, tmp_path)
    (system,) = [system for system in one.systems if system.key == "vae"]
    assert one.prepare(system) is None and system.dataset == tmp_path / "data" / "phantom-64"
    assert "all of it is of a drawn phantom" in one.conditions([system])
    assert one.prepare(system) is None  # it is not drawn twice


def test_a_download_is_built_and_a_dataset_is_taken_as_it_is(pretend, recipes, tiny, tmp_path):
    one = study.Study("a", 0.01, {"acdc": tmp_path}, recipes, tmp_path / "out")
    assert one.built(tiny, one.systems[0], "acdc-64") == tiny and pretend == []
    assert one.built(tmp_path, one.systems[0], "acdc-64") == tmp_path / "out" / "data" / "acdc-64"
    assert pretend[0].startswith(f"cardiac-zoo data acdc --source {tmp_path} --preset acdc-64 --output")


def test_a_study_without_its_data_leaves_everything_out(pretend, tmp_path):
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    for key in yaml.safe_load(study.STUDIES.read_text())["c"]["systems"]:
        (recipes / f"{key}.yaml").write_text(DIFFUSION)
    text = study.Study("c", 0.01, {}, recipes, tmp_path / "out").run().read_text()
    assert "- DDPM, hands: needs --dataset_mednist (make: DATASET_MEDNIST=…)" in text
    assert "- DDPM, benign: needs --dataset_isic" in text and pretend == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["d"], "study: expected one of a, b, c, got 'd'"),
        (["a", "--fraction", "0"], "--fraction: expected a number above 0, got 0.0"),
        (["a", "--dataset", "/nowhere"], "--dataset: /nowhere not found"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        study.main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_published_models_are_laid_beside_the_study(metrics, tmp_path, monkeypatch):
    for name in ("vae-acdc-64", "ddpm-acdc-64"):
        save(tmp_path / "model_cards" / name / "metrics.json", metrics)
    (tmp_path / "page.md").write_text("<!-- study-a:begin --><!-- study-a:end -->")
    monkeypatch.setattr(study, "ROOT", tmp_path)
    study.main(["a", "--published", "page.md"])
    page = (tmp_path / "page.md").read_text()
    rows = rows_of(page)
    assert list(rows) == ["VAE", "Diffusion", "*mean image*"]
    assert rows["VAE"]["SSIM, study"] == "0.903" and rows["VAE"]["SSIM, here"].startswith("0.712")
    assert (
        rows["VAE"]["Training images seen"] == "152,600"
        and "(model_cards/vae-acdc-64/README.md)" in rows["VAE"]["Full report"]
    )
    assert "reward blur" in page


def test_columns_of_a_dataset_hold_what_the_study_or_we_measured(metrics, tmp_path, monkeypatch):
    hands = metrics | {"diversity": {"ssim": 0.2, "ms_ssim": 0.1, "ssim_dark": 0.3, "ms_ssim_dark": 0.4}}
    save(tmp_path / "ddpm-mednist-hand-32" / "metrics.json", hands)
    save(tmp_path / "ddpm-isic-benign-64" / "metrics.json", metrics)
    section = study.published_section("c", tmp_path)
    of_hands, of_lesions = section.split("\n\n")[:2]
    assert "Fréchet distance in U-Net" not in of_hands and "| 0.1654 ± 0.1078 | 0.200 |" in of_hands
    assert "dark ground" not in of_lesions and "| 2677.1 | – |" in of_lesions
    assert "DDPM, benign, also reported by the study: of its training set" in section


def test_every_system_of_the_studies_has_a_script_and_no_figure_is_mistyped():
    studies = yaml.safe_load(study.STUDIES.read_text())
    assert set(studies) == {"a", "b", "c"}
    for about in studies.values():
        for entry in about["systems"].values():
            assert (study.STUDIES.parent / entry["script"]).is_file()
            assert entry["data"] in study.OPTIONS and set(entry.get("reported", {})) <= set(about["figures"])
    printed = {key: entry.get("reported") for key, entry in studies["a"]["systems"].items()}
    assert printed["vae"] == {"SSIM": 0.903, "CC": 0.8421, "MSE": 0.39}
    assert printed["ddpm"] == {"SSIM": 0.972, "CC": 0.9403, "MSE": 0.06}
