"""A run: its folder, its log, its checkpoints, and when it stops."""

import contextlib
import copy
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from diffusers.training_utils import EMAModel
from tqdm.auto import tqdm

import zoo
from common.curves import draw_curves
from common.recipe import Recipe
from common.schedules import PlateauScheduler
from zoo.errors import ZooError
from zoo.figures import image_grid, pictures
from zoo.files import atomic_folder, write_atomic
from zoo.hardware import describe_hardware
from zoo.pipelines import sample_generators
from zoo.published.loading import find_folder
from zoo.published.metrics_file import load_metrics
from zoo.samples import denoising_strip

LOG_EVERY = 50  # optimiser steps


@dataclasses.dataclass
class Progress:
    """How far a run has come; saved in every checkpoint."""

    epoch: int = 0
    batch: int = 0  # within the epoch
    step: int = 0  # of the optimiser
    images_seen: int = 0
    seconds: float = 0.0
    best: float | None = None
    since_best: int = 0  # evaluations

    def state_dict(self) -> dict:
        return dataclasses.asdict(self)

    def load_state_dict(self, state: dict) -> None:
        for key, value in state.items():
            setattr(self, key, value)


class Run:
    """Keeps a training run: `for epoch in run.epochs(): for batch in run.batches(loader): …; run.end_epoch(…)`.

    The folder `recipe.folder` holds `recipe.yaml` (resolved), `metrics.jsonl`, `curves.png`, `samples/`,
    `strips/` of models that work in steps, `checkpoints/last/` for an exact resume, and `pipeline/`, the best model so
    far by the validation patients.

    Every random number of a step comes from the seed, the number of the batch and the process; that, the order of the
    data (seeded by epoch) and the checkpoint make a resumed run equal to one that never stopped.

    Args:
        recipe (`Recipe`): The hyperparameters.
        resume (`bool`): Whether to go on from the last checkpoint; without it an existing run is refused.
    """

    def __init__(self, recipe: Recipe, resume: bool = False):
        self.recipe, self.folder, self.progress = recipe, recipe.folder, Progress()
        self.checkpoint = self.folder / "checkpoints" / "last"
        if resume and not self.checkpoint.is_dir():
            raise ZooError(f"{self.checkpoint}: no checkpoint to resume from")
        self.log_file = self.folder / "metrics.jsonl"
        if not resume and (self.log_file.exists() or self.checkpoint.exists()):
            raise ZooError(f"{self.folder}: already holds a run; give --resume, another --name or --output_dir")
        self.resuming = resume
        self.accelerator = Accelerator(
            mixed_precision=recipe.mixed_precision,
            gradient_accumulation_steps=recipe.gradient_accumulation_steps,
            log_with=recipe.tracker,
            project_dir=self.folder,
            dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True, data_seed=recipe.seed),
        )
        self.accelerator.register_for_checkpointing(self.progress)
        torch.manual_seed(recipe.seed)  # initial weights
        self.interrupted = self.finished = False
        self._pending: list[dict] = []
        self.dataset: dict = {}
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / "recipe.yaml", recipe.to_yaml())
        if recipe.tracker:
            config = {k: v if isinstance(v, int | float | str) else str(v) for k, v in vars(recipe).items()}
            self.accelerator.init_trackers(recipe.name, config=config)

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    @property
    def fractional_epoch(self) -> float:
        """Epochs done, the share of the present one included."""
        batches = len(self.accelerator._dataloaders[0])
        return self.progress.epoch + self.progress.batch / max(1, batches)

    def describe_dataset(self, built) -> None:
        """Remembers what the model is trained on, for its `metrics.json`."""
        train = built.info["splits"]["train"]
        self.dataset = {key: built.info[key] for key in ("name", "preset", "fingerprint")}
        self.dataset |= {"n_images": train["num_images"], "n_patients": len(train.get("patient_ids", []))}

    def start(self) -> None:
        """Loads the checkpoint when resuming. Call it when everything is prepared and registered."""
        if self.resuming:
            self.accelerator.load_state(str(self.checkpoint))
            self._cut_log()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)
        self._clock = time.perf_counter() - self.progress.seconds

    def average_of(self, network: torch.nn.Module) -> EMAModel:
        """The moving average of the weights of a network that the accelerator has prepared."""
        ema = EMAModel(self.accelerator.unwrap_model(network).parameters(), decay=self.recipe.ema_decay)
        ema.to(self.device)
        return ema

    def averaged(self, network: torch.nn.Module, ema: EMAModel) -> torch.nn.Module:
        """A copy of a prepared network that has the averaged weights, in eval mode."""
        network = copy.deepcopy(self.accelerator.unwrap_model(network))
        ema.copy_to(network.parameters())
        return network.eval()

    def update(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """A step of the optimiser along the gradients of `network`, whose norm is bound by `max_grad_norm`."""
        if self.accelerator.sync_gradients and self.recipe.max_grad_norm is not None:
            self.accelerator.clip_grad_norm_(network.parameters(), self.recipe.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()

    def epochs(self) -> Iterator[int]:
        """The epochs still to run; ends early at Ctrl-C, at `max_seconds` or when patience is over."""
        while self.progress.epoch < self.recipe.epochs and not (self.interrupted or self.finished):
            yield self.progress.epoch
        if self.interrupted:
            self._save_checkpoint()
            self._say(f"stopped; go on with --resume ({self.checkpoint})")
        self.accelerator.end_training()

    def batches(self, loader) -> Iterator[dict[str, torch.Tensor]]:
        """The batches of the epoch that are still to come, each with the random numbers seeded."""
        state = self.progress
        loader.set_epoch(state.epoch)
        skipped = self.accelerator.skip_first_batches(loader, state.batch) if state.batch else loader
        bar = tqdm(
            total=len(loader),
            initial=state.batch,
            desc=f"epoch {state.epoch + 1}/{self.recipe.epochs}",
            disable=not self.accelerator.is_main_process or not sys.stderr.isatty(),
            leave=False,
        )
        with bar:
            for batch in skipped:
                rank, count = self.accelerator.process_index, self.accelerator.num_processes
                number = state.epoch * len(loader) + state.batch
                torch.manual_seed((self.recipe.seed * 1_000_003 + number) * count + rank)
                yield batch
                state.batch += 1
                state.images_seen += len(batch["image"]) * count
                state.seconds = time.perf_counter() - self._clock
                bar.update()
                if self.accelerator.sync_gradients:
                    state.step += 1
                    if state.step % LOG_EVERY == 0:
                        self._write_log(self._mean_pending())
                    out_of_time = self.recipe.max_seconds is not None and state.seconds >= self.recipe.max_seconds
                    self.interrupted = self._agree(self.interrupted)
                    self.finished = self._agree(self.finished or out_of_time)
                    if self.interrupted or self.finished:
                        return

    def log(self, **values: torch.Tensor | float) -> None:
        """Keeps figures of one batch; their means are written every few steps."""
        self._pending.append({key: torch.as_tensor(value).detach() for key, value in values.items()})

    def end_epoch(
        self, build: Callable, evaluate: Callable[[], dict[str, float]], decide: str, schedulers: Iterable = ()
    ) -> None:
        """Does what is due after an epoch: evaluates, keeps the best model, draws samples, saves a checkpoint.

        Args:
            build (callable): Makes the pipeline of the present weights.
            evaluate (callable): Measures the present weights on the validation patients.
            decide (`str`): The figure among them, lower is better, that decides which model is kept.
            schedulers (iterable of `LRScheduler`): Those that wait for a plateau are told that figure.
        """
        state, recipe = self.progress, self.recipe
        if self.interrupted:
            return
        state.epoch, state.batch = state.epoch + 1, 0
        last = self.finished or state.epoch == recipe.epochs
        evaluated, figure = last or state.epoch % recipe.evaluate_every == 0, 0.0
        if self.accelerator.is_main_process:
            if self._pending:
                self._write_log(self._mean_pending())
            if evaluated:
                values = evaluate()
                figure = values[decide]
                self._write_log(values)
                state.since_best += 1
                if state.best is None or values[decide] < state.best:
                    state.best, state.since_best = values[decide], 0
                    self._save_pipeline(build(), decide)
                draw_curves(self.log_file, self.folder / "curves.png")
            if last or state.epoch % recipe.sample_every == 0:
                self._save_samples(build())
        self.accelerator.wait_for_everyone()
        if evaluated:
            for scheduler in schedulers:
                if isinstance(scheduler, PlateauScheduler):
                    scheduler.step(self._sum(figure))
        state.seconds = time.perf_counter() - self._clock
        impatient = recipe.patience is not None and state.since_best >= recipe.patience
        self.finished = self._agree(last or impatient)
        if self.finished or state.epoch % recipe.checkpoint_every == 0:
            self._save_checkpoint()

    def _interrupt(self, number, frame) -> None:
        if self.interrupted:  # asked twice: the user does not want to wait
            raise KeyboardInterrupt
        self.interrupted = True

    def _agree(self, flag: bool) -> bool:
        """Whether the flag is up in any process: all of them must stop at the same step."""
        return bool(self._sum(float(flag)))

    def _sum(self, value: float) -> float:
        """The sum of a number over all processes."""
        if self.accelerator.num_processes == 1:
            return value
        return self.accelerator.reduce(torch.tensor(value, device=self.device), "sum").item()

    def _say(self, text: str) -> None:
        if self.accelerator.is_main_process:
            tqdm.write(text)

    def _mean_pending(self) -> dict[str, float]:
        rows, self._pending = self._pending, []
        names = dict.fromkeys(key for row in rows for key in row)  # not every batch has every figure
        return {key: torch.stack([row[key] for row in rows if key in row]).float().mean().item() for key in names}

    def _write_log(self, values: dict[str, float]) -> None:
        if not self.accelerator.is_main_process:
            return
        state = self.progress
        row = {"step": state.step, "epoch": round(self.fractional_epoch, 3)}
        row |= {"images_seen": state.images_seen, "seconds": round(state.seconds, 1)}
        row |= {"images_per_second": round(state.images_seen / max(state.seconds, 1e-9), 2), **values}
        with self.log_file.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.accelerator.log(values, step=state.step)
        self._say("  ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))

    def _cut_log(self) -> None:
        """Drops the rows that were written after the checkpoint: those steps will be done again."""
        if self.accelerator.is_main_process and self.log_file.exists():
            lines = self.log_file.read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= self.progress.step]
            write_atomic(self.log_file, "".join(f"{line}\n" for line in kept))

    def _save_checkpoint(self) -> None:
        temporary, old = self.checkpoint.with_name("new"), self.checkpoint.with_name("old")
        if self.accelerator.is_main_process:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(temporary))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            if self.checkpoint.exists():
                self.checkpoint.rename(old)
            temporary.rename(self.checkpoint)
            shutil.rmtree(old, ignore_errors=True)

    def _save_pipeline(self, pipeline, decide: str) -> None:
        state = self.progress
        before = [load_metrics(find_folder(source)).get("training", {}) for source in self.recipe.sources]
        training = {
            "recipe": self.recipe.name,
            "images_seen": state.images_seen + sum(run.get("images_seen", 0) for run in before),
            "epochs": state.epoch,
            "seconds": round(state.seconds + sum(run.get("seconds", 0.0) for run in before), 1),
            "hardware": describe_hardware(self.device),
            "seed": self.recipe.seed,
            "code_version": _code_version(),
            "selected_by": {decide: state.best},
            "dataset": self.dataset,
        }
        model = {"name": self.recipe.name, "family": pipeline.family}
        with atomic_folder(self.folder / "pipeline") as folder:
            pipeline.save_pretrained(folder)
            write_atomic(folder / "recipe.yaml", self.recipe.to_yaml())
            content = {"schema_version": 1, "model": model, "training": training}
            write_atomic(folder / "metrics.json", json.dumps(content, indent=2) + "\n")

    def _save_samples(self, pipeline) -> None:
        pipeline.set_progress_bar_config(disable=True)
        samples = pipeline(batch_size=16, generator=sample_generators(0, range(16)), output_type="np")
        path = self.folder / "samples" / f"epoch-{self.progress.epoch:04d}.png"
        path.parent.mkdir(exist_ok=True)
        image_grid(pictures(samples), columns=8).save(path)
        if hasattr(pipeline, "preview"):  # one that works in steps
            strip = self.folder / "strips" / path.name
            strip.parent.mkdir(exist_ok=True)
            denoising_strip(pipeline).save(strip)


def _code_version() -> str:
    """The package's version and, in a checkout, the commit."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = ["git", "describe", "--always", "--dirty"]
        root = Path(__file__).parent
        commit = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
        return f"{zoo.__version__}+{commit}"
    return zoo.__version__
