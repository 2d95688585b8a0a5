"""Pixels in memory and pixels mapped from a file are the same pixels."""

import json
import subprocess
import sys

import datasets
import pytest
import torch

import train_diffusion
import zoo.datasets
from common import pixels
from common.pixels import pixels_of
from zoo.errors import ZooError

LEVEL = """
import sys
import torch
import zoo.datasets
from common import pixels
pixels.IN_MEMORY = 2**20
split = zoo.datasets.load(sys.argv[1]).dataset["train"]
split = split.select([i % len(split) for i in range(int(sys.argv[2]))])
images = pixels.pixels_of(split)
for index in torch.randperm(len(images))[:5000].tolist():
    images[index].float().mean()
(held,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("RssAnon")]
print(int(held) // 1024)
"""


@pytest.fixture
def mapped(monkeypatch, tmp_path):
    """Every split counts as too large for memory; the folder where its file goes."""
    monkeypatch.setattr(pixels, "IN_MEMORY", 0)
    monkeypatch.setattr(pixels, "ROWS", 7)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache" / "cardiac-zoo"


@pytest.fixture
def split(few_images):
    return zoo.datasets.load(few_images).dataset["train"]


def test_mapped_pixels_are_those_of_the_rows_and_are_decoded_once(split, mapped, monkeypatch):
    expected = torch.from_numpy(zoo.datasets.images(split)).movedim(-1, 1)
    assert torch.equal(pixels_of(split), expected)
    assert [file.stat().st_size for file in mapped.iterdir()] == [48 * 64 * 64]
    monkeypatch.setattr(pixels, "_decoded", None)
    assert torch.equal(pixels_of(split), expected)


def test_another_split_and_a_broken_file_are_decoded_anew(split, mapped):
    first = pixels_of(split)
    assert torch.equal(pixels_of(split.select(range(5, 15))), first[5:15])
    (whole,) = [file for file in mapped.iterdir() if file.stat().st_size == 48 * 64 * 64]
    expected = first.clone()
    whole.write_bytes(b"half")
    assert torch.equal(pixels_of(split), expected)


def test_what_cannot_be_written_is_told_and_leaves_nothing(split, mapped, monkeypatch):
    def full(rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pixels, "_decoded", full)
    with pytest.raises(ZooError, match="pixels of 48 images cannot be written: No space left on device"):
        pixels_of(split)
    assert list(mapped.iterdir()) == []


def test_a_training_sees_the_same_either_way(few_images, tmp_path, monkeypatch, request):
    def losses(name: str) -> list[float]:
        recipe = tmp_path / f"{name}.yaml"
        recipe.write_text(
            f"name: {name}\ndataset: {few_images}\noutput_dir: {tmp_path}/runs\nepochs: 2\nbatch_size: 16\n"
            "conditions: [pathology]\n"
            "patch_size: 8\nblock_out_channels: [8, 8]\nattention_levels: []\nattention_head_dim: 4\n"
            "norm_num_groups: 2\nmixed_precision: 'no'\nevaluate_every: 1\nsample_every: 2\nnum_inference_steps: 2\n"
            "checkpoint_every: 2\nrotation_degrees: 10\n"
        )
        train_diffusion.main(["--config", str(recipe)])
        rows = (tmp_path / "runs" / name / "metrics.jsonl").read_text().splitlines()
        found = [json.loads(row) for row in rows]
        return [row[key] for row in found for key in ("loss", "validation_loss") if key in row]

    in_memory = losses("memory")
    assert len(in_memory) >= 3
    folder = request.getfixturevalue("mapped")
    assert losses("mapped") == in_memory
    assert len(list(folder.iterdir())) == 2  # train and validation


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_level(few_images, tmp_path):
    """From 10,000 to 200,000 images of 64 x 64, 41 MB and 819 MB of pixels."""

    def held(count: int) -> int:
        code = [sys.executable, "-c", LEVEL, few_images, str(count)]
        environment = {"PYTHONPATH": "training", "HF_DATASETS_CACHE": str(tmp_path), "PATH": ""}
        return int(subprocess.run(code, env=environment, capture_output=True, text=True, check=True).stdout)

    assert held(200_000) - held(10_000) < 100  # MB
