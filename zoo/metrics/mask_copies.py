"""Are drawn label maps those of training patients? By Dice to the nearest one of the same phase and slice level."""

import numpy as np
import torch
from scipy import ndimage

from zoo.metrics.anatomy import LEVEL
from zoo.metrics.context import Context
from zoo.metrics.image_set import from_split, masks_of
from zoo.metrics.intervals import share_figure

STRUCTURES = (1, 2, 3)
CAUGHT = 0.99  # of the moved copies, by the threshold
MAX_SHIFT, MAX_TURN = 2, 5.0  # pixels and degrees, of a moved copy
ALIKE = ("phase", LEVEL)


def centred(masks: torch.Tensor) -> torch.Tensor:
    """Masks `(n, height, width)` moved by whole pixels, so that the centroid of each heart lies in the middle."""
    middle = torch.tensor(masks.shape[1:]) // 2
    moved = []
    for mask in masks:
        inside = mask.nonzero().float()
        step = (middle - inside.mean(0).round()).int().tolist() if len(inside) else [0, 0]
        moved.append(mask.roll(tuple(step), (0, 1)))
    return torch.stack(moved)


def nearest_dice(masks: torch.Tensor, others: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Dice, over all structures together, of each mask with the nearest of others that it may be compared with.

    Args:
        masks (`torch.Tensor` of shape `(n, height, width)`): Labels.
        others (`torch.Tensor` of shape `(m, height, width)`): Labels.
        same (`torch.Tensor` of shape `(n, m)`): bool, which of them may be compared.

    Returns:
        `torch.Tensor` of shape `(n,)`: In [0, 1]; 0 where there is nothing to compare with.
    """

    def layers(labels: torch.Tensor) -> torch.Tensor:
        return torch.stack([labels == label for label in STRUCTURES], 1).flatten(1).float()

    theirs, nearest = layers(others), []
    for part, allowed in zip(masks.split(64), same.split(64), strict=True):
        ours = layers(part)
        both = ours.sum(1)[:, None] + theirs.sum(1)
        dice = 2 * (ours @ theirs.T) / both.clamp(min=1)
        nearest.append(dice.masked_fill(~allowed, 0).amax(1))
    return torch.cat(nearest)


def moved_copies(masks: torch.Tensor, seed: int) -> torch.Tensor:
    """Copies of masks, each turned by up to 5° about its middle and moved by up to two pixels."""
    random = np.random.default_rng(seed)
    copies = []
    for mask in masks.numpy():
        turned = ndimage.rotate(mask, random.uniform(-MAX_TURN, MAX_TURN), reshape=False, order=0)
        copies.append(np.roll(turned, random.integers(-MAX_SHIFT, MAX_SHIFT + 1, 2), (0, 1)))
    return torch.from_numpy(np.stack(copies))


def mask_copy_figures(run: Context) -> dict:
    """The share of drawn label maps that count as copies, beside that of the validation patients' own.

    Hearts are compared with their centroids laid upon each other. The threshold is the Dice that 99 % of moved copies
    of training masks reach.
    """
    train, validation = run.data.dataset["train"], run.data.dataset["validation"]
    known = {name: masks_of(rows) for name, rows in _splits(train, validation)}
    alike = [name for name in ALIKE if name in run.asked and name in train.column_names]
    classes = {name: _columns(rows, alike) for name, rows in _splits(train, validation)}
    asked = torch.stack([run.asked[name][1] for name in alike], 1)

    def nearest(masks: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        same = (own[:, None] == classes["train"]).all(2)
        return nearest_dice(centred(masks), train_masks, same)

    train_masks = centred(known["train"])
    copies = nearest(moved_copies(known["train"], run.seed), classes["train"])
    some = known["train"].bool().flatten(1).any(1)  # a map without a heart has no copies
    threshold = torch.quantile(copies[some], 1 - CAUGHT).item()
    drawn = nearest(run.drawn[:, -1], asked) >= threshold
    real = nearest(known["validation"], classes["validation"]) >= threshold
    return {
        "mask_copies": share_figure(drawn, run.samples.ids),
        "mask_copies_validation": share_figure(real, from_split(run.data, "validation").ids),
        "mask_copy_threshold": threshold,
    }


def _splits(train, validation):
    return ("train", train), ("validation", validation)


def _columns(rows, names: list[str]) -> torch.Tensor:
    return torch.stack([torch.tensor(rows[name][:]) for name in names], 1)
