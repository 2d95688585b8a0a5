"""What machine a figure was measured on."""

import os
import platform
from pathlib import Path

import torch


def describe_hardware() -> str:
    """The accelerator or processor, the threads in use and the torch version, in one line."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return f"{name}, {torch.get_num_threads()} of {os.cpu_count()} CPU cores, torch {torch.__version__}"
