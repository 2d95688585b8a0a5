"""Does it copy patients? The nearest training image of each sample, over small shifts and mirror images."""

from dataclasses import dataclass

import torch

from zoo.errors import ZooError
from zoo.metrics.functional import auc, ssim
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import mean_figure, share_figure, two_sample_figure, within
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


def threshold(copies: torch.Tensor, real: torch.Tensor) -> float:
    """The ratio up to which a sample counts as a copy: the larger of two.

    Args:
        copies (`torch.Tensor`): Ratios of the `copy` row; at least 99 % of them must be caught.
        real (`torch.Tensor`): Ratios of real images of unseen patients; where it costs no more than 1 % of false
            alarms, the threshold is raised to that, since copies of a generator are not as exact as those of the row.
    """
    caught = torch.quantile(copies, 0.99, interpolation="higher")
    return max(caught, torch.quantile(real, 0.01, interpolation="lower")).item()


def copying_row(neighbours: Neighbours, ids: list[str], limit: float, classes: list[str] | None = None) -> dict:
    """The figures of one row: the share of images whose ratio is at most `limit`, CC and SSIM to the nearest image.

    Args:
        neighbours (`Neighbours`): Of the row's images.
        ids (`list[str]` of length `n`): What is independent among them.
        limit (`float`): The threshold of the ratio.
        classes (`list[str]` of length `m`, *optional*): The pathology of each training image. With it the share is
            also given for the images nearest to each pathology: where patients are few, more may be copied.
    """
    copied = neighbours.ratio <= limit
    row = {
        "share_copies": share_figure(copied, ids),
        "nearest_cc_train": mean_figure(neighbours.cc, ids),
        "nearest_ssim_train": mean_figure(neighbours.ssim, ids),
    }
    for name in dict.fromkeys(classes or []):
        chosen = [i for i, nearest in enumerate(neighbours.index.tolist()) if classes[nearest] == name]
        if chosen:
            row[f"share_copies_{name}"] = share_figure(copied[chosen], [ids[i] for i in chosen])
    return row


def membership_figure(train: Neighbours, other: Neighbours, train_ids: list[str], other_ids: list[str]) -> dict:
    """How well an attacker who has the samples alone can tell training images from images of other patients.

    The attack calls a real image the likelier to have been trained on, the nearer a sample is to it (GAN-Leaks, Chen et
    al., 2020, arXiv 1909.03935, without access to the generator). The figure is its AUC, 0.5 if nothing leaks.

    Args:
        train (`Neighbours`): Of the samples among the training images.
        other (`Neighbours`): Of the samples among images of patients that training has not seen.
        train_ids, other_ids (`list[str]`): The patients of these images; the interval leaves out those of both.
    """
    return within(two_sample_figure(auc, train.training_cc, other.training_cc, train_ids, other_ids), high=1.0)


def _normalised(images: torch.Tensor) -> torch.Tensor:
    """`(n, pixels)` float32 of mean 0 and length 1; a constant image becomes 0 and so correlates with nothing."""
    flat = images.flatten(1).float()
    flat = flat - flat.mean(1, keepdim=True)
    return flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-2)


def _distance(correlation: torch.Tensor) -> torch.Tensor:
    return (2 - 2 * correlation).clamp(min=0).sqrt()
