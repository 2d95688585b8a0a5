"""`cardiac-zoo evaluate` killed and resumed, and `cardiac-zoo verify`, called as the user does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from command_line import run
from safetensors.torch import load_file, save_file

import zoo.datasets
from zoo.models import DenseVAE
from zoo.pipelines import VAEPipeline
from zoo.published.metrics_file import load_metrics, save

GROUPS = "copying,items"  # nothing that depends on the clock
WEIGHTS = "vae/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return zoo.datasets.save(zoo.datasets.build_phantom(num_patients=12), tmp_path_factory.mktemp("data") / "phantom")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """A tiny VAE that has not been evaluated."""
    torch.manual_seed(0)
    vae = DenseVAE(64, 1, latent_dim=4, hidden_dims=[8])
    for parameter in vae.decoder.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    VAEPipeline(vae.eval()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def evaluated(untouched, phantom, tmp_path_factory):
    """The same, evaluated without a cache."""
    folder = tmp_path_factory.mktemp("evaluated") / "tiny"
    shutil.copytree(untouched, folder)
    code, _, error = run(
        "evaluate", folder, "--dataset", phantom, "--samples", 100, "--groups", GROUPS, "--batch-size", 1
    )
    assert code == 0, error
    for group in (
        "samples: 100 images, 1 network evaluation(s) each",
        "copying: 100 samples with",
        "items: 16 samples",
    ):
        assert group in error  # each says what it will cost before it starts
    return folder


@pytest.fixture
def model(evaluated, tmp_path):
    return shutil.copytree(evaluated, tmp_path / "tiny")


def test_an_evaluation_that_was_killed_goes_on_and_ends_with_the_same_bytes(untouched, evaluated, phantom, tmp_path):
    model, cache = shutil.copytree(untouched, tmp_path / "tiny"), tmp_path / "cache"
    command = ["evaluate", model, "--dataset", phantom, "--samples", 100, "--groups", GROUPS]
    command += ["--batch-size", 1, "--cache", cache]
    line = [sys.executable, "-c", "from zoo.cli import main; main()", *map(str, command)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(line, env={**os.environ, "OMP_NUM_THREADS": "1"}, **quiet) as process:
        while process.poll() is None and len(list(cache.glob("samples-*"))) < 3:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    kept = {path: path.stat().st_mtime_ns for path in cache.glob("samples-*")}
    assert 3 <= len(kept) < 100 and not (model / "metrics.json").exists()

    code, _, error = run(*command)
    assert code == 0, error
    assert len(list(cache.glob("samples-*"))) == 100
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # not made a second time
    # Neither the interruption nor the cache has changed a digit
    assert (model / "metrics.json").read_bytes() == (evaluated / "metrics.json").read_bytes()


def test_a_true_card_is_verified(model, phantom):
    code, output, _ = run("verify", model, "--dataset", phantom)
    assert code == 0, output
    assert "verified: all agree" in output and "do not agree" not in output
    assert "another machine than the card's" in output  # without group `cost` the card names none


def test_a_changed_figure_is_named_with_exit_code_1(model, phantom):
    metrics = load_metrics(model)
    metrics["copying"]["nearest_ssim_train"]["high"] += 0.1
    metrics["items"]["samples"]["mean"][3] += 0.1
    save(model / "metrics.json", metrics)
    code, output, error = run("verify", model, "--dataset", phantom, "--groups", "copying")
    assert code == 1 and "Traceback" not in error
    assert "1 do not agree" in output and "copying.nearest_ssim_train.high" in output
    assert "items: not asked for" in output


def test_quick_finds_other_samples_in_less_than_a_minute(model, phantom):
    started = time.process_time()  # what it takes on an idle machine, however crowded this one is
    assert run("verify", model, "--dataset", phantom, "--quick")[0] == 0
    assert time.process_time() - started < 60
    metrics = load_metrics(model)
    metrics["items"]["samples"]["mean"][3] += 0.1
    save(model / "metrics.json", metrics)
    code, output, _ = run("verify", model, "--dataset", phantom, "--quick")
    assert code == 1 and "items.samples.mean.3" in output and "1 do not agree" in output


def test_changed_weights_are_named_with_exit_code_1(model, phantom):
    tensors = load_file(model / WEIGHTS)
    first = next(iter(tensors))
    save_file(tensors | {first: tensors[first] + 0.01}, model / WEIGHTS)
    code, output, _ = run("verify", model, "--dataset", phantom, "--quick")
    assert code == 1 and f"model.sha256.{WEIGHTS}" in output and "nothing was computed" in output


def test_another_dataset_is_named_with_exit_code_1(model, phantom, tmp_path):
    other = zoo.datasets.save(zoo.datasets.build_phantom(num_patients=12, seed=1), tmp_path / "other")
    code, output, _ = run("verify", model, "--dataset", other, "--quick")
    assert code == 1 and "dataset.fingerprint" in output


def test_bad_input_exits_with_2(untouched, model, phantom):
    code, _, error = run("verify", untouched, "--dataset", phantom)
    assert code == 2 and error.splitlines()[-1].startswith("cardiac-zoo: error: metrics.json: no figures")
    (model / "metrics.json").write_text(json.dumps({"schema_version": 1, "model": 3}))
    code, _, error = run("verify", model, "--dataset", phantom)
    assert code == 2 and "model: expected a group of figures" in error
