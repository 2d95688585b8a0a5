"""Is it varied? Similarity of random pairs within a set: below that of real images is noise, above it collapse."""

import torch

from zoo.errors import ZooError
from zoo.metrics.functional import ms_ssim, ssim
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import figure, folds, jackknife_error

NUM_PAIRS = 1000


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


def diversity_row(images: ImageSet, seed: int) -> dict:
    """Mean MS-SSIM and SSIM over 1,000 random pairs; their intervals leave out patients with all pairs they are in."""
    pairs = random_pairs(images.ids, seed)
    first, second = (images[pairs[:, side]].floats for side in (0, 1))
    fold = folds(images.ids)[pairs]
    row = {}
    for name, metric in (("ms_ssim", ms_ssim), ("ssim", ssim)):
        values = metric(first, second)
        left_out = [values[(fold != k).all(1)].mean() for k in range(int(fold.max()) + 1)]
        row[name] = figure(values.mean(), jackknife_error(left_out), len(set(images.ids)))
        row[name]["std"] = values.std().item()
    return row
