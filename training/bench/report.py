"""The results as a page: every part that was measured, with what had been foretold."""

TITLES = {
    "training": "Training step",
    "sampling": "Sampling",
    "loop": "Training loop",
    "data": "Dataset",
    "evaluation": "Evaluation",
}
# Written down before anything was measured
FORETOLD = {
    "training": "Level with diffusers, whose network it is; 1.1 × MONAI, 1.8 × denoising-diffusion-pytorch.",
    "sampling": "Level with diffusers; 1.1 × MONAI, 1.8 × denoising-diffusion-pytorch.",
    "loop": "0.96 of the bare step: clipping and the average of the weights touch every weight once more.",
    "data": "40 s for ACDC on one free core, most of it reading NIfTI and resampling.",
    "evaluation": "110 s for 1,000 samples on one free core, most of it features; start-up 10 s.",
}
COLUMNS = {
    "name": "",
    "images_per_second": "images/s",
    "ours_to_it": "this project ÷ it",
    "seconds": "seconds",
    "peak_megabytes": "peak memory, MB",
    "parameters": "parameters",
}
HEAD = """# Speed

Written by `make bench`. Medians over blocks with intervals of at least 95 % where there are six blocks or more (fewer:
the whole range). Contenders take turns block by block, each in a process of its own, and who begins changes: a machine
that is busy slows all of them, and the ratio of one block is of neighbours in time. Networks are of one size (that of
denoising-diffusion-pytorch has 5 % fewer parameters), one channel, 64 × 64 pixels, with the same batch, precision and
number of steps; batches and pictures are noise, except for this project's own training, which is `train_diffusion.py`
itself on the phantom. Peak memory is that of the process, its libraries included.
"""


def page(results: dict[str, dict]) -> str:
    """The text of `RESULTS.md`.

    Args:
        results (`dict[str, dict]`): By part: `rows`, `machine`, `load` and `settings`.
    """
    return "\n".join([HEAD, *(_section(name, results[name]) for name in TITLES if name in results)])


def _section(name: str, result: dict) -> str:
    rows = result["rows"]
    keys = [key for key in COLUMNS if key in rows[0]]
    lines = [f"| {' | '.join(COLUMNS[key] for key in keys)} |", "|---|" + "---:|" * (len(keys) - 1)]
    lines += [f"| {' | '.join(_cell(row[key]) for key in keys)} |" for row in rows]
    table = "\n".join(lines)
    return (
        f"## {TITLES[name]}\n\n{table}\n\nForetold: {FORETOLD[name]}\n\n"
        f"{result['settings']}. {result['machine']}. {result['load']}.\n"
    )


def _cell(value) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
