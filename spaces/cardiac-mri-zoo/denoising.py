"""The way from noise to image, moment by moment."""

from collections.abc import Callable

import numpy as np

from asking import Request
from sampling import after_each_step
from zoo.png import to_uint8

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
    call = request.call(pipe, [0])
    total, kept = call["num_inference_steps"], []

    def keep(step: int, tensors: dict) -> None:
        picture = to_uint8(pipe.preview(tensors["latents"])[0])
        kept.append((step + 1, picture))
        tell((step + 1, total, picture))

    image = pipe(**call, output_type="np", **after_each_step(keep)).images[0]
    kept[-1] = (kept[-1][0], to_uint8(image))
    return [kept[moment] for moment in moments_of(len(kept))]
