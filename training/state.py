"""Keeps what a run has learned for another machine: `training/states/RUN`, at most 10 MiB.

    python training/state.py outputs/runs/RUN
    accelerate launch training/train_….py --config … --from_state training/states/RUN

The run goes on there with its weights, their average, its progress and its learning rate, and a fresh optimiser, which
the `metrics.json` of its model says. A state carries the licence of the data, and goes when the run ends.
"""

import argparse
from pathlib import Path

from common.errors import told_in_one_line
from common.state import write_state

STATES = Path(__file__).with_name("states")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("--output", type=Path, help="folder to write, training/states/RUN by default")
    options = parser.parse_args(arguments)
    print(write_state(options.run, options.output or STATES / options.run.name))


if __name__ == "__main__":
    with told_in_one_line():
        main()
