"""A run: its folder, its log, its checkpoints, and when it stops."""

import contextlib
import copy
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DataLoaderConfiguration, parse_flag_from_env
from diffusers.training_utils import EMAModel
from safetensors.torch import load_model
from torch.utils.data import DataLoader, Dataset, RandomSampler
from tqdm.auto import tqdm

import zoo
from common.checkpoint import Checkpoint, lock
from common.curves import draw_curves
from common.distributed import alone, has_batch_norm, save_without_wrapping
from common.draws import Draws
from common.machine import choose_precision, launcher_of, warn_of_one_process
from common.recipe import Recipe
from common.same import check_same
from common.schedules import PlateauScheduler
from common.state import State
from zoo.errors import ZooError
from zoo.figures import image_grid, pictures
from zoo.files import atomic_folder, write_atomic
from zoo.hardware import describe_hardware
from zoo.pipelines import sample_generators
from zoo.published.loading import find_folder
from zoo.published.metrics_file import load_metrics, save
from zoo.samples import denoising_strip

LOG_EVERY = 50  # optimiser steps
RUN_FILE = "run.json"  # in a checkpoint: of what recipe and dataset it is


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
    restarts: int = 0  # times that the optimiser was begun anew, from a state of another machine

    def state_dict(self) -> dict:
        return dataclasses.asdict(self)

    def load_state_dict(self, state: dict) -> None:
        for key, value in state.items():
            setattr(self, key, value)


class Run:
    """Keeps a training run: `for epoch in run.epochs(): for batch in run.batches(loader): …; run.end_epoch(…)`.

    The folder `recipe.folder` holds `recipe.yaml` (resolved), `metrics.jsonl`, `curves.png`, `samples/`,
    `strips/` of models that work in steps, `checkpoints/last/` for an exact resume, and `pipeline/`, the best model so
    far by the validation patients. Nothing is written before everything is checked and built (`start`).

    Every random number of a step comes from the seed and the number of the batch: that of an image (`draw`) also from
    its place in the global batch, that within a network (dropout) from the process. The order of the data is seeded by
    epoch. So a resumed run equals one that never stopped, and one of two processes one of one.

    Args:
        recipe (`Recipe`): The hyperparameters.
        resume (`bool`): Whether to go on from the last checkpoint; without it an existing run is refused.
        from_state (`str`, *optional*): A folder of `training/state.py` to go on from, with a fresh optimiser.

    Raises:
        ZooError: If there is nothing to resume, or another run or recipe is in the way, or the batch cannot be divided.
    """

    def __init__(self, recipe: Recipe, resume: bool = False, from_state: str | None = None):
        self.recipe, self.folder, self.progress = recipe, recipe.folder, Progress()
        self.checkpoint = Checkpoint(self.folder / "checkpoints")
        self.log_file = self.folder / "metrics.jsonl"
        self.resuming, self.state = resume, None
        if from_state:
            if resume:
                raise ZooError("--from_state: expected without --resume, which has a state of its own")
            self.state = State(Path(from_state))
            check_same(recipe, self.state.recipe, self.state.file)
        if resume:
            check_same(recipe, self._found().get("recipe", {}), self.folder)
        elif self._is_taken():
            raise ZooError(f"{self.folder}: already holds a run; give --resume, another --name or --output_dir")
        device = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU")).device
        self.accelerator = Accelerator(
            mixed_precision=choose_precision(recipe.mixed_precision, device),
            gradient_accumulation_steps=recipe.gradient_accumulation_steps,
            log_with=recipe.tracker,
            project_dir=self.folder,
            dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True, data_seed=recipe.seed),
        )
        rank, self.processes = self.accelerator.process_index, self.accelerator.num_processes
        warn_of_one_process(self.processes)
        parts = self.processes * recipe.gradient_accumulation_steps
        if recipe.batch_size % parts:
            told = f"{self.processes} processes times {recipe.gradient_accumulation_steps} accumulation steps"
            raise ZooError(f"recipe: batch_size: expected a multiple of {parts} ({told}), got {recipe.batch_size}")
        self.images_at_once = recipe.batch_size // parts
        self.draw = Draws(self.device, rank, self.processes)
        self.accelerator.register_for_checkpointing(self.progress)
        self.accelerator.register_save_state_pre_hook(save_without_wrapping)
        self.accelerator.register_load_state_pre_hook(self._load_networks)
        torch.manual_seed(recipe.seed)  # initial weights
        self.interrupted = self.finished = False
        self._launcher = launcher_of()
        self._pending: list[dict] = []
        self._seen = 0  # of them
        self._averages: list[EMAModel] = []
        self._schedulers: tuple = ()
        self.dataset: dict = {}

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    @property
    def fractional_epoch(self) -> float:
        """Epochs done, the share of the present one included."""
        batches = len(self.accelerator._dataloaders[0])
        return self.progress.epoch + self.progress.batch / max(1, batches)

    def describe_dataset(self, built) -> None:
        """Remembers what the model is trained on, for its `metrics.json`.

        Raises:
            ZooError: If the run goes on and was on another dataset before.
        """
        train = built.info["splits"]["train"]
        self.dataset = {key: built.info[key] for key in ("name", "preset", "fingerprint")}
        self.dataset |= {"n_images": train["num_images"], "n_patients": len(train.get("patient_ids", []))}
        before = self._found().get("dataset") if self.resuming else self.state and self.state.about.get("dataset")
        if before and before["fingerprint"] != self.dataset["fingerprint"]:
            whose = self.folder if self.resuming else self.state.file
            told = f"expected {before['name']} {before['preset']} with fingerprint {before['fingerprint'][:12]}"
            raise ZooError(f"{self.recipe.dataset}: {told} as in {whose}, got {self.dataset['fingerprint'][:12]}")

    def loader(self, data: Dataset) -> DataLoader:
        """The training images in batches of this process, shuffled; what fills no optimiser step is left out.

        Raises:
            ZooError: If there are fewer images than one step takes.
        """
        steps = len(data) // self.recipe.batch_size
        if not steps:
            message = f"expected at most {len(data)}, the number of training images, got {self.recipe.batch_size}"
            raise ZooError(f"recipe: batch_size: {message}")
        sampler = RandomSampler(data, num_samples=steps * self.recipe.batch_size)
        return DataLoader(data, self.images_at_once, sampler=sampler, drop_last=True)

    def prepare(self, *objects):
        """As accelerate's: networks, optimisers and the loader, in this order.

        BatchNorm takes its statistics over all GPUs; processes on a CPU, where torch cannot, take those of their own.
        """
        networks = [thing for thing in objects if isinstance(thing, torch.nn.Module)]
        if self.processes > 1 and any(map(has_batch_norm, networks)):
            if self.device.type == "cpu":
                self._say("BatchNorm: each process takes the statistics of its own images, as on CPUs")
            else:
                objects = [
                    torch.nn.SyncBatchNorm.convert_sync_batchnorm(thing) if thing in networks else thing
                    for thing in objects
                ]
        return self.accelerator.prepare(*objects)

    def start(self, *schedulers) -> None:
        """Takes the folder and loads where the run goes on from. Call it when everything is prepared.

        Args:
            schedulers (`LRScheduler`): Of the learning rates.

        Raises:
            ZooError: If another process trains in the folder, or what is loaded is of other networks.
        """
        self._schedulers = schedulers
        self.accelerator.register_for_checkpointing(*schedulers, *self._averages)
        if self.state:
            networks = [self.accelerator.unwrap_model(model) for model in self.accelerator._models]
            self.state.restore(networks, self._averages, schedulers, self.progress)
            if self.progress.epoch >= self.recipe.epochs:
                message = f"has {self.progress.epoch} epochs behind it, expected fewer than the recipe's epochs"
                raise ZooError(f"{self.state.file}: {message}, {self.recipe.epochs}")
        if self.accelerator.is_main_process:
            lock(self.folder)
            if not self.resuming and self._is_taken():
                raise ZooError(f"{self.folder}: another run has begun in it")
            self.checkpoint.settle()
        self.accelerator.wait_for_everyone()
        if self.resuming:
            try:
                self.accelerator.load_state(str(self.checkpoint.last))
            except (RuntimeError, ValueError, KeyError) as error:
                told = " ".join(str(error).split())[:200]
                raise ZooError(f"{self.checkpoint.last}: is of another network or optimiser ({told})") from error
            self._cut_log()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)
        self._clock = time.perf_counter() - self.progress.seconds
        recipe = self.recipe
        if self.accelerator.is_main_process:
            write_atomic(self.folder / "recipe.yaml", recipe.to_yaml())
        if recipe.tracker:
            config = {k: v if isinstance(v, int | float | str) else str(v) for k, v in vars(recipe).items()}
            self.accelerator.init_trackers(recipe.name, config=config)
        stage = {"mixed_precision": self.accelerator.mixed_precision, "processes": self.processes}
        self._write_log(stage | {"hardware": describe_hardware(self.device)})

    def average_of(self, network: torch.nn.Module) -> EMAModel:
        """The moving average of the weights of a network that the accelerator has prepared."""
        ema = EMAModel(self.accelerator.unwrap_model(network).parameters(), decay=self.recipe.ema_decay)
        ema.to(self.device)
        self._averages.append(ema)
        return ema

    def averaged(self, network: torch.nn.Module, ema: EMAModel) -> torch.nn.Module:
        """A copy of a prepared network that has the averaged weights, in eval mode."""
        network = copy.deepcopy(self.accelerator.unwrap_model(network))
        ema.copy_to(network.parameters())
        return alone(network).eval()

    def update(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """A step of the optimiser along the gradients of `network`, whose norm is bound by `max_grad_norm`."""
        if self.accelerator.sync_gradients and self.recipe.max_grad_norm is not None:
            self.accelerator.clip_grad_norm_(network.parameters(), self.recipe.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()

    def epochs(self) -> Iterator[int]:
        """The epochs still to run; ends early at Ctrl-C, at `max_seconds` or when patience is over."""
        if self.progress.epoch >= self.recipe.epochs:
            self._say(f"{self.folder}: all {self.recipe.epochs} epochs are done; nothing is left to train")
        while self.progress.epoch < self.recipe.epochs and not (self.interrupted or self.finished):
            yield self.progress.epoch
        if self.interrupted:
            self._save_checkpoint()
            self._say(f"stopped; go on with --resume ({self.checkpoint.last})")
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
                number = self.recipe.seed * 1_000_003 + state.epoch * len(loader) + state.batch
                self.draw.seed(number)
                torch.manual_seed(number * 1009 + self.draw.rank)
                yield batch
                state.batch += 1
                state.images_seen += len(batch["image"]) * self.processes
                state.seconds = time.perf_counter() - self._clock
                bar.update()
                if self.accelerator.sync_gradients:
                    state.step += 1
                    self._end_step()
                    if self.interrupted or self.finished:
                        return

    def _end_step(self) -> None:
        """Stops all processes at the same step: by a signal, by the clock, or by a figure that is no number."""
        state, limit = self.progress, self.recipe.max_seconds
        orphan = self._launcher is not None and os.getppid() != self._launcher
        strange = [f"{key} is {value}" for key, value in self._new_figures() if not math.isfinite(value)]
        flags = [self.interrupted or orphan, self.finished or limit is not None and state.seconds >= limit, strange]
        self.interrupted, self.finished, strange_anywhere = map(bool, self._sums([bool(flag) for flag in flags]))
        if strange_anywhere:
            where = f"step {state.step}, epoch {state.epoch + 1}"
            told = ", ".join(strange) or "a figure of another process is no number"
            raise ZooError(f"{self.folder}: {told} at {where}; a lower learning rate or more precision may help")
        if state.step % LOG_EVERY == 0:
            self._write_log(self._mean_pending())

    def log(self, **values: torch.Tensor | float) -> None:
        """Keeps figures of one batch; their means are written every few steps."""
        self._pending.append({key: torch.as_tensor(value).detach() for key, value in values.items()})

    def end_epoch(self, build: Callable, evaluate: Callable[[], dict[str, float]], decide: str) -> None:
        """Does what is due after an epoch: evaluates, keeps the best model, draws samples, saves a checkpoint.

        Args:
            build (callable): Makes the pipeline of the present weights.
            evaluate (callable): Measures the present weights on the validation patients.
            decide (`str`): The figure among them, lower is better, that decides which model is kept. Schedules that
                wait for a plateau are told it.

        Raises:
            ZooError: If a figure is no number.
        """
        state, recipe = self.progress, self.recipe
        if self.interrupted:
            return
        state.epoch, state.batch = state.epoch + 1, 0
        last = self.finished or state.epoch == recipe.epochs
        evaluated, figure = last or state.epoch % recipe.evaluate_every == 0, 0.0
        if self._pending:
            self._write_log(self._mean_pending())
        if self.accelerator.is_main_process:
            if evaluated:
                figure = self._evaluate(build, evaluate, decide)
                draw_curves(self.log_file, self.folder / "curves.png")
            if last or state.epoch % recipe.sample_every == 0:
                self._save_samples(build())
        self.accelerator.wait_for_everyone()
        impatient = recipe.patience is not None and state.since_best >= recipe.patience
        figure, finished = self._sums([figure, last or impatient])
        if evaluated:
            for scheduler in self._schedulers:
                if isinstance(scheduler, PlateauScheduler):
                    scheduler.step(figure)
        state.seconds = time.perf_counter() - self._clock
        self.finished = bool(finished)
        if self.finished or state.epoch % recipe.checkpoint_every == 0:
            self._save_checkpoint()

    def _evaluate(self, build: Callable, evaluate: Callable[[], dict[str, float]], decide: str) -> float:
        """Measures the model, keeps it if it is the best, and returns the figure that decides."""
        state, values = self.progress, evaluate()
        if strange := [f"{key} is {value}" for key, value in values.items() if not math.isfinite(value)]:
            raise ZooError(f"{self.folder}: {', '.join(strange)} after epoch {state.epoch}, expected a number")
        self._write_log(values)
        state.since_best += 1
        kept = (self.folder / "pipeline").is_dir()  # that of a state lies on another machine
        if state.best is None or values[decide] < state.best or not kept:
            state.best, state.since_best = values[decide], 0
            self._save_pipeline(build(), decide)
        return values[decide]

    def _interrupt(self, number, frame) -> None:
        if self.interrupted:  # asked twice: the user does not want to wait
            raise KeyboardInterrupt
        self.interrupted = True

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over all processes."""
        return self.accelerator.reduce(values, "mean") if self.processes > 1 else values

    def _sums(self, values: list[float]) -> list[float]:
        """The sum of each number over all processes."""
        if self.processes == 1:
            return values
        values = torch.tensor(values, dtype=torch.float32, device=self.device)  # what every device can add
        return self.accelerator.reduce(values, "sum").tolist()

    def _say(self, text: str) -> None:
        if self.accelerator.is_main_process:
            tqdm.write(text)

    def _new_figures(self) -> list[tuple[str, float]]:
        """What was logged since it was last asked, brought from the device at once."""
        named = [pair for row in self._pending[self._seen :] for pair in row.items()]
        self._seen = len(self._pending)
        values = torch.stack([value.float().to(self.device) for _, value in named]).tolist() if named else []
        return [(name, value) for (name, _), value in zip(named, values, strict=True)]

    def _mean_pending(self) -> dict[str, float]:
        """The means of what was logged, over batches and processes."""
        rows, self._pending, self._seen = self._pending, [], 0
        names = list(dict.fromkeys(key for row in rows for key in row))  # not every batch has every figure
        means = [torch.stack([row[key].float() for row in rows if key in row]).mean() for key in names]
        return dict(zip(names, self.mean(torch.stack(means).to(self.device)).tolist(), strict=True)) if names else {}

    def _write_log(self, values: dict[str, float]) -> None:
        if not self.accelerator.is_main_process:
            return
        state = self.progress
        row = {"step": state.step, "epoch": round(self.fractional_epoch, 3)}
        row |= {"images_seen": state.images_seen, "seconds": round(state.seconds, 1)}
        row |= {"images_per_second": round(state.images_seen / max(state.seconds, 1e-9), 2), **values}
        with self.log_file.open("a") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
        self.accelerator.log({k: v for k, v in values.items() if isinstance(v, float)}, step=state.step)
        self._say("  ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))

    def _cut_log(self) -> None:
        """Drops the rows that were written after the checkpoint: those steps will be done again."""
        if self.accelerator.is_main_process and self.log_file.exists():
            lines = self.log_file.read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= self.progress.step]
            write_atomic(self.log_file, "".join(f"{line}\n" for line in kept))

    def _is_taken(self) -> bool:
        return self.log_file.exists() or self.checkpoint.find() is not None

    def _found(self) -> dict:
        """What the checkpoint says of the recipe and the dataset that it comes of."""
        found = self.checkpoint.find()
        if found is None:
            raise ZooError(f"{self.checkpoint.last}: no checkpoint to resume from")
        file = found / RUN_FILE
        return json.loads(file.read_text()) if file.is_file() else {}

    def _save_checkpoint(self) -> None:
        if self.accelerator.is_main_process:
            about = {"recipe": self.recipe.model_dump(mode="json"), "dataset": self.dataset}
            (self.checkpoint.begin() / RUN_FILE).write_text(json.dumps(about))
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(self.checkpoint.new))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self.checkpoint.finish()
        self.accelerator.wait_for_everyone()

    def _load_networks(self, models: list[torch.nn.Module], folder: str) -> None:
        """Loads the networks themselves, so that a checkpoint fits any number of processes."""
        for number, model in enumerate(models):
            name = f"model_{number}.safetensors" if number else "model.safetensors"
            load_model(self.accelerator.unwrap_model(model), Path(folder) / name, device="cpu")
        models.clear()

    def _save_pipeline(self, pipeline, decide: str) -> None:
        state = self.progress
        trainings = self._trainings()
        training = {
            "recipe": self.recipe.name,
            "images_seen": sum(each["images_seen"] for each in trainings.values()),
            "epochs": state.epoch,
            "seconds": round(sum(each["seconds"] for each in trainings.values()), 1),
            "hardware": describe_hardware(self.device),
            "seed": self.recipe.seed,
            "code_version": _code_version(),
            "selected_by": {decide: state.best},
            "dataset": self.dataset,
        }
        if len(trainings) > 1:
            training["trainings"] = trainings
        if state.restarts:
            training["optimizer_restarts"] = state.restarts
        model = {"name": self.recipe.name, "family": pipeline.family}
        with atomic_folder(self.folder / "pipeline") as folder:
            pipeline.save_pretrained(folder)
            write_atomic(folder / "recipe.yaml", self.recipe.to_yaml())
            content = {"schema_version": 1, "model": model, "training": training}
            save(folder / "metrics.json", content)

    def _trainings(self) -> dict[str, dict[str, float]]:
        """Images and seconds of this run and of those that its networks come from, each counted once, by recipe."""
        found = {}
        for source in self.recipe.sources:
            before = load_metrics(find_folder(source)).get("training", {})
            alone = {"images_seen": before.get("images_seen", 0), "seconds": before.get("seconds", 0.0)}
            found |= before.get("trainings", {before.get("recipe", source): alone})
        own = {"images_seen": self.progress.images_seen, "seconds": round(self.progress.seconds, 1)}
        earlier = found.get(self.recipe.name, {})  # of the same recipe, with which this run goes on
        return found | {self.recipe.name: {key: value + earlier.get(key, 0) for key, value in own.items()}}

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
