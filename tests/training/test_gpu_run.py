"""The run for a GPU that is lent for minutes, on tiny networks."""

import json
import tarfile

import pytest
import torch

import gpu_run
import zoo
from gpu_run import SLICES, Slice, command_of, export
from zoo.errors import ZooError
from zoo.published.metrics_file import save

TINY = ["--batch_size", 16, "--evaluate_every", 1, "--sample_every", 1000]


def test_slices_name_recipes_and_fill_the_time():
    assert sum(part.share for part in SLICES) == pytest.approx(1)
    for part in SLICES:
        assert (gpu_run.HERE / "recipes" / f"{part.recipe}.yaml").is_file() and (gpu_run.HERE / part.script).is_file()


def test_a_stage_finds_the_one_before_it(tmp_path):
    command = command_of(SLICES[1], tmp_path / "data", tmp_path / "runs")
    assert str(tmp_path / "runs" / "hearts-coarse-acdc-128" / "pipeline") in command


def test_what_is_exported_loads_and_is_small(dcgan, tmp_path):
    run = tmp_path / "runs" / "tiny"
    export(run, tmp_path)
    assert not (tmp_path / "tiny.tar").exists()  # nothing yet
    dcgan.save_pretrained(run / "pipeline")
    save(run / "pipeline" / "metrics.json", {"schema_version": 1, "model": {"name": "tiny", "family": "gan"}})
    (run / "pipeline" / "recipe.yaml").write_text("name: tiny\n")
    (run / "metrics.jsonl").write_text('{"step": 1}\n')
    export(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["tiny.tar"]
    with tarfile.open(tmp_path / "tiny.tar") as archive:
        archive.extractall(tmp_path / "back", filter="data")
    stored = zoo.from_pretrained(tmp_path / "back" / "tiny" / "pipeline", torch_dtype=torch.float16)
    assert stored.dtype == torch.float16
    assert (tmp_path / "back" / "tiny" / "metrics.jsonl").read_text() == '{"step": 1}\n'


@pytest.mark.slow
def test_rehearsal(few_images, tmp_path, monkeypatch):
    data = few_images.rpartition("/")
    parts = [Slice("dcgan-phantom-64", "train_gan.py", 0.5, data[2], TINY)]
    parts.append(Slice("no-such-recipe", "train_gan.py", 0.5, data[2]))
    monkeypatch.setattr(gpu_run, "SLICES", parts)
    monkeypatch.setattr(gpu_run, "SPARE", 1.0)
    with pytest.raises(ZooError, match="no-such-recipe: the trial failed"):
        gpu_run.main(["--data", data[0], "--output", str(tmp_path), "--seconds", "41", "--rehearse"])
    with tarfile.open(tmp_path / "dcgan-phantom-64.tar") as archive:
        metrics = json.load(archive.extractfile("dcgan-phantom-64/pipeline/metrics.json"))
    assert metrics["training"]["images_seen"] > 0 and metrics["training"]["hardware"]


def test_without_a_gpu_it_says_so(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ZooError, match="no GPU: expected one, or --rehearse"):
        gpu_run.main(["--output", str(tmp_path)])
