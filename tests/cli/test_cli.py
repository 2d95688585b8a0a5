"""The command line, called as the user does."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from command_line import run

import zoo
import zoo.datasets


@pytest.fixture
def model(dcgan, tmp_path):
    dcgan.save_pretrained(tmp_path / "dcgan")
    return tmp_path / "dcgan"


@pytest.fixture
def conditional_model(conditional_ddpm, tmp_path):
    conditional_ddpm.save_pretrained(tmp_path / "ddpm")
    return tmp_path / "ddpm"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    """A phantom dataset built by the command line."""
    folder = tmp_path_factory.mktemp("data") / "phantom"
    assert run("data", "phantom", "--num-patients", 20, "--output", folder)[0] == 0
    return folder


def test_version_and_help():
    assert run("--version") == (0, f"cardiac-zoo {zoo.__version__}\n", "")
    code, output, _ = run("--help")
    assert code == 0
    for command in ("data", "evaluate", "card", "compare", "list", "generate"):
        assert command in output


def test_help_is_quick():
    """Nothing heavy is imported for it."""
    code = "import zoo.cli, sys; print({'torch', 'diffusers', 'datasets', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_generate(conditional_model, tmp_path):
    arguments = ["generate", conditional_model, "-n", 3, "--class", "HCM", "--phase", "ED", "--steps", 2]
    code, output, _ = run(*arguments, "--output", tmp_path / "out")
    assert code == 0 and "3 images and samples.csv" in output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "00000.png",
        "00001.png",
        "00002.png",
        "samples.csv",
    ]
    assert "00002.png,0,2,HCM,ED" in (tmp_path / "out" / "samples.csv").read_text()


def test_generate_pairs_and_build_a_dataset_of_them(hearts, tmp_path):
    hearts.save_pretrained(tmp_path / "pairs")
    arguments = ["generate", tmp_path / "pairs", "-n", 4, "--class", "HCM", "--with-masks", "--format", "nifti"]
    code, output, _ = run(*arguments, "--output", tmp_path / "out")
    assert code == 0 and "4 images with masks and samples.csv" in output
    files = [f"0000{i}{name}.nii.gz" for i in range(4) for name in ("", "_gt")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*files, "metadata.csv", "samples.csv"])
    built = tmp_path / "built"
    assert run("data", "folder", "--source", tmp_path / "out", "--size", 16, "--output", built)[0] == 0
    row = zoo.datasets.load(built).dataset["train"][0]
    assert row["mask"].size == (16, 16) and row["pixel_spacing"] == [2.0, 2.0]


def test_an_earlier_output_is_replaced_only_if_asked_to(model, tmp_path):
    arguments = ["generate", model, "-n", 1, "--output", tmp_path / "out"]
    assert run(*arguments)[0] == 0
    code, _, error = run(*arguments)
    assert code == 2 and "is not empty; name another folder or say --overwrite" in error
    assert run(*arguments, "--overwrite", "--format", "npy")[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["00000.npy", "samples.csv"]
    (tmp_path / "out" / "samples.csv").unlink()  # now it could be anything
    code, _, error = run(*arguments, "--overwrite")
    assert code == 2 and "expected a new or empty folder" in error


# Arguments, in which names in braces are filled in, and what the line on stderr says
BAD_INPUT = {
    "no model": ("generate {folder} --output {new}", "{folder}: no model, it has no model_index.json"),
    "no folder": ("generate {new} --output {new}", "expected the folder of a model or a repo id"),
    "unknown class": ("generate {ddpm} --class XYZ --output {new}", "unknown class 'XYZ', expected one of NOR, HCM"),
    "unconditional": ("generate {dcgan} --class HCM --output {new}", "class: not a condition of this model"),
    "no phase": ("generate {dcgan} --phase ED --output {new}", "phase: not a condition of this model"),
    "no steps": ("generate {dcgan} --steps 5 --output {new}", "num_inference_steps"),
    "too many steps": ("generate {ddpm} --steps 5000 --output {new}", "num_inference_steps: expected 1 to 1000"),
    "no masks": ("generate {dcgan} --with-masks --output {new}", "masks: expected a model of images with masks"),
    "output is a file": ("generate {dcgan} --output {dcgan}/model_index.json", "expected a folder, found a file"),
    "size": (
        "evaluate {dcgan} --dataset {phantom}",
        "images of 64x64 pixels and 1 channel(s); the model expects 16x16",
    ),
    "no dataset": ("evaluate {dcgan} --dataset {folder}", "{folder}: no readable zoo_dataset.json"),
    "group": ("evaluate {dcgan} --dataset {phantom} --groups beauty", "unknown group 'beauty'"),
    "extractor": ("evaluate {ddpm} --dataset {phantom} --extractor vgg", "extractor: unknown 'vgg', expected one of"),
    "report": (
        "evaluate {dcgan} --dataset {phantom} --report {dcgan}/report",
        "the report shows real images, expected a folder outside those of models",
    ),
    "no source": ("data acdc --output {new}", "--source: expected the folder or zip of the acdc download"),
    "source": ("data acdc --source {folder}/x --output {new}", "{folder}/x: not found"),
    "preset": ("data phantom --preset acdc-64 --output {new}", "preset 'acdc-64': phantom has phantom-64"),
    "wrong option": ("data phantom --all-frames --output {new}", "--all-frames: not an option of phantom"),
    "not evaluated": ("compare {dcgan}", "none of the models has been evaluated"),
    "no models": ("list {new}", "{new}: no models, expected folders with model_index.json"),
    "card": ("card {folder}", "{folder}: no model, it has no model_index.json"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_line(arguments, message, model, conditional_model, phantom, tmp_path):
    (tmp_path / "empty").mkdir()
    names = {"dcgan": model, "ddpm": conditional_model, "phantom": phantom, "folder": tmp_path / "empty"}
    names["new"] = tmp_path / "new"
    code, _, error = run(*(part.format(**names) for part in arguments.split()))
    last = error.strip().splitlines()[-1]
    assert code == 2
    assert last.startswith("cardiac-zoo: error: ") and message.format(**names) in last
    assert "Traceback" not in error
    assert not (tmp_path / "new").exists() and not list(tmp_path.glob(".*"))


def test_debug_shows_the_traceback(tmp_path):
    for arguments in (["--debug", "card", tmp_path], ["card", tmp_path, "--debug"]):
        with pytest.raises(zoo.ZooError):
            run(*arguments)


def test_wrong_options_exit_with_2(tmp_path):
    assert run("generate", tmp_path)[0] == 2
    assert run("compare", "--format", "pdf")[0] == 2


def test_data(phantom):
    from datasets import load_dataset

    rows = load_dataset(str(phantom), split="test")
    assert {"image", "mask", "patient_id", "pathology"} <= set(rows.column_names)
    code, _, error = run("data", "phantom", "--output", phantom)
    assert code == 2 and "--overwrite" in error


def test_evaluate_card_and_compare(phantom, tmp_path, few_pairs):
    from zoo.models import DCGANGenerator
    from zoo.pipelines import GANPipeline

    torch.manual_seed(0)
    generator = DCGANGenerator(64, 1, latent_dim=4, base_channels=4)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    model = tmp_path / "model_cards" / "dcgan-phantom"
    GANPipeline(generator.eval(), "dcgan").save_pretrained(model)

    code, output, _ = run("evaluate", model, "--dataset", phantom, "--samples", 8, "--groups", "cost,diversity")
    assert code == 0 and output.split()[-2:] == [str(model / "metrics.json"), str(model / "README.md")]
    metrics = json.loads((model / "metrics.json").read_text())
    assert metrics["samples"]["count"] == 8 and metrics["cost"]["parameters"] == generator.num_parameters()
    assert (model / "samples.png").exists()
    card = (model / "README.md").read_text()
    assert f"| parameters | {generator.num_parameters():,} |" in card and "license: " in card

    # Another group joins the earlier ones; validation figures stay out of the published file
    report = tmp_path / "report"
    arguments = ["--dataset", phantom, "--samples", 8, "--groups", "copying", "--report", report]
    assert run("evaluate", model, *arguments)[0] == 0
    assert sorted(path.name for path in report.iterdir()) == ["nearest.csv", "nearest.png"]
    assert set(json.loads((model / "metrics.json").read_text())) >= {"cost", "diversity", "copying"}
    before = (model / "metrics.json").read_bytes()
    arguments = ["--dataset", phantom, "--samples", 8, "--groups", "diversity", "--split", "validation"]
    assert run("evaluate", model, *arguments)[0] == 0
    assert (model / "metrics.json").read_bytes() == before
    assert json.loads((model / "metrics-validation.json").read_text())["dataset"]["split"] == "validation"

    code, table, _ = run("compare", model, "--format", "md")
    assert code == 0 and f"{generator.num_parameters():,}" in table
    readme = tmp_path / "README.md"
    readme.write_text("<!-- results:begin --><!-- results:end -->")
    assert run("compare", model, "--update", readme)[0] == 0
    assert table in readme.read_text()
    assert "dcgan-phantom" in run("list", tmp_path / "model_cards")[1]

    card = (model / "README.md").read_text()
    (model / "README.md").unlink()
    assert run("card", model)[0] == 0
    assert (model / "README.md").read_text() == card


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_what_was_stopped_or_killed_goes_on(model, tmp_path, number, code):
    command = [sys.executable, "-c", "from zoo.cli import main; main()", "generate", str(model)]
    command += ["-n", "20000", "--output", str(tmp_path / "out")]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        deadline = time.monotonic() + 200
        while len(list(tmp_path.glob(".out.partial/rows/*.csv"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    assert process.returncode == code and "Traceback" not in error
    assert ("the same command goes on" in error) == (number == signal.SIGINT)
    done = len(list((tmp_path / ".out.partial" / "rows").glob("*.csv")))
    assert 2 <= done and not (tmp_path / "out").exists()

    # With other settings nothing goes on; here with fewer images, so that the test is quick
    code, _, error = run("generate", model, "-n", 200, "--output", tmp_path / "out")
    assert code == 2 and "count was 20000, is 200" in error
    assert run("generate", model, "-n", 200, "--output", tmp_path / "out", "--overwrite")[0] == 0
    indices = [line.split(",")[2] for line in (tmp_path / "out" / "samples.csv").read_text().splitlines()[1:]]
    assert indices == [str(index) for index in range(200)]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_processes_share_the_work(conditional_model, tmp_path):
    """`torchrun` starts them as `accelerate launch` does on GPUs; on a CPU that starts a single one."""
    for processes in (1, 2):
        launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(processes), "-m", "zoo.cli"]
        arguments = ["generate", str(conditional_model), "-n", "300", "--output", str(tmp_path / str(processes))]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run([*launch, *arguments], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.count("300 images") == 1
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "12"]
    assert files[0] == files[1] and len(files[0]) == 301


def test_generate_from_the_hub(signed_in, model, tmp_path):
    signed_in.api.create_repo("zoo/cli-dcgan")
    signed_in.api.upload_folder(repo_id="zoo/cli-dcgan", folder_path=model)
    code, _, error = run("generate", "zoo/cli-dcgan", "-n", 1, "--output", tmp_path / "out")
    assert code == 0, error
    assert (tmp_path / "out" / "00000.png").exists()
