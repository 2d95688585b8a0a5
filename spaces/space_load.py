"""How long a visitor of the Space waits for a picture, and how it bears a crowd, measured on the published models.

    python spaces/space_load.py --readme spaces/cardiac-mri-zoo/README.md

The Space runs in a process of its own, on this machine and for this measurement alone; the answer goes between the
markers of a page, or to the terminal. `--note` is said beside the figures, for instance what else the machine did.
"""

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

import zoo
from zoo.cards.tables import update_section
from zoo.hardware import describe_hardware

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "spaces" / "cardiac-mri-zoo" / "app.py"
GAN, DIFFUSION, FASTEST_STEPS = "dcgan-acdc-64", "ddpm-acdc-64", 5
USERS, SECONDS, TRIES = 50, 60.0, 5
START_SECONDS = 120


@dataclass
class Crowd:
    """What many users at once have met.

    Args:
        took (`list[float]`): Seconds of each answer.
        errors (`list[str]`): Of the answers that were none.
        memory (`list[float]`): MB of the server, twice a second.
    """

    took: list[float]
    errors: list[str]
    memory: list[float]

    @property
    def growth(self) -> float:
        """MB by which the server grew in the second half; caches fill in the first."""
        return self.memory[-1] - self.memory[len(self.memory) // 2]


def ask(client, model: str, count: int, seed: int, steps: int | None = None) -> str:
    """Samples through the Space's API; returns what it says of them."""
    return client.predict(model, count=count, seed=seed, steps=steps, api_name="/generate")[1]["provenance"]


def crowd(clients: list, model: str, seconds: float, server: psutil.Process) -> Crowd:
    """Users who ask for four images at a time without pause, each with seeds of their own.

    Args:
        clients (`list`): A `gradio_client.Client` a user.
        model (`str`): Which is asked.
        seconds (`float`): After which nobody asks again; the answers that are due are waited for.
        server (`psutil.Process`): Whose memory is watched.
    """
    found = Crowd([], [], [])
    ask(clients[0], model, 4, 0)
    end = time.monotonic() + seconds

    def user(number: int) -> None:
        seed = number * 10_000
        while time.monotonic() < end:
            start, seed = time.monotonic(), seed + 1
            try:
                status = ask(clients[number], model, 4, seed)
                assert f"seed {seed}, samples 0 to 3" in status, status
            except Exception as error:
                found.errors.append(repr(error))
            found.took.append(time.monotonic() - start)

    threads = [threading.Thread(target=user, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.memory.append(server.memory_info().rss / 1e6)
        time.sleep(0.5)
    return found


@contextlib.contextmanager
def space() -> Iterator[tuple[psutil.Process, Callable]]:
    """The Space in a process of its own: the process, and what makes a client of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    with subprocess.Popen([sys.executable, str(APP)], env=os.environ | own, stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + START_SECONDS
            while socket.socket().connect_ex(("127.0.0.1", port)):
                if process.poll() is not None or time.monotonic() > end:
                    sys.exit(f"{APP}: did not start")
                time.sleep(0.2)
            os.environ["HF_HUB_OFFLINE"] = "1"  # the client, not the Space, reports to the Hub that it starts
            from gradio_client import Client

            options = {"verbose": False, "download_files": False, "analytics_enabled": False}
            yield psutil.Process(process.pid), lambda: Client(f"http://127.0.0.1:{port}/", **options)
        finally:
            process.terminate()


def seconds_of(client, model: str, steps: int) -> list[float]:
    """How long one picture takes, of `TRIES`; the first of them loads the model."""
    took = []
    for seed in range(TRIES):
        start = time.monotonic()
        ask(client, model, 1, seed, steps)
        took.append(time.monotonic() - start)
    return took


def report(users: int = USERS, seconds: float = SECONDS, note: str = "") -> str:
    """Measures so many users for so long, in words; with a note beside them."""
    with space() as (server, new_client):
        first = {
            model: seconds_of(new_client(), model, steps) for model, steps in ((GAN, 1), (DIFFUSION, FASTEST_STEPS))
        }
        found = crowd([new_client() for _ in range(users)], GAN, seconds, server)
    lines = [
        "| one visitor | first picture, the model is loaded for it | median of the next |",
        "|---|---:|---:|",
    ]
    for model, took in first.items():
        steps = f", {FASTEST_STEPS} steps" if model == DIFFUSION else ""
        lines.append(f"| `{model}`{steps} | {took[0]:.2f} s | {statistics.median(took[1:]):.2f} s |")
    answers = len(found.took) - len(found.errors)
    lines += [
        "",
        f"{users} visitors who asked `{GAN}` for four images each, again and again for {seconds:g} s: {answers} "
        f"answers, {len(found.errors)} errors, {statistics.median(found.took):.1f} s in the median. The server held "
        f"{max(found.memory):.0f} MB at most; in the second half it grew by {found.growth:.0f} MB. "
        f"Version {zoo.__version__}, on {describe_hardware()}{note and f', {note}'} "
        f"(`python spaces/space_load.py --users {users} --seconds {seconds:g}`).",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how long visitors of the Space wait.")
    parser.add_argument("--readme", type=Path, help="a page with the markers `load:begin` and `load:end`")
    parser.add_argument("--users", type=int, default=USERS, help="how many ask at once")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for how long")
    parser.add_argument("--note", default="", help="what is to be said beside the figures")
    options = parser.parse_args()
    found = report(options.users, options.seconds, options.note)
    if options.readme:
        update_section(options.readme, found, "load")
    else:
        print(found)


if __name__ == "__main__":
    main()
