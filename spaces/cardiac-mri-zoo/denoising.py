"""The way from noise to image, moment by moment."""

from collections.abc import Callable

import numpy as np
import torch

from pictures import to_uint8
from sampling import Request
from zoo.errors import ZooError
from zoo.pipelines import sample_generators

MAX_MOMENTS = 25


def moments_of(total: int) -> list[int]:
    """Which of `total` steps are kept: all, or `MAX_MOMENTS` evenly spread ones with the first and the last."""
    return sorted(set(np.linspace(0, total - 1, min(total, MAX_MOMENTS)).round().astype(int).tolist()))


def denoise(pipe, request: Request, tell: Callable) -> list[tuple[int, np.ndarray]]:
    """Sample 0 of a seed on its way.

    Args:
        pipe: A pipeline that works in steps.
        request (`Request`): Seed, classes and settings; the count is not used.
        tell (callable): Given `(steps done, all steps, picture by now)` after each step.

    Returns:
        Steps done and the picture then, uint8 `(height, width, channels)`, for each moment; the last is the image.

    Raises:
        ZooError: If the model does not know a class.
    """
    first, total = next(iter(pipe.class_names), None), request.settings["num_inference_steps"]
    asked = {("class_labels" if name == first else name): label for name, label in request.classes.items()}
    kept = []

    def keep(pipe, step: int, timestep, tensors: dict) -> dict:
        picture = to_uint8(pipe.preview(tensors["latents"])[0])
        kept.append((step + 1, picture))
        tell((step + 1, total, picture))
        return tensors

    call = {"generator": sample_generators(request.seed, [0]), "output_type": "np", "callback_on_step_end": keep}
    try:
        with torch.no_grad():
            image = pipe(1, **call, **asked, **request.settings).images[0]
    except (ValueError, TypeError) as error:  # a class or condition that this model does not know
        raise ZooError(str(error)) from error
    kept[-1] = (kept[-1][0], to_uint8(image))
    return [kept[moment] for moment in moments_of(len(kept))]
