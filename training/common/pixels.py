"""The pixels of a split: in memory, or mapped from a file where they are too many for it."""

import math
import os
from pathlib import Path

import datasets
import torch

import zoo.datasets
from zoo.errors import ZooError

IN_MEMORY = 2**30  # bytes of a split that are held in memory
ROWS = 1000  # decoded at a time


def pixels_of(split: datasets.Dataset) -> torch.Tensor:
    """The images of a split, uint8 `(n, channels, height, width)`.

    More than a gibibyte is decoded once, into the cache of `datasets` (`HF_DATASETS_CACHE`), and mapped: the system
    reads what is asked for and gives it up when memory is short, and the processes of a machine share it. Whatever
    order images are drawn in is thus the same for both.

    Args:
        split (`datasets.Dataset`): The rows, at least one.

    Raises:
        ZooError: If a row has no image, or the file cannot be written.
    """
    height, width, channels = zoo.datasets.images(split.select([0])).shape[1:]
    shape = len(split), channels, height, width
    size = math.prod(shape)
    if size <= IN_MEMORY:
        return _decoded(split)
    file = Path(datasets.config.HF_DATASETS_CACHE) / "cardiac-zoo" / f"{split._fingerprint}.pixels"
    if not file.is_file() or file.stat().st_size != size:
        _write(split, file)
    return torch.from_file(str(file), shared=False, size=size, dtype=torch.uint8).view(shape)


def _decoded(split: datasets.Dataset) -> torch.Tensor:
    return torch.from_numpy(zoo.datasets.images(split)).permute(0, 3, 1, 2).contiguous()


def _write(split: datasets.Dataset, file: Path) -> None:
    part = file.with_suffix(f".{os.getpid()}")  # each process its own: the last one whole is as good as the first
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as target:
            for start in range(0, len(split), ROWS):
                rows = split.select(range(start, min(start + ROWS, len(split))))
                target.write(_decoded(rows).numpy().tobytes())
        part.replace(file)
    except OSError as error:
        raise ZooError(f"{file}: the pixels of {len(split):,} images cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
