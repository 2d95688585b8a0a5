"""Commands as a user would type them, shown and run one after the other."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from common.checkpoint import Checkpoint

# What accelerate would choose too, but not without a warning
ONE_PROCESS = "--num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no".split()


def resume_or_clear(run: Path) -> list[str]:
    """The switch by which a training goes on in folder `run`; without a checkpoint that is removed and begins anew."""
    if Checkpoint(run / "checkpoints").find() is not None:
        return ["--resume"]
    shutil.rmtree(run, ignore_errors=True)
    return []


class Shell:
    """Says what it does, with the seconds since the start, and keeps the commands for a report."""

    def __init__(self):
        self.console = Console(highlight=False)
        self.started = time.perf_counter()
        self.commands: list[str] = []

    @property
    def minutes(self) -> float:
        """Since the start."""
        return (time.perf_counter() - self.started) / 60

    def say(self, text: str) -> None:
        self.console.print(f"\n[bold]\\[{time.perf_counter() - self.started:4.0f} s] {text}[/bold]")

    def command(self, *words) -> None:
        """Shows a command and runs it.

        Raises:
            SystemExit: If it fails, with its exit code; it has told why itself.
        """
        self._wait([self._start(words, os.cpu_count() or 1)])

    def side_by_side(self, commands: dict[str, tuple]) -> None:
        """Runs commands at the same time, each with its share of the cores; its name goes before its lines.

        Raises:
            SystemExit: If one fails, with its exit code, when all have ended.
        """
        threads = max(1, (os.cpu_count() or 1) // len(commands))
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        processes = [self._start(words, threads, **output) for words in commands.values()]
        for name, process in zip(commands, processes, strict=True):
            threading.Thread(target=self._relay, args=(name, process.stdout), daemon=True).start()
        self._wait(processes)

    def _start(self, words: tuple, threads: int, **settings) -> subprocess.Popen:
        line = " ".join(map(str, words))
        self.commands.append(line)
        self.console.print(f"$ {line}", style="cyan", markup=False, soft_wrap=True)
        scripts = Path(sys.executable).parent
        environment = {"OMP_NUM_THREADS": str(threads), **os.environ}  # accelerate launch would take one thread
        environment["PATH"] = f"{scripts}{os.pathsep}{environment['PATH']}"
        return subprocess.Popen([scripts / words[0], *map(str, words[1:])], env=environment, **settings)

    def _relay(self, name: str, lines: Iterable[str]) -> None:
        for line in lines:
            self.console.print(f"{name}: {line.rstrip()}", markup=False, soft_wrap=True)

    @staticmethod
    def _wait(processes: list[subprocess.Popen]) -> None:
        """Waits for all. Ctrl-C waits for them too, since a training then saves a checkpoint."""
        try:
            codes = [process.wait() for process in processes]
        except KeyboardInterrupt:
            for process in processes:
                process.wait()
            raise
        if failed := [code for code in codes if code]:
            raise SystemExit(failed[0])
