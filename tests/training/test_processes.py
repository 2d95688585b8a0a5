"""The same recipe, seed and global batch on one process and on two."""

import importlib
import json
from pathlib import Path

import pytest
import torch
from accelerate import debug_launcher

import common.run
import zoo.datasets
from common.draws import Draws

STEPS = 5
COMMON = {
    "epochs": "1",
    "batch_size": "8",
    "mixed_precision": "no",
    "ema_decay": "0.9",
    "evaluate_every": "1",
    "sample_every": "1",
    "checkpoint_every": "1",
    "rotation_degrees": "10",
    "horizontal_flip": "true",
}
SMALL = {"block_out_channels": "[4, 8]", "norm_num_groups": "2", "attention_levels": "[]", "num_inference_steps": "2"}
SCRIPTS = {
    "train_diffusion": SMALL | {"conditions": "[pathology]", "attention_head_dim": "4"},
    "train_score": SMALL | {"attention_head_dim": "4"},
    "train_vae": {"family": "vae", "network": "{latent_dim: 4, hidden_dims: [8]}"},
    "train_gan": {
        "generator": "{base_channels: 4, latent_dim: 8}",
        "discriminator": "{base_channels: 4}",
        "kid_samples": "4",
        "diffaugment": "[color, translation, cutout]",
    },
    "train_autoencoder": {
        "block_out_channels": "[4, 8]",
        "norm_num_groups": "2",
    },
    "train_classifier": {"conditions": "[pathology]", "block_out_channels": "[4, 4, 4, 4]"},
    "train_segmenter": {"block_out_channels": "[8, 16]"},
}


@pytest.fixture(scope="session")
def forty_images(phantom, tmp_path_factory) -> str:
    built = zoo.datasets.load(phantom)
    for split, count in (("train", 8 * STEPS), ("validation", 16)):
        built.dataset[split] = built.dataset[split].select(range(count))
        built.info["splits"][split]["num_images"] = count
    return str(zoo.datasets.save(built, tmp_path_factory.mktemp("data") / "forty"))


def work(script: str, folder: Path, arguments: list[str], extractor) -> None:
    """What each process does: it trains, logs every step and keeps its weights and the sum of all it has drawn."""
    torch.set_num_threads(1)
    common.run.LOG_EVERY = 1
    module = importlib.import_module(script)
    if hasattr(module, "EfficientNetLite0Extractor"):
        module.EfficientNetLite0Extractor = extractor
    kept, runs, save = {"drawn": torch.zeros(1, dtype=torch.float64)}, [], common.run.Run._save_checkpoint

    def rows(self, draw, count):
        whole = draw(count * self.processes)
        kept["drawn"] += whole.double().sum()
        return whole[count * self.rank : count * (self.rank + 1)]

    def keep(self):
        runs.append(self)
        for number, model in enumerate(self.accelerator._models):
            parameters = self.accelerator.unwrap_model(model).named_parameters()
            kept.update({f"{number}.{name}": value.detach() for name, value in parameters})
        save(self)

    Draws.rows, common.run.Run._save_checkpoint = rows, keep
    module.main(arguments)
    torch.save(kept, folder / f"kept-{runs[0].accelerator.process_index}.pt")


def launch(script: str, processes: int, folder: Path, dataset: str, extractor, *options: str) -> list[dict]:
    """Trains, and returns what each process had at the end."""
    keys = COMMON | SCRIPTS[script] | {"name": "run", "dataset": dataset, "output_dir": str(folder)}
    folder.mkdir(exist_ok=True)
    recipe = folder / "recipe.yaml"
    recipe.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
    arguments = ["--config", str(recipe), *options]
    debug_launcher(work, (script, folder, arguments, extractor), num_processes=processes)
    with (folder / "run" / "metrics.jsonl").open() as log:
        assert [json.loads(line) for line in log if "processes" in line][-1]["processes"] == processes
    return [torch.load(folder / f"kept-{rank}.pt", weights_only=True) for rank in range(processes)]


def slow(script: str):
    return pytest.param(script, marks=pytest.mark.slow)


def losses(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "loss" in row or "d_loss" in row]
    assert len(steps) >= STEPS
    return [{key: value for key, value in row.items() if "loss" in key} for row in steps]


@pytest.mark.parametrize("script", ["train_diffusion", *map(slow, ("train_score", "train_vae", "train_autoencoder"))])
def test_two_processes_have_the_losses_of_one(script, forty_images, tmp_path, coarse_pixels):
    (one,) = launch(script, 1, tmp_path / "one", forty_images, coarse_pixels)
    first, second = launch(script, 2, tmp_path / "two", forty_images, coarse_pixels)
    for alone, shared in zip(losses(tmp_path / "one"), losses(tmp_path / "two"), strict=True):
        assert shared == pytest.approx(alone, rel=1e-5)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert one["drawn"] == first["drawn"]


@pytest.mark.parametrize("script", ["train_gan", *map(slow, ("train_classifier", "train_segmenter"))])
def test_with_batch_statistics_all_processes_hold_the_same_weights_and_draw_the_same(
    script, forty_images, tmp_path, coarse_pixels
):
    (one,) = launch(script, 1, tmp_path / "one", forty_images, coarse_pixels)
    first, second = launch(script, 2, tmp_path / "two", forty_images, coarse_pixels)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert one["drawn"] == first["drawn"] == second["drawn"]


@pytest.mark.slow
def test_a_run_of_two_processes_resumes_bit_identically_and_one_process_may_go_on(
    forty_images, tmp_path, coarse_pixels
):
    def trained(folder: Path, processes: int, *options: str) -> dict:
        return launch("train_diffusion", processes, folder, forty_images, coarse_pixels, *options)[0]

    whole, stopped, alone = (tmp_path / name for name in ("whole", "stopped", "alone"))
    weights = trained(whole, 2, "--epochs", "2")
    for folder in (stopped, alone):
        trained(folder, 2)
    resumed = trained(stopped, 2, "--epochs", "2", "--resume")
    assert all(torch.equal(value, resumed[name]) for name, value in weights.items() if name != "drawn")
    trained(alone, 1, "--epochs", "2", "--resume")
    for ours, theirs in zip(losses(alone), losses(whole), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
