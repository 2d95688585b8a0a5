"""Study B's search for its VAE: every batch size with every optimiser, looked at after each number of epochs.

    python training/search_vae.py --dataset outputs/data/acdc-180

One training of the longest length stands for the shorter ones, whose validation loss is read from its log. It prints a
Markdown table, the lowest loss first, and goes on where it was stopped. The study searched batches of 16 to 256, 10 to
500 epochs, RMSprop and SGD, which are the defaults. It states no learning rates, so each optimiser has its customary
one; SGD's 0.01 belongs to a mean over the pixels, of which our loss is the sum.
"""

import argparse
import itertools
import json
import os
from pathlib import Path

from common.errors import told_in_one_line
from common.shell import ONE_PROCESS, Shell, resume_or_clear
from common.study_table import markdown
from zoo.errors import ZooError

ROOT = Path(__file__).resolve().parents[1]
LEARNING_RATES = {"rmsprop": 0.001, "sgd": 0.01 / 180**2}  # Keras's defaults
DONE = "searched"  # marks a run that has reached its length


def losses(log: Path, epochs: list[int]) -> dict[int, float]:
    """The validation loss after each number of epochs.

    Raises:
        ZooError: If one of them was not evaluated.
    """
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    found = {round(row["epoch"]): row["validation_loss"] for row in rows if "validation_loss" in row}
    if missing := [number for number in epochs if number not in found]:
        raise ZooError(f"{log}: no validation loss of epoch {missing[0]}")
    return {number: found[number] for number in epochs}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("training/recipes/study_b/vae.yaml"))
    parser.add_argument("--dataset", type=Path, default=Path("outputs/data/acdc-180"))
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/search_vae"))
    parser.add_argument("--batch_size", nargs="+", type=int, default=[16, 32, 64, 128, 256])
    parser.add_argument("--optimizer", nargs="+", choices=LEARNING_RATES, default=list(LEARNING_RATES))
    parser.add_argument("--epochs", nargs="+", type=int, default=[10, 50, 100, 250, 500])
    options = parser.parse_args(arguments)
    os.chdir(ROOT)

    shell, rows = Shell(), []
    for batch_size, optimizer in itertools.product(options.batch_size, options.optimizer):
        run = options.output_dir / f"{optimizer}-{batch_size}"
        if not (run / DONE).exists():
            settings = {
                "dataset": options.dataset,
                "output_dir": run.parent,
                "name": run.name,
                "batch_size": batch_size,
                "optimizer": optimizer,
                "learning_rate": LEARNING_RATES[optimizer],
                "epochs": max(options.epochs),
                "evaluate_every": min(options.epochs),
            }
            words = [word for key, value in settings.items() for word in (f"--{key}", value)]
            script = ["accelerate", "launch", *ONE_PROCESS, "training/train_vae.py"]
            shell.command(*script, "--config", options.config, *words, *resume_or_clear(run))
            (run / DONE).touch()
        found = losses(run / "metrics.jsonl", options.epochs)
        rows += [(loss, optimizer, batch_size, number) for number, loss in found.items()]
    head = ["Optimiser", "Batch", "Epochs", "Validation loss"]
    lines = [[optimizer, str(batch), str(number), f"{loss:.2f}"] for loss, optimizer, batch, number in sorted(rows)]
    print(markdown(head, lines))


if __name__ == "__main__":
    with told_in_one_line():
        main()
