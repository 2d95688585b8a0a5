"""Trains what gains most from a GPU that is lent for minutes: hearts to order in both stages, the flagship, the GAN.

    python training/gpu_run.py --output OUT --seconds 580
    python training/gpu_run.py --output OUT --rehearse      # the same on a CPU, some minutes

Each training gets its share of the time. A trial of some seconds measures its speed, and its epochs are set so that its
schedule of the learning rate ends with its time. Every minute the best model so far is put into OUT as `RUN.tar`, in
half precision, with its log: what is there when the machine is taken away is whole. The last minute stays free.

Nothing is published by it: unpack a tar as `outputs/runs/RUN`, then `publish.py` and `cardiac-zoo evaluate` on any
machine. The data are folders written by `cardiac-zoo data`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

import zoo
from common.errors import told_in_one_line
from zoo.errors import ZooError

HERE = Path(__file__).parent
MODELS = HERE.parent / "model_cards"
SPARE, EXPORT_EVERY = 60.0, 60.0  # seconds
TRIAL_SHARE = 0.08  # of a training's time, to measure its speed
PIPELINE = "pipeline"
HEARTS = ["--anatomy", MODELS / "anatomy-acdc-128"]


@dataclass(frozen=True)
class Slice:
    """One training.

    Args:
        recipe (`str`): Its name, that of the run too.
        script (`str`): What trains it.
        share (`float`): Of the whole time.
        dataset (`str`): Folder below `--data`.
        options (`list`): Further options; `{runs}` is where the runs are.
    """

    recipe: str
    script: str
    share: float
    dataset: str
    options: list = field(default_factory=list)


SLICES = (
    Slice("hearts-coarse-acdc-128", "train_hearts.py", 0.36, "acdc-128", HEARTS),
    Slice(
        "hearts-acdc-128",
        "train_hearts.py",
        0.24,
        "acdc-128",
        [*HEARTS, "--coarse", f"{{runs}}/hearts-coarse-acdc-128/{PIPELINE}"],
    ),
    Slice("ddpm-coarse-acdc-64", "train_diffusion.py", 0.25, "acdc-64"),
    Slice("dcgan-best-acdc-64", "train_gan.py", 0.15, "acdc-64"),
)


def command_of(part: Slice, data: Path, runs: Path, *more) -> list[str]:
    """The command line of a training."""
    options = [str(option).format(runs=runs) for option in part.options]
    precision = "bf16" if torch.cuda.is_available() else "auto"
    where = ["--dataset", data / part.dataset, "--output_dir", runs, "--mixed_precision", precision]
    recipe = ["--config", HERE / "recipes" / f"{part.recipe}.yaml"]
    return [str(word) for word in (sys.executable, HERE / part.script, *recipe, *where, *options, *more)]


def epochs_within(part: Slice, data: Path, runs: Path, seconds: float) -> int:
    """How many epochs a training does in its time, by a trial of some seconds.

    Raises:
        ZooError: If the trial fails.
    """
    trial = seconds * TRIAL_SHARE
    with tempfile.TemporaryDirectory() as folder:
        command = command_of(part, data, runs, "--output_dir", folder, "--max_seconds", trial)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ZooError(f"{part.recipe}: the trial failed: {done.stderr.strip()[-300:]}")
        rows = [json.loads(line) for line in (Path(folder) / part.recipe / "metrics.jsonl").read_text().splitlines()]
    images = len(zoo.datasets.load(data / part.dataset).dataset["train"])
    last = max(rows, key=lambda row: row["images_seen"])
    return max(1, int((seconds - trial) * last["images_per_second"] / images))


def export(run: Path, output: Path) -> None:
    """Puts the best model of a run so far, in half precision, and its log into a tar, which is whole or as it was."""
    if not (run / PIPELINE / "metrics.json").is_file():
        return
    with tempfile.TemporaryDirectory(dir=output) as scratch:
        folder = Path(scratch) / run.name
        zoo.from_pretrained(run / PIPELINE).save_pretrained(folder / PIPELINE, torch_dtype=torch.float16)
        for name in (f"{PIPELINE}/metrics.json", f"{PIPELINE}/recipe.yaml", "metrics.jsonl"):
            shutil.copyfile(run / name, folder / name)
        with tarfile.open(Path(scratch) / "new.tar", "w") as archive:
            archive.add(folder, run.name)
        os.replace(Path(scratch) / "new.tar", output / f"{run.name}.tar")


def train(part: Slice, data: Path, runs: Path, output: Path, seconds: float) -> None:
    """One training within its time.

    Raises:
        ZooError: If it fails; what it had is exported.
    """
    start = time.monotonic()
    epochs = epochs_within(part, data, runs, seconds)
    left = seconds - (time.monotonic() - start)
    print(f"{part.recipe}: {epochs} epochs in {left:.0f} s", flush=True)
    run = subprocess.Popen(command_of(part, data, runs, "--epochs", epochs, "--max_seconds", max(left, 1.0)))
    while True:
        try:
            code = run.wait(EXPORT_EVERY)
        except subprocess.TimeoutExpired:
            code = None
        export(runs / part.recipe, output)
        if code is not None:
            break
    if code:
        raise ZooError(f"{part.recipe}: the training ended with {code}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("outputs/data"), help="where the built datasets are")
    parser.add_argument("--output", type=Path, required=True, help="folder for the tars")
    parser.add_argument("--seconds", type=float, default=580.0, help="all there are")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, to see that it runs")
    options = parser.parse_args(arguments)
    if not options.rehearse and not torch.cuda.is_available():
        raise ZooError("no GPU: expected one, or --rehearse")
    if options.seconds <= SPARE:
        raise ZooError(f"--seconds: expected more than the {SPARE:.0f} that are kept free, got {options.seconds:g}")
    options.output.mkdir(parents=True, exist_ok=True)
    failed = []
    with tempfile.TemporaryDirectory() as runs:
        for part in SLICES:  # one that fails takes no time from the others
            try:
                train(part, options.data, Path(runs), options.output, (options.seconds - SPARE) * part.share)
            except ZooError as error:
                failed.append(str(error))
                print(error, file=sys.stderr, flush=True)
    if failed:
        raise ZooError("; ".join(failed))


if __name__ == "__main__":
    with told_in_one_line():
        main()
