"""What does it cost? Parameters, speed, memory, and the machine they were measured on."""

import platform
import resource
import time
from pathlib import Path

import torch

from zoo.hardware import describe_hardware
from zoo.metrics.context import Context, Group
from zoo.metrics.intervals import mean_figure
from zoo.pipelines import sample_generators

REPEATS = 3


def size_figures(pipe, settings: dict, model_dir: str | Path | None = None) -> dict:
    """What no machine changes: parameters, network evaluations a sample, and checkpoint size in MB."""
    modules = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    figures = {
        "parameters": sum(parameter.numel() for module in modules for parameter in module.parameters()),
        "network_evaluations": pipe.network_evaluations(**settings),
    }
    if model_dir is not None:
        figures["checkpoint_mb"] = sum(path.stat().st_size for path in Path(model_dir).rglob("*.safetensors")) / 1e6
    return figures


def cost_group(pipe, settings: dict, model_dir: str | Path | None = None) -> dict:
    """`size_figures`, images/s at batch 1 and 16, peak memory in MB, and the machine."""
    group = size_figures(pipe, settings, model_dir)
    device = torch.device(pipe.device)
    _reset_peak(device)
    pipe(batch_size=1, generator=sample_generators(0, [0]), output_type="pt", **settings)  # warms up
    for batch_size in (1, 16):
        rates = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            pipe(batch_size=batch_size, generator=sample_generators(0, range(batch_size)), output_type="pt", **settings)
            rates.append(batch_size / (time.perf_counter() - start))
        group[f"samples_per_second_batch_{batch_size}"] = mean_figure(torch.tensor(rates), range(REPEATS))
    group["peak_memory_mb"] = _peak_mb(device)
    group["hardware"] = describe_hardware(device)
    return group


def _reset_peak(device: torch.device) -> None:
    """Starts the measurement of peak memory anew, where the system allows it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def _peak_mb(device: torch.device) -> float:
    """Peak memory since `_reset_peak` in MB: the GPU's, or this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else []:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure(run: Context) -> tuple[dict, dict]:
    """Group `cost`; it comes first, since memory is measured while the process is small."""
    run.announce("cost", "a few samples at batch 1 and 16")
    return cost_group(run.pipe, run.settings, run.model_dir), {}


GROUP = Group("cost", measure)
