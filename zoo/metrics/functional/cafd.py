"""Class-averaged Fréchet distance (CAFD; Liu et al., 2018, arXiv 1803.07474): the mean of the distances of the classes.

A single normal distribution fits the features of several classes badly, and a set in which classes are swapped looks
right by it. Here each class is compared with its own.
"""

import torch

from zoo.errors import ZooError
from zoo.metrics.functional.frechet import frechet_distance


def cafd(samples: torch.Tensor, real: torch.Tensor, sample_classes: torch.Tensor, real_classes: torch.Tensor) -> float:
    """The mean over the classes of the Fréchet distance between samples and real images of that class.

    Lower is better. In the paper the classes are those that a classifier finds; here they are given, so that those
    which samples were asked for can be taken. As with `frechet_distance`, a figure means something beside others of
    the same features and counts alone.

    Args:
        samples (`torch.Tensor` of shape `(n, dimensions)`): Features of the samples.
        real (`torch.Tensor` of shape `(m, dimensions)`): Features of real images.
        sample_classes (`torch.Tensor` of shape `(n,)`): Class indices.
        real_classes (`torch.Tensor` of shape `(m,)`): Class indices, the same classes.

    Raises:
        ZooError: If the two sides do not have the same classes, or one of them too few images for a distance.
    """
    ours, theirs = set(sample_classes.tolist()), set(real_classes.tolist())
    if ours != theirs:
        raise ZooError(f"cafd: expected the same classes on both sides, got {sorted(ours)} and {sorted(theirs)}")
    distances = [frechet_distance(samples[sample_classes == name], real[real_classes == name]) for name in sorted(ours)]
    return sum(distances) / len(distances)
