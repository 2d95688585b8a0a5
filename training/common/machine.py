"""What a training takes from the machine and its launcher rather than from the recipe."""

import os
import sys
from pathlib import Path

import torch

from zoo.errors import ZooError

BF16_FLAGS = {"amx_bf16", "avx512_bf16"}  # of x86 processors that multiply bfloat16 themselves


def choose_precision(wanted: str, device: torch.device) -> str:
    """The precision to train in: `"no"` (float32), `"fp16"` or `"bf16"`.

    `accelerate launch` says it by an environment variable, which is "no" as well when its user said nothing.

    Args:
        wanted (`str`): The recipe's; `"auto"` is the launcher's, if it says one, or bf16 where the device multiplies
            it itself and float32 elsewhere, where bf16 may be ten times slower.
        device (`torch.device`): Where the work is done.

    Raises:
        ZooError: If recipe and launcher say different things, or the device cannot do it.
    """
    launcher = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if launcher not in ("no", wanted):
        if wanted != "auto":
            message = f"expected {launcher} or auto, as accelerate launch says --mixed_precision {launcher}"
            raise ZooError(f"recipe: mixed_precision: {message}; got {wanted}")
        wanted = launcher
    if wanted == "auto":
        return "bf16" if multiplies_bf16(device) else "no"
    if wanted not in ("no", "fp16", "bf16"):
        raise ZooError(f"accelerate launch --mixed_precision: expected no, fp16 or bf16, got {wanted}")
    if wanted == "fp16" and device.type == "cpu":
        raise ZooError("recipe: mixed_precision: expected auto, no or bf16 on a CPU, got fp16")
    return wanted


def multiplies_bf16(device: torch.device, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether a GPU, or a processor as Linux describes it, multiplies bfloat16 itself."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not cpuinfo.is_file():
        return False
    lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")]
    return bool(lines) and not BF16_FLAGS.isdisjoint(lines[0].split())


def warn_of_one_process(processes: int) -> None:
    """Says so where `accelerate launch` was asked for several processes and started one, as it does on a CPU.

    It leaves an address to meet at, but no number of processes.
    """
    if processes == 1 and "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ:
        use = "ACCELERATE_USE_CPU=true torchrun --nproc_per_node N SCRIPT …"
        print(f"warning: accelerate launch started one process of several; on CPUs: {use}", file=sys.stderr)


def launcher_of() -> int | None:
    """The process id of the launcher that started this process, if one did."""
    launched = {"ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID"} & os.environ.keys()
    return os.getppid() if launched else None
