"""The nearest training image of each sample, over small shifts and mirror images."""

from dataclasses import dataclass

import torch

from zoo.errors import ZooError
from zoo.metrics.functional import ssim
from zoo.metrics.image_set import ImageSet
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
        training_cc (`torch.Tensor` of shape `(m,)`): The best correlation that each training image has with a sample.
    """

    index: torch.Tensor
    cc: torch.Tensor
    ssim: torch.Tensor
    ratio: torch.Tensor
    training_cc: torch.Tensor


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

    return Neighbours(
        index=index,
        cc=best,
        ssim=ssim(aligned.float() / 255, nearest.float() / 255),
        ratio=distance_ratio(_distance(correlation), index, training.ids),
        training_cc=correlation.max(0).values.clamp(max=1),
    )


def distance_ratio(distances: torch.Tensor, index: torch.Tensor, ids: list[str]) -> torch.Tensor:
    """The distance to the nearest training image ÷ the mean distance to the 50 nearest images of other patients.

    Args:
        distances (`torch.Tensor` of shape `(n, m)`): From each sample to each training image.
        index (`torch.Tensor` of shape `(n,)`): Which training image is nearest.
        ids (`list[str]` of length `m`): The patient of each training image.

    Returns:
        `torch.Tensor` of shape `(n,)`. Where other patients have fewer than 50 images, the mean is over those.
    """
    patients = {patient: number for number, patient in enumerate(sorted(set(ids)))}
    patient = torch.tensor([patients[item] for item in ids])
    others = distances.masked_fill(patient == patient[index, None], torch.inf)
    others = others.topk(min(NUM_OTHERS, others.shape[1]), dim=1, largest=False).values
    mean = others.masked_fill(others.isinf(), torch.nan).nanmean(1)
    return distances.gather(1, index[:, None])[:, 0] / mean


def _normalised(images: torch.Tensor) -> torch.Tensor:
    """`(n, pixels)` float32 of mean 0 and length 1; a constant image becomes 0 and so correlates with nothing."""
    flat = images.flatten(1).float()
    flat = flat - flat.mean(1, keepdim=True)
    return flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-2)


def _distance(correlation: torch.Tensor) -> torch.Tensor:
    return (2 - 2 * correlation).clamp(min=0).sqrt()
