"""Loss curves as a picture."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

POSITION = {"step", "epoch", "images_seen", "seconds", "images_per_second"}
MACHINE = {"mixed_precision", "processes", "hardware"}  # of the steps that follow


def draw_curves(log: Path, picture: Path) -> None:
    """Draws every figure of a `metrics.jsonl` over the images seen, one panel a figure."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    names = sorted({name for row in rows for name in row} - POSITION - MACHINE)
    figure, axes = plt.subplots(1, len(names), figsize=(4 * len(names), 3), squeeze=False, layout="constrained")
    for axis, name in zip(axes[0], names, strict=True):
        points = [(row["images_seen"], row[name]) for row in rows if name in row]
        axis.plot(*zip(*points, strict=True), marker="." if len(points) < 50 else None)
        axis.set(title=name, xlabel="training images seen")
        axis.grid(alpha=0.3)
    figure.savefig(picture, dpi=100)
    plt.close(figure)
