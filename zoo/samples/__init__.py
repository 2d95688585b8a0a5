"""Samples of a published model as files, and pictures of them."""

from zoo.samples.pictures import GRID_SEEDS, code_grid, denoising_strip, outline_grid, sample_grid
from zoo.samples.writing import LIST_FILE, class_arguments, write_samples

__all__ = [
    "GRID_SEEDS",
    "LIST_FILE",
    "class_arguments",
    "code_grid",
    "denoising_strip",
    "outline_grid",
    "sample_grid",
    "write_samples",
]
