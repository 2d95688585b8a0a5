"""Samples of a pipeline as they would be stored, for what is chosen on the validation patients."""

import torch

from zoo.metrics.image_set import from_floats
from zoo.pipelines import sample_generators

BATCH_SIZE = 100


def draw_samples(pipe, count: int, seed: int = 0, **settings) -> torch.Tensor:
    """Samples 0 … count - 1 of a seed, `(count, channels, height, width)`, uint8; `settings` are keywords of the call.

    Raises:
        ZooError: If a sample holds NaN or infinite values.
    """
    images = [
        pipe(len(part), generator=sample_generators(seed, part.tolist()), output_type="pt", **settings).images
        for part in torch.arange(count).split(BATCH_SIZE)
    ]
    return from_floats(torch.cat(images), "samples")
