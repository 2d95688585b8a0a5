"""Contenders and commands as processes, each measured by itself."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from zoo.errors import ZooError

TRAINING = Path(__file__).resolve().parents[1]


class Contender:
    """A process of `bench.worker`; a call is a block and returns its images/s.

    Args:
        python (`Path`): Of the environment that has what it needs.
        target (`str`): `module:function`.
        settings (`dict`): As of `bench.peers`.

    Waiting and calls raise a `ZooError` if the process ends before its time, with its last line.
    """

    def __init__(self, python: Path, target: str, settings: dict):
        self.target, self.errors = target, tempfile.TemporaryFile("w+")
        paths = [str(TRAINING), str(TRAINING.parent)]
        self.process = subprocess.Popen(
            [str(python), "-m", "bench.worker", target, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(settings["threads"])},
        )
        self.parameters, self.peak_megabytes = 0, 0.0

    def wait(self) -> None:
        """Until it is ready for its first block; several get ready at once."""
        self.parameters = self._answer()["parameters"]

    def __call__(self) -> float:
        self.process.stdin.write("block\n")
        self.process.stdin.flush()
        answer = self._answer()
        self.peak_megabytes = answer["peak_megabytes"]
        return answer["images"] / answer["seconds"]

    def close(self) -> None:
        """Lets the process end."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            told = (self.errors.read().strip().splitlines() or ["no word"])[-1]
            self.close()
            raise ZooError(f"bench: {self.target}: {told}")
        return json.loads(line)


def run_command(command: list[str]) -> tuple[float, float]:
    """Runs a command to its end: seconds, and its peak memory in MB.

    Raises:
        ZooError: If it fails, with its last line.
    """
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            told = (output.read().strip().splitlines() or ["no word"])[-1]
            raise ZooError(f"bench: {' '.join(command[1:5])} …: {told}")
    return seconds, usage.ru_maxrss * 1024 / 1e6
