"""What is measured: a function a part, which returns the rows of its table."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.blocks import alternate, median_interval, ratio
from bench.contender import Contender, run_command

PEERS = {"diffusers": "diffusers", "denoising-diffusion-pytorch": "lucidrains", "MONAI": "monai"}
OURS = "this project"


@dataclass(frozen=True)
class Bench:
    """The command line: counts, and where things are."""

    blocks: int
    settings: dict  # of the contenders, see `bench.peers`
    peers: Path  # python of their environment
    acdc: Path | None
    folder: Path


def training(bench: Bench) -> list[dict]:
    """A training step beside those of peers."""
    return _against_peers(bench, "training")


def sampling(bench: Bench) -> list[dict]:
    """Sampling beside that of peers: DDIM with the same number of steps."""
    return _against_peers(bench, "sampling")


def loop(bench: Bench) -> list[dict]:
    """Our training beside the bare forward, backward and step of the same network."""
    targets = {OURS: "bench.ours:training", "bare": "bench.peers:bare_training"}
    return _alternating(bench, {name: (Path(sys.executable), target) for name, target in targets.items()})


def data(bench: Bench) -> list[dict]:
    """From a download to a dataset: ACDC, or the phantom without one."""
    kind = ["acdc", "--source", str(bench.acdc)] if bench.acdc else ["phantom"]
    return [_commands(bench, f"data {kind[0]} --preset {kind[0]}-64", ["data", *kind, "--preset", f"{kind[0]}-64"])]


def evaluation(bench: Bench) -> list[dict]:
    """Measuring a published GAN, sampling included."""
    model = Path(__file__).resolve().parents[2] / "model_cards" / "dcgan-acdc-64"
    groups = "distribution,diversity,copying"
    options = ["--dataset", bench.settings["dataset"], "--split", "validation"]
    name = f"evaluate {model.name} --groups {groups}"
    return [_commands(bench, name, ["evaluate", str(model), *options, "--groups", groups])]


PARTS = {part.__name__: part for part in (training, sampling, loop, data, evaluation)}


def _against_peers(bench: Bench, what: str) -> list[dict]:
    contenders = {OURS: (Path(sys.executable), f"bench.ours:{what}")}
    for name, prefix in PEERS.items():
        own = prefix == "diffusers"  # it is a dependency of this project
        if own or bench.peers.is_file():
            contenders[name] = Path(sys.executable) if own else bench.peers, f"bench.peers:{prefix}_{what}"
    return _alternating(bench, contenders)


def _alternating(bench: Bench, contenders: dict[str, tuple[Path, str]]) -> list[dict]:
    """A row a contender: images/s, the ratio of ours to it, peak memory, parameters."""
    running = {}
    try:
        for name, (python, target) in contenders.items():
            running[name] = Contender(python, target, bench.settings)
        for contender in running.values():
            contender.wait()
        figures = alternate(running, bench.blocks)
    finally:
        for contender in running.values():
            contender.close()
    return [
        {
            "name": name,
            "images_per_second": str(median_interval(figures[name])),
            "ours_to_it": str(ratio(figures, OURS, name)) if name != OURS else "1",
            "peak_megabytes": round(contender.peak_megabytes),
            "parameters": contender.parameters,
        }
        for name, contender in running.items()
    ]


def _commands(bench: Bench, name: str, words: list[str]) -> dict:
    """A command of `cardiac-zoo`, run anew for each of at most three blocks."""
    seconds, peaks = [], []
    for _ in range(min(3, bench.blocks)):
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            command = [sys.executable, "-m", "zoo.cli", *words, "--output", f"{folder}/output"]
            used, peak = run_command(command)
        seconds.append(used)
        peaks.append(peak)
    return {"name": f"`{name}`", "seconds": str(median_interval(seconds)), "peak_megabytes": round(max(peaks))}
