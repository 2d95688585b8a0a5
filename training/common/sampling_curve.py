"""What a sampling step is worth: KID and seconds by scheduler and number of steps."""

import csv
import io
import time
from pathlib import Path

import matplotlib
import torch

from common.samples import draw_samples
from common.schedulers import set_scheduler
from zoo.files import write_atomic
from zoo.metrics.extractors import FeatureExtractor, extract
from zoo.metrics.functional import kid

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# Scheduler class of diffusers and its algorithm, by the name that the figure shows
SAMPLERS = {
    "DDPM": ("DDPMScheduler", None),
    "DDIM": ("DDIMScheduler", None),
    "DPM-Solver++": ("DPMSolverMultistepScheduler", "dpmsolver++"),
    "SDE-DPM-Solver++": ("DPMSolverMultistepScheduler", "sde-dpmsolver++"),
    "UniPC": ("UniPCMultistepScheduler", None),
    "Heun": ("HeunDiscreteScheduler", None),
}
STEPS = [4, 6, 9, 14, 20, 30, 50]
TURBO_STEPS = [1, 2, 3, 4]
KNEE = 1.05  # times the lowest KID of a sampler
COLUMNS = ["sampler", "num_inference_steps", "network_calls", "seconds_per_16_images", "kid", "knee"]


def points(pipe, steps: list[int] | None = None) -> list[tuple[str, int]]:
    """Sampler and steps of each point; a model tuned for few steps has its own scheduler alone."""
    if pipe.family == "turbo":
        return [("turbo", number) for number in TURBO_STEPS]
    return [(sampler, number) for sampler in SAMPLERS for number in steps or STEPS]


def measure(
    pipe, sampler: str, steps: int, real: torch.Tensor, extractor: FeatureExtractor, count: int, seed: int
) -> dict:
    """A row of the curve: the KID of `count` samples with features `real`, and what they cost.

    `network_calls` are those for one batch: Heun's method makes two a step, guidance none more, but dearer ones.
    """
    own = pipe.scheduler
    try:
        if sampler in SAMPLERS:
            set_scheduler(pipe, *SAMPLERS[sampler])
        start = time.perf_counter()
        samples = draw_samples(pipe, count, seed, num_inference_steps=steps)
        seconds = time.perf_counter() - start
        calls = len(pipe.scheduler.timesteps)
    finally:
        pipe.scheduler = own
    figures = {"seconds_per_16_images": 16 * seconds / count, "kid": kid(extract(extractor, samples), real)}
    return {"sampler": sampler, "num_inference_steps": steps, "network_calls": calls, **figures}


def with_knees(rows: list[dict]) -> list[dict]:
    """Marks the knee of each sampler: its fewest steps whose KID is within 5 % of the lowest."""
    marked = [row | {"knee": False} for row in rows]
    for sampler in {row["sampler"] for row in rows}:
        own = [row for row in marked if row["sampler"] == sampler]
        lowest = min(row["kid"] for row in own)
        good = [row for row in own if row["kid"] <= max(KNEE * lowest, lowest)]  # a KID may be negative
        min(good, key=lambda row: row["network_calls"])["knee"] = True
    return marked


def write_curve(rows: list[dict], folder: Path) -> None:
    """Writes `curve.csv` and `curve.png`, KID by network calls and by seconds, knees ringed."""
    rows = with_knees(rows)
    with io.StringIO(newline="") as text:
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_atomic(folder / "curve.csv", text.getvalue())
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for axis, column in zip(axes, ("network_calls", "seconds_per_16_images"), strict=True):
        for sampler in dict.fromkeys(row["sampler"] for row in rows):
            own = sorted((row for row in rows if row["sampler"] == sampler), key=lambda row: row[column])
            (line,) = axis.plot([row[column] for row in own], [row["kid"] for row in own], marker=".", label=sampler)
            knee = next(row for row in own if row["knee"])
            axis.plot(knee[column], knee["kid"], "o", markersize=10, fillstyle="none", color=line.get_color())
        axis.set(xscale="log", xlabel=column.replace("_", " "))
        axis.grid(alpha=0.3)
    axes[0].set(ylabel="KID (EfficientNet-Lite0), validation")
    axes[0].legend(fontsize=8)
    figure.savefig(folder / "curve.png", dpi=100)
    plt.close(figure)
