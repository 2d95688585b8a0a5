"""A contender in a process of its own: a block for every line that it is sent.

    python -m bench.worker bench.peers:diffusers_training '{"batch_size": 16, …}'

The first line of the answer is about the contender, every further one about a block.
"""

import importlib
import json
import sys
import time
from pathlib import Path


def peak_megabytes() -> float:
    """The largest memory that this process has had, in MB, where Linux tells it."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else []:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


class Blocks:
    """Talks with the process that alternates; standard output is its alone."""

    def __init__(self):
        self.answers, sys.stdout = sys.stdout, sys.stderr

    def ready(self, **about) -> None:
        """Says what the contender is, before the first block."""
        self._answer(about)

    def wait(self) -> bool:
        """Whether another block is wanted."""
        return bool(sys.stdin.readline())

    def done(self, images: int, seconds: float) -> None:
        """Ends a block."""
        self._answer({"images": images, "seconds": seconds, "peak_megabytes": peak_megabytes()})

    def run(self, step, images: int, steps: int, **about) -> None:
        """All blocks of a contender that is a function of no arguments, each of so many calls."""
        self.ready(**about)
        while self.wait():
            start = time.perf_counter()
            for _ in range(steps):
                step()
            self.done(images * steps, time.perf_counter() - start)

    def _answer(self, content: dict) -> None:
        print(json.dumps(content), file=self.answers, flush=True)


if __name__ == "__main__":
    module, name = sys.argv[1].split(":")
    getattr(importlib.import_module(module), name)(Blocks(), json.loads(sys.argv[2]))
