import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState
from safetensors.torch import load_file
from torch import nn

import common.run
from common.checkpoint import Checkpoint, lock
from common.networks import NetworkRun
from common.recipe import Recipe
from common.schedules import schedule_of
from common.shell import resume_or_clear
from common.state import write_state
from zoo.errors import ZooError

IMAGES = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
BUILT = SimpleNamespace(
    info={"name": "toy", "preset": "toy", "fingerprint": "f" * 64, "splits": {"train": {"num_images": 40}}}
)


class Vectors(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"image": IMAGES[index]}


class Toy(nn.Module):
    """Learns to denoise; publishes itself as a file."""

    family = "toy"

    def __init__(self, width: int = 5):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 6))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)

    def save_pretrained(self, folder: Path) -> None:
        (folder / "weights").write_text("")


class Killed(BaseException):
    """What no code catches, like a kill."""


def train(
    folder: Path, resume=False, from_state=None, width=5, built=BUILT, loss_of=None, figure=1.0, **keys
) -> NetworkRun:
    """A whole training in a tenth of a second."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    settings = {"evaluate_every": 1, "checkpoint_every": 1, "epochs": 2, "batch_size": 8, "ema_decay": 0.9}
    settings |= {"mixed_precision": "no", "lr_scheduler": "cosine"}
    recipe = Recipe(name="toy", dataset="toy", output_dir=str(folder), **settings | keys)
    run = NetworkRun(recipe, resume, from_state)
    run.describe_dataset(built)
    model = Toy(width)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    model, optimizer, loader = run.prepare(model, optimizer, run.loader(Vectors()))
    scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(model)
    run.start(scheduler)
    for _ in run.epochs():
        for batch in run.batches(loader):
            with run.accelerator.accumulate(model):
                images = batch["image"]
                noisy = images + run.draw.randn(*images.shape)
                loss = (model(noisy) - images).square().mean()
                loss = loss if loss_of is None else loss_of(loss, run)
                run.accelerator.backward(loss)
                run.update(model, optimizer)
            if run.accelerator.sync_gradients:
                scheduler.step()
                ema.step(run.accelerator.unwrap_model(model).parameters())
            run.log(loss=loss)
        run.end_epoch(lambda: run.averaged(model, ema), lambda: {"validation_loss": figure}, decide="validation_loss")
    run.rate = scheduler.get_last_lr()[0], optimizer.param_groups[0]["lr"]
    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(Checkpoint(folder / "toy" / "checkpoints").find() / "model.safetensors")


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "toy" / "metrics.jsonl").read_text().splitlines()]


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def assert_same(one: Path, other: Path) -> None:
    found = weights(other)
    assert all(torch.equal(value, found[name]) for name, value in weights(one).items())


@pytest.fixture
def whole(tmp_path) -> Path:
    train(tmp_path / "whole")
    return tmp_path / "whole"


@pytest.mark.parametrize("step", ["settle", "begin", "save_state", "first rename", "second rename", "rmtree"])
def test_a_kill_at_any_step_of_a_checkpoint_leaves_a_run_that_resumes_bit_identically(
    step, whole, tmp_path, monkeypatch
):
    saved = []

    def killed(*_, **__):
        raise Killed

    def fail_in(self):
        """The second checkpoint is killed."""
        saved.append(1)
        if len(saved) < 2:
            return save(self)
        with monkeypatch.context() as patch:
            if step in ("settle", "begin"):
                patch.setattr(Checkpoint, step, killed)
            elif step == "save_state":
                patch.setattr(self.accelerator, "save_state", killed)
            elif step == "rmtree":
                patch.setattr("common.checkpoint.shutil.rmtree", killed)
            else:
                rename, done = Path.rename, []

                def rename_or_die(path, target):
                    done.append(1)
                    if len(done) == ("first rename", "second rename").index(step) + 1:
                        raise Killed
                    return rename(path, target)

                patch.setattr(Path, "rename", rename_or_die)
            return save(self)

    save = common.run.Run._save_checkpoint
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(common.run.Run, "_save_checkpoint", fail_in)
        train(tmp_path / "broken", epochs=2)
    assert resume_or_clear(tmp_path / "broken" / "toy") == ["--resume"]
    train(tmp_path / "broken", resume=True)
    assert_same(whole, tmp_path / "broken")
    assert [path.name for path in (tmp_path / "broken" / "toy" / "checkpoints").iterdir()] == ["last"]


@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_run_stopped_within_an_epoch_goes_on_bit_identically(accumulation, tmp_path):
    keys = {"gradient_accumulation_steps": accumulation}
    train(tmp_path / "whole", **keys)

    def stop(loss, run):
        run.interrupted = run.progress.step == 2
        return loss

    assert train(tmp_path / "broken", loss_of=stop, **keys).progress.epoch == 0
    train(tmp_path / "broken", resume=True, **keys)
    assert_same(tmp_path / "whole", tmp_path / "broken")
    assert rows(tmp_path / "whole")[-1]["images_seen"] == rows(tmp_path / "broken")[-1]["images_seen"] == 80


def test_an_optimiser_step_takes_batch_size_images_whatever_the_accumulation(tmp_path):
    once = train(tmp_path / "once", batch_size=16)
    twice = train(tmp_path / "twice", batch_size=16, gradient_accumulation_steps=2)
    assert once.progress.step == twice.progress.step == 4  # two epochs of two steps; 8 of 40 images are left out
    assert once.progress.images_seen == twice.progress.images_seen == 64
    with pytest.raises(ZooError, match="batch_size: expected a multiple of 3 .* got 8"):
        train(tmp_path / "odd", gradient_accumulation_steps=3)


def test_more_images_a_step_than_there_are_is_refused(tmp_path):
    with pytest.raises(ZooError, match="batch_size: expected at most 40, the number of training images, got 41"):
        train(tmp_path, batch_size=41)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seed": 1}, "is a run of another recipe: seed was 0, is 1"),
        ({"built": SimpleNamespace(info=BUILT.info | {"fingerprint": "0" * 64})}, "toy: expected toy toy with finger"),
        ({"width": 6}, "is of another network or optimiser"),
    ],
)
def test_another_recipe_dataset_or_network_is_refused_and_the_run_stays_as_it_was(change, complaint, whole):
    before = files(whole)
    with pytest.raises(ZooError, match=complaint) as error:
        train(whole, resume=True, epochs=3, **change)
    assert "\n" not in str(error.value)
    assert files(whole) == before


def test_settings_of_the_machine_may_change_and_are_logged_by_stage(whole):
    train(whole, resume=True, epochs=3, mixed_precision="bf16")
    stages = [row for row in rows(whole) if "mixed_precision" in row]
    assert [(row["epoch"], row["mixed_precision"], row["processes"]) for row in stages] == [
        (0, "no", 1),
        (2, "bf16", 1),
    ]
    assert all(row["hardware"] for row in stages)


def test_a_loss_that_is_no_number_stops_the_run_at_its_step(tmp_path):
    with pytest.raises(ZooError, match="loss is nan at step 2, epoch 1"):
        train(tmp_path, loss_of=lambda loss, run: loss * (float("nan") if run.progress.step == 1 else 1))
    assert not (tmp_path / "toy" / "pipeline").exists()


def test_a_figure_that_is_no_number_is_not_kept(tmp_path):
    with pytest.raises(ZooError, match="validation_loss is nan after epoch 1, expected a number"):
        train(tmp_path, figure=float("nan"))
    assert not (tmp_path / "toy" / "pipeline").exists()
    assert all("validation_loss" not in row for row in rows(tmp_path))


def test_a_finished_run_that_is_resumed_says_so_and_stays(whole, capsys):
    train(whole, resume=True)
    assert "all 2 epochs are done; nothing is left to train" in capsys.readouterr().out
    assert [row["epoch"] for row in rows(whole) if "validation_loss" in row] == [1, 2]


def stop_at_the_thirteenth_step(loss, run):
    run.interrupted = run.progress.step == 12
    return loss


def test_a_state_goes_on_with_a_fresh_optimiser_and_all_else_as_it_was(tmp_path):
    stopped = train(tmp_path / "half", epochs=4, loss_of=stop_at_the_thirteenth_step)
    state = write_state(tmp_path / "half" / "toy", tmp_path / "state")
    assert sum(file.stat().st_size for file in state.iterdir()) < 10_000

    at_start = {}

    def look(loss, run):
        at_start.setdefault("progress", vars(run.progress).copy())
        at_start.setdefault("rate", run.accelerator._optimizers[0].param_groups[0]["lr"])
        at_start.setdefault("steps", len(run.accelerator._optimizers[0].state))
        at_start.setdefault("weights", {k: v.clone() for k, v in run.accelerator._models[0].state_dict().items()})
        at_start.setdefault("average", [v.clone() for v in run._averages[0].shadow_params])
        return loss

    run = train(tmp_path / "other", epochs=4, from_state=str(state), loss_of=look)
    before = vars(stopped.progress)
    assert at_start["progress"] == before | {"restarts": 1}
    assert at_start["steps"] == 0 and at_start["rate"] == pytest.approx(stopped.rate[0])
    for name, value in weights(tmp_path / "half").items():
        torch.testing.assert_close(at_start["weights"][name], value, rtol=1e-3, atol=1e-4)
    for found, value in zip(at_start["average"], stopped._averages[0].shadow_params, strict=True):
        torch.testing.assert_close(found, value, rtol=1e-3, atol=1e-4)
    assert run.progress.images_seen == 160 and run.rate[0] == pytest.approx(0, abs=1e-9)
    training = json.loads((tmp_path / "other" / "toy" / "pipeline" / "metrics.json").read_text())["training"]
    assert training["optimizer_restarts"] == 1


def test_a_state_of_another_recipe_or_network_is_refused(whole, tmp_path):
    state = str(write_state(whole / "toy", tmp_path / "state"))
    for change, complaint in (
        ({"seed": 1}, "another recipe: seed was 0, is 1"),
        ({"width": 6}, "0.layers.0.weight: expected a tensor of shape"),
        ({"built": SimpleNamespace(info=BUILT.info | {"fingerprint": "0" * 64})}, "with fingerprint ffff"),
    ):
        with pytest.raises(ZooError, match=complaint):
            train(tmp_path / "other", from_state=state, **change)
    with pytest.raises(ZooError, match="has 2 epochs behind it, expected fewer than the recipe's epochs, 2"):
        train(tmp_path / "other", from_state=state)
    assert not (tmp_path / "other").exists()
    with pytest.raises(ZooError, match="not found, expected what training/state.py leaves"):
        train(tmp_path / "other", from_state=str(tmp_path))


def test_a_state_that_is_too_large_keeps_the_average_alone(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("common.state.LIMIT", 200)  # bytes; weights and average are 142 each
    state = write_state(whole / "toy", tmp_path / "state")
    seen = []

    def look(loss, run):
        seen.append([v.clone() for v in run.accelerator._models[0].state_dict().values()])
        seen.append([v.clone() for v in run._averages[0].shadow_params])
        return loss

    train(tmp_path / "other", epochs=3, from_state=str(state), loss_of=look)
    assert all(map(torch.equal, seen[0], seen[1]))
    monkeypatch.setattr("common.state.LIMIT", 100)
    with pytest.raises(ZooError, match="its state has .* expected at most"):
        write_state(whole / "toy", tmp_path / "state")


def test_a_state_holds_tensors_that_lie_otherwise_in_memory(whole, tmp_path, monkeypatch):
    plain = load_file(write_state(whole / "toy", tmp_path / "plain") / "state.safetensors")
    monkeypatch.setattr("common.state._half", lambda value: value.half().t().contiguous().t())  # as channels-last does
    state = load_file(write_state(whole / "toy", tmp_path / "state") / "state.safetensors")
    assert state.keys() == plain.keys() and all(torch.equal(state[name], plain[name]) for name in plain)


def test_a_second_process_in_a_folder_is_refused_until_the_first_ends(whole):
    hold = "import sys, time; sys.path.insert(0, sys.argv[2]); from pathlib import Path"
    hold += "; from common.checkpoint import lock; lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", hold, str(whole / "other"), str(Path(common.run.__file__).parents[1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(ZooError, match=f"process {first.pid} trains in this folder"):
            lock(whole / "other")
        first.kill()
    lock(whole / "other")


def test_an_orphan_of_a_killed_launcher_stops(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")

    def kill_the_launcher(loss, run):
        if run.progress.step == 1:
            monkeypatch.setattr(os, "getppid", lambda: 1)
        return loss

    assert train(tmp_path, loss_of=kill_the_launcher).progress.step == 2
    assert (tmp_path / "toy" / "checkpoints" / "last").is_dir()
