"""Is it varied? Similarity of random pairs within a set: below that of real images is noise, above it collapse."""

from functools import partial

import torch

from zoo.errors import ZooError
from zoo.metrics.context import Context, Group
from zoo.metrics.functional import ms_ssim, ssim
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import figure, folds, jackknife_error

NUM_PAIRS = 1000
SECONDS = 4  # on one core at 64x64
MIXED = (0.2, 0.8)  # share of images on dark ground between which a set is a mixture of negatives and positives


def random_pairs(ids: list[str], seed: int, count: int = NUM_PAIRS) -> torch.Tensor:
    """`(count, 2)` indices of seeded random pairs of images of different patients.

    Raises:
        ZooError: If all images are of one patient.
    """
    if len(set(ids)) < 2:
        raise ZooError("diversity: expected images of at least two patients")
    generator = torch.Generator().manual_seed(seed)
    pairs = []
    while len(pairs) < count:
        i, j = torch.randint(len(ids), (2,), generator=generator).tolist()
        if ids[i] != ids[j]:
            pairs.append((i, j))
    return torch.tensor(pairs)


def on_dark_ground(images: torch.Tensor) -> torch.Tensor:
    """Which images `(n, channels, height, width)` in [0, 1] have an outermost ring of pixels darker than mid grey."""
    ring = torch.ones(images.shape[2:], dtype=torch.bool)
    ring[1:-1, 1:-1] = False
    return images[:, :, ring].mean((1, 2)) < 0.5


def diversity_row(images: ImageSet, seed: int) -> dict:
    """Mean MS-SSIM and SSIM over 1,000 random pairs; their intervals leave out patients with all pairs they are in.

    In a set of images and negatives, as a training that inverts at random leads to, two images are unlike already if
    one is a negative. Of such a set the same is given of the pairs on dark ground alone, as `ms_ssim_dark` and
    `ssim_dark`.
    """
    pairs = random_pairs(images.ids, seed)
    first, second = (images[pairs[:, side]].floats for side in (0, 1))
    fold, patients = folds(images.ids)[pairs], len(set(images.ids))
    without = [(fold != k).all(1) for k in range(int(fold.max()) + 1)]
    dark = on_dark_ground(images.floats)
    kept = {"": torch.ones(len(pairs), dtype=torch.bool)}
    both = dark[pairs].all(1)
    if MIXED[0] <= dark.double().mean() <= MIXED[1] and all((both & rest).any() for rest in without):
        kept["_dark"] = both
    row = {}
    for name, metric in (("ms_ssim", ms_ssim), ("ssim", ssim)):
        values = metric(first, second)
        for ending, of_these in kept.items():
            own, left_out = values[of_these], [values[of_these & rest].mean() for rest in without]
            row[name + ending] = figure(own.mean(), jackknife_error(left_out), patients) | {"std": own.std().item()}
    return row


def measure(run: Context) -> tuple[dict, dict]:
    """Group `diversity`: the samples, and training images beside them."""
    samples = run.samples
    run.announce("diversity", f"{NUM_PAIRS:,} pairs", SECONDS)
    row = partial(diversity_row, seed=run.seed)
    rows = run.references("diversity", lambda: {name: row(images) for name, images in run.rows()})
    return row(samples) | {f"{name}_train": entry for name, entry in rows["real"].items()}, rows


GROUP = Group("diversity", measure)
