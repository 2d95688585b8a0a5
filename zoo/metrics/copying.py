"""Does it copy patients? The nearest training image of each sample, over small shifts and mirror images."""

from dataclasses import dataclass

import torch

from zoo.errors import ZooError
from zoo.metrics.functional import ssim
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import mean_figure, share_figure
from zoo.progress import track

MAX_SHIFT = 2
NUM_OTHERS = 50


@dataclass(frozen=True)
class Neighbours:
    """What `nearest_training` found for each of `n` samples.

    Args:
        index (`torch.Tensor` of shape `(n,)`): Which training image is nearest.
        cc (`torch.Tensor` of shape `(n,)`): Its correlation with the sample, at the best shift and flip.
        ssim (`torch.Tensor` of shape `(n,)`): Its SSIM with the sample, at the same shift and flip.
        ratio (`torch.Tensor` of shape `(n,)`): Its distance ÷ the mean distance to the 50 nearest images of other
            patients; 0 is a copy, and a sample no nearer to one patient than to all others has a ratio near 1.
    """

    index: torch.Tensor
    cc: torch.Tensor
    ssim: torch.Tensor
    ratio: torch.Tensor


def nearest_training(samples: torch.Tensor, training: ImageSet, progress: bool = False) -> Neighbours:
    """Finds the nearest training image of each sample over shifts of up to 2 pixels either way and left-right flips.

    The distance of two images is that of their pixels after both are brought to mean 0 and length 1, √(2 - 2 CC), so
    that brightness and contrast do not hide a copy. A training image is compared without its outer 2 pixels, at each
    place where it fits into the sample: no border is made up. Each shift is one product of two matrices.

    Args:
        samples (`torch.Tensor` of shape `(n, channels, height, width)`): uint8.
        training (`ImageSet`): `m` training images of the same size; the other patients of the ratio are those whose id
            is not the nearest image's.
        progress (`bool`): Whether to show a progress bar.

    Raises:
        ZooError: If sizes differ or the training images are of a single patient.
    """
    if samples.shape[1:] != training.images.shape[1:]:
        raise ZooError(
            f"samples: expected the training images' shape {tuple(training.images.shape[1:])}, "
            f"got {tuple(samples.shape[1:])}"
        )
    if len(set(training.ids)) < 2:
        raise ZooError("training images: the copy check needs at least two patients")
    height, width = samples.shape[-2:]
    core = training.images[..., MAX_SHIFT : height - MAX_SHIFT, MAX_SHIFT : width - MAX_SHIFT]
    targets = _normalised(core).T.contiguous()
    steps = range(2 * MAX_SHIFT + 1)
    windows = [(flip, dy, dx) for flip in (False, True) for dy in steps for dx in steps]

    def window(images: torch.Tensor, flip: bool, dy: int, dx: int) -> torch.Tensor:
        images = images.flip(-1) if flip else images
        return images[..., dy : dy + height - 2 * MAX_SHIFT, dx : dx + width - 2 * MAX_SHIFT]

    correlation = torch.full((len(samples), len(training)), -1.0)
    for where in track(windows, f"  copy check, {len(samples):,} images", disable=not progress):
        torch.maximum(correlation, _normalised(window(samples, *where)) @ targets, out=correlation)
    best, index = correlation.clamp(max=1).max(1)

    # The nearest pairs once more, one by one, to see them at their best shift and flip.
    nearest = core[index]
    candidates = torch.stack([(_normalised(window(samples, *w)) * _normalised(nearest)).sum(1) for w in windows])
    aligned = torch.stack([window(samples[i], *windows[w]) for i, w in enumerate(candidates.argmax(0).tolist())])

    patients = {patient: number for number, patient in enumerate(sorted(set(training.ids)))}
    patient = torch.tensor([patients[item] for item in training.ids])
    others = correlation.masked_fill(patient == patient[index, None], -torch.inf)
    others = others.topk(min(NUM_OTHERS, others.shape[1]), dim=1).values
    distances = torch.where(others.isinf(), torch.nan, _distance(others))  # fewer than 50 images of others: their mean
    return Neighbours(
        index=index,
        cc=best,
        ssim=ssim(aligned.float() / 255, nearest.float() / 255),
        ratio=_distance(best) / distances.nanmean(1),
    )


def threshold(copies: torch.Tensor, real: torch.Tensor) -> float:
    """The ratio up to which a sample counts as a copy: the larger of two.

    Args:
        copies (`torch.Tensor`): Ratios of the `copy` row; at least 99 % of them must be caught.
        real (`torch.Tensor`): Ratios of real images of unseen patients; where it costs no more than 1 % of false
            alarms, the threshold is raised to that, since copies of a generator are not as exact as those of the row.
    """
    caught = torch.quantile(copies, 0.99, interpolation="higher")
    return max(caught, torch.quantile(real, 0.01, interpolation="lower")).item()


def copying_row(neighbours: Neighbours, ids: list[str], limit: float) -> dict:
    """The figures of one row: the share of images whose ratio is at most `limit`, and SSIM to the nearest image."""
    return {
        "share_copies": share_figure(neighbours.ratio <= limit, ids),
        "nearest_ssim_train": mean_figure(neighbours.ssim, ids),
    }


def _normalised(images: torch.Tensor) -> torch.Tensor:
    """`(n, pixels)` float32 of mean 0 and length 1; a constant image becomes 0 and so correlates with nothing."""
    flat = images.flatten(1).float()
    flat = flat - flat.mean(1, keepdim=True)
    return flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-2)


def _distance(correlation: torch.Tensor) -> torch.Tensor:
    return (2 - 2 * correlation).clamp(min=0).sqrt()
