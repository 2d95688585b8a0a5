"""Can the model express hearts it has never seen? Real images beside the nearest ones that the model can make."""

import time
from collections.abc import Sequence

import datasets
import torch

from zoo.errors import ZooError
from zoo.metrics.functional import cc, mse, psnr, ssim
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import mean_figure
from zoo.pipelines import sample_generators
from zoo.progress import track

NUM_IMAGES = 128
METRICS = {"ssim": ssim, "cc": cc, "mse": mse, "psnr": psnr}


def choose_images(split: datasets.Dataset, seed: int = 0, count: int = NUM_IMAGES) -> torch.Tensor:
    """The fixed images to project: pathologies and slice levels (or labels) in the proportions of the split.

    The rows are sorted by stratum, in seeded order within each, and every ⌊n / count⌋-th is taken.

    Returns:
        `torch.Tensor` of at most `count` sorted row indices.
    """
    strata = [split[name][:] for name in ("pathology", "slice_level", "label") if name in split.column_names]
    shuffled = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed)).tolist()
    ordered = sorted(shuffled, key=lambda row: tuple(-1 if s[row] is None else s[row] for s in strata))
    count = min(count, len(ordered))
    return torch.tensor(sorted(ordered[(2 * i + 1) * len(ordered) // (2 * count)] for i in range(count)))


def similarity(images: torch.Tensor, projections: torch.Tensor, ids: Sequence[str]) -> dict:
    """SSIM, CC, MSE and PSNR of images `(n, channels, height, width)` in [0, 1] with their projections."""
    return {name: mean_figure(metric(images, projections), ids) for name, metric in METRICS.items()}


def projection_group(pipe, targets: ImageSet, seed: int = 0, batch_size: int = 32, progress: bool = False) -> dict:
    """The figures of `pipe.project` at its headline setting; its other settings' lie in a dict under their name.

    Raises:
        ZooError: If a projection is of another shape, or NaN.
    """
    group = {
        "images": len(targets),
        "method": pipe.projection_method,
        "settings": dict(pipe.projection_headline),
        "latent_dimensions": pipe.latent_dimensions,
    }
    for settings in pipe.projection_settings:
        label = ", ".join(f"{key} {value}" for key, value in settings.items())
        batches = torch.arange(len(targets)).split(batch_size)
        start, projections = time.perf_counter(), []
        for batch in track(batches, f"  projection {label}".rstrip(), disable=not progress):
            generators = sample_generators(seed, batch.tolist())
            found = pipe.project(targets[batch].floats, generator=generators, **settings)
            projections.append(getattr(found, "images", found).float().cpu())
        seconds = (time.perf_counter() - start) / len(targets)
        projections = torch.cat(projections)
        if not torch.isfinite(projections).all():
            raise ZooError(f"projection {label}".rstrip() + ": NaN or infinite values")
        scores = similarity(targets.floats, projections.clamp(0, 1), targets.ids) | {"seconds_per_image": seconds}
        if settings == pipe.projection_headline:
            group |= scores
        else:
            group["_".join(f"{key}_{value}" for key, value in settings.items())] = scores
    return group


def nearest_by_mse(targets: torch.Tensor, training: torch.Tensor) -> torch.Tensor:
    """For each of `n` targets the nearest of `m` training images; both `(…, channels, height, width)` floats."""
    return training[torch.cdist(targets.flatten(1), training.flatten(1)).argmin(1)]
