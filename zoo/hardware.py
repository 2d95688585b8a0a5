"""What machine a figure was measured on."""

import os
import platform
import re
from pathlib import Path

import torch


def describe_hardware(device: torch.device | None = None) -> str:
    """The machine in one line: GPU, or processor with cores and threads, and torch's version.

    Args:
        device (`torch.device`, *optional*): Where the work is done; the GPU by default, if there is one.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        machine = torch.cuda.get_device_name(device)
    else:
        machine = f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return f"{machine}, torch {torch.__version__}"


def same_machine(first: str, second: str) -> bool:
    """Whether two lines of `describe_hardware` name one kind of machine and one torch; threads change the speed alone.

    Example:
        >>> same_machine("EPYC, 2 cores, 1 threads, torch 2.13.0", "EPYC, 2 cores, 2 threads, torch 2.13.0")
        True
    """
    first, second = (re.sub(r", \d+ threads", "", line) for line in (first, second))
    return first == second


def _processor() -> str:
    """The processor's name, which Linux tells in a file."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
