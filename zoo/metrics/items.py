"""A few samples and projections, value by value: what `verify` can make again in seconds.

Group `items` of `metrics.json` holds some kilobytes of numbers, no image. Its samples and projections are made in calls
of their own, so that a replay makes the very same calls and agrees to the last digits on the same machine.
"""

import torch

from zoo.errors import ZooError
from zoo.metrics.context import Context, Group
from zoo.metrics.functional import mse, ssim
from zoo.metrics.image_set import ImageSet
from zoo.metrics.nearest import nearest_training
from zoo.metrics.projection import projected_images
from zoo.pipelines import sample_generators

NUM_SAMPLES = 16
NUM_PROJECTIONS = 4
DIGITS = 6  # after the point


def sample_items(samples: torch.Tensor, training: ImageSet) -> dict:
    """Of each sample its mean grey, its SSIM with the nearest training image and the distance ratio of the copy check.

    Args:
        samples (`torch.Tensor` of shape `(n, channels, height, width)`): uint8; samples 0 to n - 1.
        training (`ImageSet`): The training images.

    Returns:
        `dict`: `mean`, `nearest_ssim_train` and `copy_ratio`, each a list of `n` numbers.
    """
    near = nearest_training(samples, training)
    means = samples.double().mean(dim=(1, 2, 3)) / 255
    return {"mean": _numbers(means), "nearest_ssim_train": _numbers(near.ssim), "copy_ratio": _numbers(near.ratio)}


def projection_items(pipe, targets: ImageSet, seed: int) -> dict:
    """Of a few projected images, spread evenly over the fixed set, their place in it, SSIM and MSE.

    Args:
        pipe: A pipeline with `project`, which is called with its headline setting.
        targets (`ImageSet`): The images of group `projection`.
        seed (`int`): As in that group: image `i` starts from the same latent as there.

    Returns:
        `dict`: `place`, `ssim` and `mse`, lists of one length.

    Raises:
        ZooError: If a projection is NaN.
    """
    places = torch.linspace(0, len(targets) - 1, NUM_PROJECTIONS).long().unique()
    images = targets[places].floats
    found = pipe.project(images, generator=sample_generators(seed, places.tolist()), **pipe.projection_headline)
    found = getattr(found, "images", found).float().cpu()
    if not torch.isfinite(found).all():
        raise ZooError("projection: NaN or infinite values")
    found = found.clamp(0, 1)
    return {"place": places.tolist(), "ssim": _numbers(ssim(images, found)), "mse": _numbers(mse(images, found))}


def _numbers(values: torch.Tensor) -> list[float]:
    return [round(value, DIGITS) for value in values.tolist()]


def measure(run: Context) -> tuple[dict, dict]:
    """Group `items`."""
    run.announce("items", f"{NUM_SAMPLES} samples and {NUM_PROJECTIONS} projections, value by value")
    images = run.sample(range(NUM_SAMPLES))[:, : run.pipe.num_channels]
    group = {"samples": sample_items(images, run.train)}
    if hasattr(run.pipe, "project"):
        group["projection"] = projection_items(run.pipe, projected_images(run), run.seed)
    return group, {}


GROUP = Group("items", measure)
