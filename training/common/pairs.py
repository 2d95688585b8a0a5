"""Images with their masks as further channels, for a generator of images on masks."""

import torch
import torch.nn.functional as F

from common.data import ImageTensors
from zoo.errors import ZooError
from zoo.metrics.image_set import masks_of
from zoo.pipelines.label_maps import LABELS, one_hot


class PairTensors(ImageTensors):
    """One split of a built dataset as pairs: behind its channels an item's `image` has one a label of its mask.

    They are 255 where the mask has the label and 0 elsewhere, so that what moves the image moves the mask alike.

    Args:
        images (`ImageTensors`): The split.
        split (`datasets.Dataset`): Its rows, with `mask`.

    Raises:
        ZooError: If a mask is missing or has a label that is not known.
    """

    def __init__(self, images: ImageTensors, split):
        masks = masks_of(split)
        if masks.max() >= LABELS:
            raise ZooError(f"dataset: column 'mask' has label {masks.max().item()}, expected 0 to {LABELS - 1}")
        layers = F.one_hot(masks.long(), LABELS).movedim(-1, 1).to(torch.uint8) * 255
        self.images = torch.cat([images.images, layers], dim=1)
        self.labels = images.labels


def settle_masks(pairs: torch.Tensor) -> torch.Tensor:
    """Gives every pixel of moved pairs the one label that covers most of it.

    Args:
        pairs (`torch.Tensor` of shape `(batch_size, channels + LABELS, height, width)`): In [-1, 1].

    Returns:
        `torch.Tensor` of the shape of `pairs`, whose last channels are 1 at the label and -1 elsewhere.
    """
    images, layers = pairs[:, :-LABELS], pairs[:, -LABELS:]
    return torch.cat([images, one_hot(layers.argmax(1)).to(pairs.dtype)], dim=1)
