"""Can the model express hearts it has never seen? Real images beside the nearest ones that the model can make."""

import time
from collections.abc import Sequence
from functools import partial

import datasets
import torch

from zoo.errors import ZooError
from zoo.metrics.context import Context, Group
from zoo.metrics.functional import cc, mse, psnr, ssim
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import mean_figure
from zoo.metrics.references import mean_row
from zoo.pipelines import sample_generators
from zoo.progress import track
from zoo.published.metrics_file import SCHEMA_VERSION

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


def projected_images(run: Context) -> ImageSet:
    """The real images that are projected onto the model."""
    return run.once("projected images", lambda: run.reference[choose_images(run.data.dataset[run.split], run.seed)])


def measure(run: Context) -> tuple[dict, dict]:
    """Group `projection`: what the model makes of real images, beside the mean image and the nearest training image."""
    images, settings = projected_images(run), list(run.pipe.projection_settings)
    run.announce("projection", f"{len(images)} {run.split} images, {len(settings)} setting(s)")

    def reference_rows() -> dict:
        answers = {
            "mean_image": mean_row(run.train, len(images)).floats,
            "copy": nearest_by_mse(images.floats, run.train.floats),
        }
        return {row: similarity(images.floats, answer, images.ids) for row, answer in answers.items()}

    rows = run.references("projection", reference_rows)
    depends_on = [SCHEMA_VERSION, run.weights, run.data.info["fingerprint"], run.split, run.seed, settings]
    compute = partial(projection_group, run.pipe, images, run.seed, progress=run.progress)
    return run.model_cache.json("projection", depends_on, compute), rows


def why_not(run: Context) -> str | None:
    return None if hasattr(run.pipe, "project") else "the model cannot project images"


GROUP = Group("projection", measure, why_not)
