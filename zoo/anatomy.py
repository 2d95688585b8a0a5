"""Masks of the heart as maps of distances. Masks: 0 background, 1 right ventricle, 2 myocardium, 3 left ventricle."""

import numpy as np
from scipy import ndimage

RIGHT, MUSCLE, CAVITY = 1, 2, 3


def signed_distance(inside: np.ndarray, spacing_mm: float, limit_mm: float) -> np.ndarray:
    """Distance of each pixel's centre to the border of a region, positive within it.

    Args:
        inside (`np.ndarray` of shape `(height, width)`): bool.
        spacing_mm (`float`): Side of a pixel in millimetres.
        limit_mm (`float`): The largest distance told; what is farther has this one.

    Returns:
        `np.ndarray` of shape `(height, width)`: float32, in mm; `-limit_mm` everywhere for an empty region.
    """
    if not inside.any():
        return np.full(inside.shape, -limit_mm, np.float32)
    # The border runs half a pixel from the centres on both its sides
    within = np.maximum(ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1] - 0.5, 0)
    without = np.maximum(ndimage.distance_transform_edt(~inside) - 0.5, 0)
    return np.clip((within - without) * spacing_mm, -limit_mm, limit_mm).astype(np.float32)


def distance_maps(mask: np.ndarray, spacing_mm: float, limit_mm: float) -> np.ndarray:
    """The signed distances to the borders of right ventricle, epicardium and left ventricle.

    The epicardium encloses myocardium and left ventricle, so that the wall lies between the second border and the third.

    Args:
        mask (`np.ndarray` of shape `(height, width)`): Labels 0 to 3.
        spacing_mm, limit_mm (`float`): As of `signed_distance`.

    Returns:
        `np.ndarray` of shape `(3, height, width)`: float32, in mm.
    """
    regions = (mask == RIGHT, (mask == MUSCLE) | (mask == CAVITY), mask == CAVITY)
    return np.stack([signed_distance(region, spacing_mm, limit_mm) for region in regions])
