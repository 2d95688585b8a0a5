"""What would the figures of a table be that names no pairs? Samples beside real images that have no part in them.

Study A prints SSIM, CC and MSE "between real and generated images". Against a random image these reward blur, and
against the nearest one copies too; the mean image and real images scored alike show it. They are not projections.
"""

from functools import partial

import torch

from zoo.metrics.context import Context, Group
from zoo.metrics.functional import cc, mse, ssim
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import mean_figure
from zoo.metrics.projection import nearest_by_mse

METRICS = {"ssim": ssim, "cc": cc, "mse": mse}


def unpaired_row(images: ImageSet, reference: ImageSet, seed: int, batch_size: int = 500) -> dict:
    """SSIM, CC and MSE of each image with a random real image, and with the nearest one by MSE.

    Args:
        images (`ImageSet`): Samples, or a reference row.
        reference (`ImageSet`): Real images of the split.
        seed (`int`): Of the random ones, drawn with replacement.
        batch_size (`int`): Images at a time.

    Returns:
        `dict`: `ssim_random`, `cc_random`, `mse_random` and the same with `_nearest`, means over the images.
    """
    drawn = torch.randint(len(reference), (len(images),), generator=torch.Generator().manual_seed(seed))
    found = {f"{name}_{pair}": [] for pair in ("random", "nearest") for name in METRICS}
    real = reference.floats
    for part in torch.arange(len(images)).split(batch_size):
        own = images[part].floats
        for pair, others in (("random", real[drawn[part]]), ("nearest", nearest_by_mse(own, real))):
            for name, metric in METRICS.items():
                found[f"{name}_{pair}"].append(metric(own, others))
    return {key: mean_figure(torch.cat(values), images.ids) for key, values in found.items()}


def measure(run: Context) -> tuple[dict, dict]:
    """Group `unpaired`: the samples, and the reference rows beside them."""
    samples = run.samples
    run.announce("unpaired", f"{len(samples):,} samples beside random and nearest {run.split} images")
    row = partial(unpaired_row, reference=run.reference, seed=run.seed)
    rows = run.references("unpaired", lambda: {name: row(images) for name, images in run.rows()})
    return row(samples), rows


GROUP = Group("unpaired", measure)
