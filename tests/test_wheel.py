"""The library as others install it: a wheel in a folder of its own, called from elsewhere, with no checkout around."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from zoo.models import DCGANGenerator, UNetSegmenter, UNetSegmenterConfig
from zoo.pipelines import GANPipeline
from zoo.published.metrics_file import save

ROOT = Path(__file__).resolve().parents[1]
# Each command line of `sys.argv[1]` in one process: torch takes seconds to import
CALLS = """
import json, os, sys
import zoo
from command_line import run
print(json.dumps([zoo.__file__, *(run(*arguments) for arguments in json.loads(sys.argv[1]))]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where the wheel was installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a build leaves files beside what it builds
    shutil.copytree(ROOT / "zoo", source / "zoo", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = ["--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, "wheel", *wheels, str(source)], check=True)
    (wheel,) = folder.glob("cardiac_mri_zoo-*.whl")
    subprocess.run([*pip, "install", "--no-index", "--no-deps", "--target", str(folder / "site"), wheel], check=True)
    return folder / "site"


@pytest.fixture
def calls(installed, tmp_path):
    """Runs command lines from an empty folder: exit code, output and error output of each."""
    (tmp_path / "elsewhere").mkdir()

    def call(*lines: list, models: str | None = None) -> list[tuple[int, str, str]]:
        env = {key: value for key, value in os.environ.items() if key != "ZOO_MODELS"}
        env |= {"PYTHONPATH": os.pathsep.join(map(str, (installed, ROOT / "tests")))}
        env |= {} if models is None else {"ZOO_MODELS": models}
        command = [sys.executable, "-c", CALLS, json.dumps([list(map(str, line)) for line in lines])]
        options = {"cwd": tmp_path / "elsewhere", "env": env, "capture_output": True, "text": True}
        done = subprocess.run(command, check=False, **options)
        assert done.returncode == 0, done.stderr
        where, *found = json.loads(done.stdout.splitlines()[-1])
        assert Path(where).is_relative_to(installed)
        return found

    return call


@pytest.fixture
def models(tmp_path):
    """A folder of a generator and of two segmenters of the phantom, the first of another size."""
    torch.manual_seed(0)
    generator = DCGANGenerator(64, 1, latent_dim=4, base_channels=4)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    GANPipeline(generator.eval(), "dcgan").save_pretrained(tmp_path / "models" / "dcgan-tiny")
    for size, spacing in ((128, 1.0), (64, 2.0)):
        folder = tmp_path / "models" / f"segmenter-phantom-{size}"
        UNetSegmenter(UNetSegmenterConfig(size, block_out_channels=[8, 8], pixel_spacing_mm=spacing)).save_pretrained(
            folder
        )
        dataset = {"name": "Cardiac phantom", "preset": "phantom-64", "n_images": 1}
        save(folder / "metrics.json", {"schema_version": 1, "training": {"dataset": dataset}})
    return tmp_path / "models"


@pytest.mark.slow
def test_published_models_are_found_from_anywhere(calls, models, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    made, listed, generated, evaluated = calls(
        ["data", "phantom", "--num-patients", 20, "--output", data],
        ["list"],
        ["generate", "dcgan-tiny", "-n", 2, "--output", out],
        ["evaluate", "dcgan-tiny", "--dataset", data, "--samples", 8, "--groups", "cost,anatomy,control"],
        models=str(models),
    )
    assert [call[0] for call in (made, listed, generated, evaluated)] == [0] * 4, (made, listed, generated, evaluated)
    assert "dcgan-tiny" in listed[1] and "segmenter" not in listed[1]
    assert sorted(path.name for path in out.iterdir()) == ["00000.png", "00001.png", "samples.csv"]
    said = " ".join(evaluated[2].split())
    assert "judges: segmenter-phantom-64 (sha256" in said and "control: left out: the model takes no quantities" in said
    metrics = json.loads((models / "dcgan-tiny" / "metrics.json").read_text())
    assert metrics["anatomy"]["segmenter"].startswith("segmenter-phantom-64 ")

    shutil.rmtree(out)
    dcgan = models / "dcgan-tiny"
    shutil.copytree(models, tmp_path / "elsewhere" / "model_cards")  # not a place where published models are looked for
    listed, unknown, generated, evaluated, judged = calls(
        ["list"],
        ["generate", "dcgan-tiny", "--output", out],
        ["generate", dcgan, "-n", 2, "--output", out],
        ["evaluate", dcgan, "--dataset", data, "--samples", 8, "--groups", "cost,control"],
        ["evaluate", dcgan, "--dataset", data, "--samples", 8, "--groups", "anatomy"],
    )
    for code, _, error in (listed, unknown, judged):
        assert code == 2 and "(ZOO_MODELS is not set; no checkout)" in error or "no checkout: no models" in error, error
    assert generated[0] == evaluated[0] == 0 and "control: left out" in evaluated[2]
