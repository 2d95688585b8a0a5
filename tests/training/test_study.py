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
from common.curves import draw_curves
from common.study_plan import STUDIES, narrow, recipe_of, systems_of
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
    return lines


def rows_of(text: str) -> dict[str, dict[str, str]]:
    """The rows of the first table, by their first cells."""
    table = text[text.index("| ") :].split("\n\n")[0].strip().splitlines()
    head, _, *body = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    return {line[0]: dict(zip(head, line, strict=True)) for line in body}


def test_a_whole_study(typed, recipes, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("common.run.draw_curves", draw_curves)
    output = tmp_path / "study_a"
    given = {"acdc": tiny}
    report = study.Study("a", 0.01, given, recipes=recipes, output=output).run()
    text = report.read_text()
    assert report == output / "reports" / "README.md"

    rows, images = rows_of(text), len(zoo.datasets.load(tiny).dataset["train"])
    titles = ["VAE", "Diffusion", "Diffusion, its own 1,000 steps"]
    assert list(rows)[:3] == titles  # in the order of the study
    for title, key, reported, epochs in (("VAE", "vae", "0.903", 1), ("Diffusion", "ddpm", "0.972", 2)):
        metrics = json.loads((output / "phantom-64-0.01" / key / "pipeline" / "metrics.json").read_text())
        assert metrics["samples"]["count"] == 50 and "distribution" not in metrics
        assert metrics["training"]["recipe"] == key
        row = rows[title]
        assert row["SSIM, study"] == reported
        assert row["Training images seen"] == f"{epochs * (images // 32 * 32):,}"  # in whole batches
        assert float(row["SSIM, here"].split()[0]) == pytest.approx(metrics["projection"]["ssim"]["value"], abs=6e-4)
        link = re.search(r"\((.*)\)", row["Full report"])[1]
        assert json.loads((report.parent / link).read_text()) == metrics
        assert f"{metrics['unpaired']['ssim_random']['value']:.3f}"[:4] in text
    assert rows["Diffusion"]["Latent dimensions"] == "4,096" and rows["VAE"]["Latent dimensions"] == "4"
    assert {"*mean image*", "*copy of training images*"} <= set(rows)  # the floors stand in the same table
    assert "*nearest* training slice" in text and "reward blur" in text  # what the figures cannot mean
    assert "| VAE | 1 epochs | 0.02 of 50 | epoch 1 | epoch 1 |" in text and "| 0.01 of 200 |" in text
    assert "some of it is of a drawn phantom" in text
    assert "- GAN: no recipe" in text and "- VAE: " not in text
    sampled = json.loads((output / "reports" / "ddpm-1000" / "metrics.json").read_text())
    assert sampled["cost"]["network_evaluations"] == 10 and sampled["samples"]["count"] == 50
    assert sampled["model"]["sha256"] != {} and sampled["model"]["name"] == "ddpm-1000"

    pictures = re.findall(r"!\[[^]]*\]\((.*?)\)", text)
    assert {"samples-0.png", "vae/curves.png", "ddpm/curves.png"} == set(pictures)
    shown = {picture: np.asarray(Image.open(report.parent / picture).convert("L")) for picture in pictures}
    assert all(len(np.unique(pixels)) > 20 for pixels in shown.values())  # nothing is blank
    assert f"From left to right: {', '.join(titles)}." in text
    assert (output / "beside-originals-0.png").is_file()  # with real images, and so not among the reports
    assert not list(report.parent.rglob("*.safetensors"))

    # Another sitting on another machine, of which the records are all that came along: nothing is done again
    count, elsewhere = len(typed), tmp_path / "elsewhere"
    again = study.Study("a", 0.01, given, None, recipes, elsewhere, report.parent).run().read_text()
    assert len(typed) == count and not (elsewhere / "phantom-64-0.01").exists()
    assert rows_of(again) == rows

    # A longer run is asked for: the records are too short for it
    longer = study.Study("a", 0.04, given, ["vae"], recipes, elsewhere, shutil.copytree(report.parent, tmp_path / "r"))
    assert "| VAE | 2 epochs | 0.04 of 50 |" in longer.run().read_text() and len(typed) == count + 2

    # A recipe that has changed since is not passed off as the one that was trained
    changed = shutil.copytree(recipes, tmp_path / "changed")
    (changed / "vae.yaml").write_text(VAE.replace("latent_dim: 4", "latent_dim: 8"))
    with pytest.raises(ZooError, match="vae: is of another recipe; remove it or name another --reports"):
        study.Study("a", 0.01, given, None, changed, output).run()
    with pytest.raises(ZooError, match="vae: holds a run of another recipe or dataset"):
        study.Study("a", 0.01, given, None, changed, output, tmp_path / "empty").run()


def test_a_style_transfer_is_made_of_the_studys_own_cvae(typed, tiny, tmp_path):
    recipes = tmp_path / "study_b"
    recipes.mkdir()
    (recipes / "style-transfer.yaml").write_text(STYLE)
    first = study.Study("b", 0.01, {"acdc": tiny}, recipes=recipes, output=tmp_path / "first").run().read_text()
    assert "encoder: no recipe of cvae, which it is made of" in first and typed == []
    (recipes / "cvae.yaml").write_text(CVAE)
    text = study.Study("b", 0.01, {"acdc": tiny}, recipes=recipes, output=tmp_path / "second").run().read_text()
    rows = rows_of(text)
    styled = "CVAE with style transfer, encoder"
    assert list(rows)[:2] == ["CVAE", styled]
    assert rows[styled]["SSIM, here"] != rows["CVAE"]["SSIM, here"] != "–"
    pipe = zoo.from_pretrained(tmp_path / "second" / "phantom-64-0.01" / "style-transfer" / "pipeline")
    assert pipe.default_settings["num_iterations"] == 3
    assert any(line.startswith("python training/make_style_transfer.py") for line in text.splitlines())
    # The dataset of study B is of systoles alone
    metrics = json.loads((tmp_path / "second" / "reports" / "cvae" / "metrics.json").read_text())
    whole = zoo.datasets.load(tiny)
    assert metrics["dataset"]["n_images"] == sum(whole.dataset["test"]["phase"]) < len(whole.dataset["test"])

    # Its base may have been trained elsewhere, where its weights have stayed
    kept = shutil.copytree(tmp_path / "second" / "reports", tmp_path / "kept")
    shutil.rmtree(kept / "style-transfer")
    text = study.Study("b", 0.01, {"acdc": tiny}, None, recipes, tmp_path / "third", kept).run().read_text()
    assert "encoder: the weights of cvae, which it is made of, are not here" in text


LESION_NETS = {
    "unet-isic-64": """
name: ignored
dataset: outputs/data/isic-64
class_names: [background, lesion]
block_out_channels: [8, 8]
loss: mse
optimizer: adam
epochs: 100
batch_size: 8
""",
    "skinlesnet-isic-64": """
name: ignored
dataset: outputs/data/isic-64
conditions: [label]
optimizer: adam
epochs: 100
batch_size: 8
block_out_channels: [4, 4]
""",
}


@pytest.fixture
def lesions(tmp_path):
    """Drawn lesions with masks, dark ones malignant, as `cardiac-zoo data isic` leaves them."""
    source = tmp_path / "ISIC"
    lines = ["image_id,lesion_id,dx,label"]
    for folder in ("images", "masks"):
        (source / folder).mkdir(parents=True)
    for number in range(60):
        shade = np.random.default_rng(number).integers(150, 200, (80, 100, 3)).astype(np.uint8)
        mask = np.zeros((80, 100), np.uint8)
        mask[25:55, 35:65] = 255
        shade[mask > 0] = (60, 20, 20) if number % 2 else (120, 70, 60)
        Image.fromarray(shade).save(source / "images" / f"ISIC_{number:03d}.jpg", quality=95)
        Image.fromarray(mask).save(source / "masks" / f"ISIC_{number:03d}_segmentation.png")
        lines.append(f"ISIC_{number:03d},L_{number},{'mel,malignant' if number % 2 else 'nv,benign'}")
    (source / "metadata.csv").write_text("\n".join(lines) + "\n")
    return source


def test_study_c_has_its_judges_and_two_models_taken_together(typed, lesions, tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.metrics.utility.study_c.EPOCHS", 1)
    # Gradients in overlapping blocks take longest, and are tested beside `hog_features`
    few = lambda images: images[:, :, ::8, ::8].float().flatten(1).numpy()  # noqa: E731
    monkeypatch.setattr("zoo.metrics.utility.study_c.hog_features", few)
    monkeypatch.setattr("zoo.metrics.utility.study_c.GRID", {"C": [1.0], "kernel": ["linear"]})
    recipes = tmp_path / "study_c"
    recipes.mkdir()
    for key, text in LESION_NETS.items():
        (recipes / f"{key}.yaml").write_text(text)
    (recipes / "resnet50-isic-64.yaml").write_text("dataset: outputs/data/isic-64\nbackbone: /nowhere\n")
    for name in ("malignant", "benign"):
        text = DIFFUSION.replace("acdc-64", f"isic-64-{name}").replace("batch_size: 32", "batch_size: 8")
        (recipes / f"ddpm-isic-{name}-64.yaml").write_text(text)
    only = ["unet-isic-64", "resnet50-isic-64", "skinlesnet-isic-64", "cas"]
    only += ["ddpm-isic-malignant-64", "ddpm-isic-benign-64"]
    one = study.Study("c", 0.01, {"isic": lesions}, only, recipes, tmp_path / "out")
    text = one.run().read_text()
    assert "- ResNet50, lesions: not run here: weights (/nowhere is neither a folder" in text
    for network, reported in (("SkinLesNet, lesions", "98.35 %"), ("U-Net, lesions", "–")):
        assert f"| {network} | {reported} | " in text
    assert "| CAS, SkinLesNet | 0.71 / 0.67 / 0.74 / 0.71 | 0." in text
    assert "| real images alone, HOG + SVM | – | " in text
    assert "- SkinLesNet, lesions: " in text and "- CAS and NAS of lesions, nas_hog_svm_study_c: " in text
    assert "**isic-64, malignant alone: " in text and "**isic-64, benign alone: " in text
    assert (tmp_path / "out" / "unet-isic-64.png").is_file()  # with real images
    assert not list((tmp_path / "out" / "reports").rglob("unet-isic-64.png"))
    again = len(typed)
    study.Study("c", 0.01, {"isic": lesions}, only, recipes, tmp_path / "out").run()
    assert len(typed) == again


def prepared(one, key: str):
    (system,) = [system for system in one.systems if system.key == key]
    assert one.prepare(system) is None
    return system


def test_an_interrupted_training_goes_on_and_one_without_checkpoint_starts_anew(pretend, recipes, tiny, tmp_path):
    one = study.Study("a", 0.01, {"acdc": tiny}, recipes=recipes, output=tmp_path)
    system = prepared(one, "ddpm")
    assert system.length == 2
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


def test_several_processes_are_what_the_user_says(pretend, recipes, tiny, tmp_path):
    launch = "--num_processes 8 --multi_gpu"
    one = study.Study("a", 0.01, {"acdc": tiny}, recipes=recipes, output=tmp_path, launch=launch)
    one.train(prepared(one, "vae"))
    assert pretend[-1].startswith(f"accelerate launch {launch} training/train_vae.py --config")


def test_the_whole_study_is_judged_under_the_whole_protocol(pretend, recipes, tiny, tmp_path, monkeypatch):
    one = study.Study("a", 1.0, {"acdc": tiny}, recipes=recipes, output=tmp_path)
    system = prepared(one, "vae")
    assert system.length == 50
    few = one.evaluated(system)  # too few training images for reference rows of 1,000
    assert few == {"samples": 1000, "groups": study.TRIAL_GROUPS}
    monkeypatch.setattr(study, "SAMPLES", 100)
    one.samples = 100
    one.evaluate(system, one.evaluated(system))
    assert "--samples 100" in pretend[-1] and "--groups" not in pretend[-1]


def test_without_acdc_a_phantom_stands_in(pretend, recipes, tiny, tmp_path, monkeypatch):
    def build(self, *words):
        assert words[:3] == ("cardiac-zoo", "data", "phantom")
        shutil.copytree(tiny, words[-1])

    monkeypatch.setattr(study.Study, "command", build)
    one = study.Study("a", 0.01, {}, recipes=recipes, output=tmp_path)
    assert prepared(one, "vae").dataset == tmp_path / "data" / "phantom-64"
    prepared(one, "vae")  # it is not drawn twice


def test_a_download_is_built_and_a_dataset_is_taken_as_it_is(pretend, recipes, tiny, tmp_path):
    one = study.Study("a", 0.01, {"acdc": tmp_path}, recipes=recipes, output=tmp_path / "out")
    assert one.built(tiny, one.systems[0], "acdc-64") == tiny and pretend == []
    assert one.built(tmp_path, one.systems[0], "acdc-64") == tmp_path / "out" / "data" / "acdc-64"
    assert pretend[0].startswith(f"cardiac-zoo data acdc --source {tmp_path} --preset acdc-64 --output")


def test_a_part_of_a_dataset_keeps_its_rows_and_has_a_name_of_its_own(tiny, tmp_path):
    whole = zoo.datasets.load(tiny)
    part = zoo.datasets.load(narrow(tiny, tmp_path / "part", classes=["HCM", "NOR"], phases=["ES"]))
    assert part.info["fingerprint"] != whole.info["fingerprint"]
    for split, rows in whole.dataset.items():
        wanted = [row for row in rows if row["pathology"] in (0, 3) and row["phase"] == 1]
        assert [row["patient_id"] for row in part.dataset[split]] == [row["patient_id"] for row in wanted]
        assert (zoo.datasets.images(part.dataset[split])[0] == np.asarray(wanted[0]["image"])[..., None]).all()
    assert narrow(tmp_path / "part", tmp_path / "again", phases=["ES"]) == tmp_path / "part"  # nothing to leave out
    with pytest.raises(ZooError, match="pathology: expected some of .*, got 'XYZ'"):
        narrow(tiny, tmp_path / "none", classes=["XYZ"])


def test_a_study_without_its_data_leaves_everything_out(pretend, tmp_path):
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    for key in yaml.safe_load(STUDIES.read_text())["c"]["systems"]:
        (recipes / f"{key}.yaml").write_text(DIFFUSION)
    text = study.Study("c", 0.01, {}, recipes=recipes, output=tmp_path / "out").run().read_text()
    assert "- DDPM, hands: needs --dataset_mednist (make: DATASET_MEDNIST=…)" in text
    assert "- DDPM, benign: needs --dataset_isic" in text and pretend == []


def test_a_dry_run_says_how_many_hours_it_takes(typed, recipes, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("common.study_hours.SECONDS", 0.1)
    line = ["a", "--only", "vae", "gan", "--dataset", str(tiny), "--recipes", str(recipes), "--output", str(tmp_path)]
    study.main([*line, "--dry_run"])
    rows = rows_of(capsys.readouterr().out)
    images = len(zoo.datasets.load(tiny).dataset["train"]) * 50
    assert rows["VAE"]["Training images"] == f"{images:,}" and float(rows["VAE"]["Images/s"]) > 1
    assert rows["GAN"][""].startswith("no recipe") and not (tmp_path / "phantom-64-1").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["d"], "study: expected one of a, b, c, got 'd'"),
        (["a", "--fraction", "0"], "--fraction: expected a number above 0, got 0.0"),
        (["a", "--dataset", "/nowhere"], "--dataset: /nowhere not found"),
        (["b", "--only", "gan"], "--only: expected some of vae, cvae-transposed, cvae-small, cvae, cvae-rate, dcgan"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        study.main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_what_is_kept_is_laid_beside_the_study_and_published_models_where_nothing_is(metrics, tmp_path, monkeypatch):
    for name in ("vae-acdc-64", "ddpm-acdc-64"):
        save(tmp_path / "model_cards" / name / "metrics.json", metrics)
    (tmp_path / "page.md").write_text("<!-- study-a:begin --><!-- study-a:end -->")
    monkeypatch.setattr(study, "ROOT", tmp_path)
    study.main(["a", "--update", "page.md"])
    page = (tmp_path / "page.md").read_text()
    rows = rows_of(page)
    assert list(rows) == ["VAE, our own recipe", "Diffusion, our own recipe", "*mean image*"]
    row = rows["VAE, our own recipe"]
    assert row["SSIM, study"] == "0.903" and row["SSIM, here"].startswith("0.712")
    assert row["Training images seen"] == "152,600" and "[card](model_cards/vae-acdc-64/README.md)" in page
    assert "reward blur" in page

    kept = tmp_path / "training" / "reports" / "study_a" / "ddpm"
    save(kept / "metrics.json", metrics | {"training": {"images_seen": 7}})
    (kept / "study.json").write_text(json.dumps({"plan": {}, "evaluated": {"samples": 1000, "groups": None}}))
    study.main(["a", "--update", "page.md"])
    rows = rows_of((tmp_path / "page.md").read_text())
    assert list(rows)[:2] == ["VAE, our own recipe", "Diffusion"]
    assert rows["Diffusion"]["Training images seen"] == "7"
    assert rows["Diffusion"]["Full report"] == "[metrics](training/reports/study_a/ddpm/metrics.json)"


def test_columns_of_a_dataset_hold_what_the_study_or_we_measured(metrics, tmp_path):
    figures = {"ssim": 0.2, "ms_ssim": 0.1, "ssim_dark": 0.3, "ms_ssim_dark": 0.4}
    hands = metrics | {"diversity": {name: {"value": value} for name, value in figures.items()}}
    hands |= {"dataset": metrics["dataset"] | {"fingerprint": "hands"}}
    save(tmp_path / "ddpm-mednist-hand-32" / "metrics.json", hands)
    save(tmp_path / "ddpm-isic-benign-64" / "metrics.json", metrics)
    section = study.published_section("c", tmp_path, tmp_path / "none")
    of_hands, of_lesions = section.split("\n\n")[:2]
    assert "Fréchet distance in U-Net" not in of_hands and "| 0.1654 ± 0.1078 | 0.200 |" in of_hands
    assert "dark ground" not in of_lesions and "| 2677.1 | – |" in of_lesions
    assert "DDPM, benign, also reported by the study: of its training set" in section


def test_every_system_of_the_studies_has_a_script_and_a_recipe_and_no_figure_is_mistyped():
    studies = yaml.safe_load(STUDIES.read_text())
    assert set(studies) == {"a", "b", "c"}
    for name, about in studies.items():
        names = set(about["figures"]) | set(about.get("judges", {}))
        for system in systems_of(about):
            trained = system.script is not None
            assert trained or system.sampler or system.utility or system.weights
            assert not trained or (STUDIES.parent / system.script).is_file()
            assert recipe_of(system, STUDIES.parent / "recipes" / f"study_{name}") is not None, system.key
            assert system.data in study.OPTIONS
            assert system.utility or set(system.reported) <= names
            assert system.made_of is None or system.made_of in about["systems"]
    printed = {key: entry.get("reported") for key, entry in studies["a"]["systems"].items()}
    assert printed["vae"] == {"SSIM": 0.903, "CC": 0.8421, "MSE": 0.39}
    assert printed["ddpm"] == {"SSIM": 0.972, "CC": 0.9403, "MSE": 0.06}
