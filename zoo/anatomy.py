"""Masks of the heart as maps of distances. Masks: 0 background, 1 right ventricle, 2 myocardium, 3 left ventricle."""

import numpy as np
from scipy import ndimage

RIGHT, MUSCLE, CAVITY = 1, 2, 3
LEAST_CAVITY_MM2 = 30.0  # that a thickened wall leaves
LEAST_WALL_MM = 2.0  # that a thinned one keeps


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

    The epicardium encloses myocardium and left ventricle; the wall lies between the second border and the third.

    Args:
        mask (`np.ndarray` of shape `(height, width)`): Labels 0 to 3.
        spacing_mm, limit_mm (`float`): As of `signed_distance`.

    Returns:
        `np.ndarray` of shape `(3, height, width)`: float32, in mm.
    """
    regions = (mask == RIGHT, (mask == MUSCLE) | (mask == CAVITY), mask == CAVITY)
    return np.stack([signed_distance(region, spacing_mm, limit_mm) for region in regions])


def thickened(mask: np.ndarray, spacing_mm: float, change_mm: float, grow: str = "in") -> np.ndarray:
    """A mask whose wall is thicker all around, or thinner.

    Args:
        mask (`np.ndarray` of shape `(height, width)`): Labels 0 to 3, with myocardium and left ventricle.
        spacing_mm (`float`): Side of a pixel in millimetres.
        change_mm (`float`): How much the wall gains; negative for a thinner one.
        grow (`str`): `"in"`: the epicardium stays and the cavity shrinks; `"out"`: the cavity stays.

    Returns:
        `np.ndarray` of the shape of `mask`: uint8.

    Raises:
        ValueError: If there is no wall, `grow` is unknown, the cavity falls under 30 mm² or the wall under 2 mm.
    """
    if grow not in ("in", "out"):
        raise ValueError(f'grow: expected "in" or "out", got {grow!r}')
    cavity, heart = mask == CAVITY, (mask == CAVITY) | (mask == MUSCLE)
    if not cavity.any() or not (mask == MUSCLE).any():
        raise ValueError("masks: expected myocardium and left ventricle in every mask")
    limit = spacing_mm * max(mask.shape)
    outer, inner = (signed_distance(region, spacing_mm, limit) for region in (heart, cavity))
    if grow == "in":
        inner = inner - change_mm
    else:
        outer = outer + change_mm
    result = np.where(mask == RIGHT, RIGHT, 0).astype(np.uint8)
    result[outer > 0] = MUSCLE
    result[inner > 0] = CAVITY
    if (area := (result == CAVITY).sum() * spacing_mm**2) < LEAST_CAVITY_MM2:
        raise ValueError(f"wall_change_mm: {change_mm:g} leaves a cavity of {area:.0f} mm², at least 30 are expected")
    if change_mm < 0 and (inner > 0)[outer < LEAST_WALL_MM].any():
        raise ValueError(f"wall_change_mm: {change_mm:g} leaves less than {LEAST_WALL_MM:g} mm of a wall")
    return result


def around(masks: np.ndarray, spacing_mm: float, margin_mm: float) -> np.ndarray:
    """Where a heart is, and what lies within a margin of it: `(height, width)` bool, of a mask of the same shape."""
    return signed_distance(masks > 0, spacing_mm, spacing_mm * max(masks.shape)) > -margin_mm
