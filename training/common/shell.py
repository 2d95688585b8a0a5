"""Commands as a user would type them, shown and run one after the other."""

import os
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

# What accelerate would choose too, but not without a warning
ONE_PROCESS = "--num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no".split()


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
        """Shows a command and runs it. Ctrl-C waits for it, since a training then saves a checkpoint.

        Raises:
            SystemExit: If it fails, with its exit code; it has told why itself.
        """
        line = " ".join(map(str, words))
        self.commands.append(line)
        self.console.print(f"$ {line}", style="cyan", markup=False, soft_wrap=True)
        scripts = Path(sys.executable).parent
        environment = {"OMP_NUM_THREADS": str(os.cpu_count()), **os.environ}  # accelerate launch would take one thread
        environment["PATH"] = f"{scripts}{os.pathsep}{environment['PATH']}"
        with subprocess.Popen([scripts / words[0], *map(str, words[1:])], env=environment) as process:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                process.wait()
                raise
        if code:
            raise SystemExit(code)
