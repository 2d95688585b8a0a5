"""Masks: laid on their images, by both affines or as both are stored where one knows no orientation; their labels."""

from dataclasses import replace

import numpy as np

from zoo.datasets.label_maps import to_labels
from zoo.datasets.volume import Volume
from zoo.errors import ZooError

UNKNOWN_SIDES = (1.0, 1.0, 1.0)  # what programs put down that know no lengths


def labels_of(mask: Volume, image: Volume, mask_labels: dict[int, int] | None, name: str) -> np.ndarray:
    """The labels of a mask, uint8 `(frames, slices, height, width)`.

    Raises:
        ZooError: If the mask does not lie on its image, or has values that are no labels or not among `mask_labels`.
    """
    mask = laid_on(mask, image, name)
    if mask.num_frames != image.num_frames:
        raise ZooError(f"{name}: mask of {mask.num_frames} frames; expected its image's {image.num_frames}")
    return to_labels(mask.voxels.reshape(-1, *mask.voxels.shape[-3:]), mask_labels, name)


def laid_on(mask: Volume, image: Volume, path) -> Volume:
    """A mask on the grid of its image.

    Where one of the two has no orientation, or neither has, the mask is taken to be stored as its image is, and is
    turned as the image was; where one of them has it, the notes of the image say so.

    Args:
        mask: As its own file tells its axes.
        image: Its image.
        path: Of the mask, for the error message.

    Raises:
        ZooError: If it does not lie there, or nothing says how it lies.
    """
    if mask.affine is None or image.affine is None:
        mask = _turned_alike(mask, image, path)
    if (why := mask.lies_on(image)) is not None:
        raise ZooError(f"{path}: mask of {why}")
    return mask


def _turned_alike(mask: Volume, image: Volume, path) -> Volume:
    if mask.stored is None or image.stored is None:
        return mask
    stored, wanted = (
        each.stored.turn_back(each.voxels.transpose(*range(each.voxels.ndim)[::-1])) for each in (mask, image)
    )
    if stored.shape[:3] != wanted.shape[:3]:
        raise ZooError(f"{path}: mask of shape {stored.shape}; expected its image's {wanted.shape}")
    told = [sides for sides in (mask.stored.sides, image.stored.sides) if sides != UNKNOWN_SIDES]
    if len(told) == 2 and not np.allclose(*told, rtol=0.01):
        ours, theirs = (" x ".join(f"{side:g}" for side in sides) for sides in told)
        raise ZooError(f"{path}: mask without orientation, of voxels of {ours} mm; expected its image's {theirs}")
    turned = image.stored.turn(stored)
    if (mask.affine is None) != (image.affine is None):
        which = "mask has no orientation" if mask.affine is None else "mask has an orientation and the image has none"
        image.notes.append(f"its {which}: the mask is taken to be stored as its image is")
    voxels = turned.transpose(*range(turned.ndim)[::-1])
    return replace(image, voxels=voxels, notes=list(mask.notes))
