"""A heart's anatomy in millimetres, from the mask of a short-axis slice. Masks: 0 background, 1 RV, 2 muscle, 3 LV."""

import numpy as np
import torch
from scipy import ndimage

from zoo.errors import ZooError

RIGHT, MUSCLE, CAVITY = 1, 2, 3
MIN_AREA_MM2 = 100.0  # of both ventricles for their ratio
NUM_RAYS = 120
STEP = 0.1  # pixels
WALL_HALF_ANGLE = np.pi / 3  # septum and lateral wall are two of six segments each (Cerqueira et al., 2002, AHA)
EIGHT_NEIGHBOURS = np.ones((3, 3))


def measure_anatomy(masks: torch.Tensor, spacing_mm: float) -> dict[str, torch.Tensor]:
    """Measures each slice; what a slice does not show is NaN there.

    Args:
        masks (`torch.Tensor` of shape `(n, height, width)`): Integer labels 0 to 3.
        spacing_mm (`float`): Side of a pixel in millimetres.

    Returns:
        `dict[str, torch.Tensor of shape (n,)]`, float64:

        - `ring_closed`: 1 where one closed ring of myocardium surrounds one left-ventricular cavity, else 0
        - `empty`: 1 where nothing is labelled, else 0
        - `wall_thickness_mm`: mean over all directions from the cavity's centroid; where the ring is closed
        - `septal_wall_mm`, `lateral_wall_mm`: the same within 60° of the direction to the right ventricle's centroid,
          and of the opposite one; where the ring is closed and there is a right ventricle
        - `cavity_area_mm2`: of the left ventricle; where there is one
        - `myocardium_area_mm2`: where there is myocardium
        - `lv_rv_ratio`: area of the left ventricle ÷ area of the right; where both are at least 1 cm², since a right
          ventricle of few pixels makes a ratio of any size

    Raises:
        ZooError: If the shape is another, a label is unknown, or the spacing is not positive.

    Example:
        >>> mask = torch.zeros(1, 5, 5, dtype=torch.uint8)
        >>> mask[0, 1:4, 1:4] = 2
        >>> mask[0, 2, 2] = 3
        >>> found = measure_anatomy(mask, spacing_mm=2.0)
        >>> found["ring_closed"].item(), found["cavity_area_mm2"].item(), found["myocardium_area_mm2"].item()
        (1.0, 4.0, 32.0)
    """
    if masks.ndim != 3 or masks.is_floating_point():
        raise ZooError(f"masks: expected integers (n, height, width), got {masks.dtype} {tuple(masks.shape)}")
    if masks.numel() and not 0 <= masks.min() <= masks.max() <= CAVITY:
        raise ZooError(f"masks: expected labels 0 to {CAVITY}, got {masks.min()} to {masks.max()}")
    if not spacing_mm > 0:
        raise ZooError(f"spacing_mm: expected a positive number, got {spacing_mm}")
    area = {label: (masks == label).sum((1, 2)).double() * spacing_mm**2 for label in (RIGHT, MUSCLE, CAVITY)}
    sizeable = torch.minimum(area[CAVITY], area[RIGHT]) >= MIN_AREA_MM2
    slices = masks.cpu().numpy()
    closed = np.array([is_closed_ring(mask) for mask in slices], bool)
    walls = np.full((len(slices), 3), np.nan)
    for index in np.flatnonzero(closed):
        walls[index] = [spacing_mm * thickness for thickness in wall_thickness(slices[index])]
    wall, septal, lateral = torch.from_numpy(walls).unbind(1)
    return {
        "ring_closed": torch.from_numpy(closed).double(),
        "empty": (masks == 0).all(2).all(1).double(),
        "wall_thickness_mm": wall,
        "septal_wall_mm": septal,
        "lateral_wall_mm": lateral,
        "cavity_area_mm2": _where_positive(area[CAVITY]),
        "myocardium_area_mm2": _where_positive(area[MUSCLE]),
        "lv_rv_ratio": torch.where(sizeable, area[CAVITY] / area[RIGHT], torch.nan),
    }


def is_closed_ring(mask: np.ndarray) -> bool:
    """Whether one ring of myocardium surrounds one left-ventricular cavity in a mask `(height, width)`.

    The myocardium is one piece, diagonal neighbours included, and has a single hole; the cavity is one piece and lies
    in that hole.
    """
    muscle, cavity = mask == MUSCLE, mask == CAVITY
    if not (muscle.any() and cavity.any()):
        return False
    # Around the picture lies background: the outside is one piece even where the ring touches the border.
    outside_and_holes, count = ndimage.label(~np.pad(muscle, 1))
    inside = outside_and_holes[1:-1, 1:-1]
    return (
        ndimage.label(muscle, EIGHT_NEIGHBOURS)[1] == 1
        and ndimage.label(cavity, EIGHT_NEIGHBOURS)[1] == 1
        and count == 2
        and bool((inside[cavity] != outside_and_holes[0, 0]).all())
    )


def wall_thickness(mask: np.ndarray) -> tuple[float, float, float]:
    """Thickness of the wall in pixels: in the mean, at the septum and opposite of it.

    Rays go out from the cavity's centroid, and each is as long within the myocardium as the wall is thick there. A
    pixel's edges put a ray wrong by up to half a pixel, this way and that; the mean over many rays is nearer.

    Args:
        mask (`np.ndarray` of shape `(height, width)`): With a closed ring.

    Returns:
        `(float, float, float)`: The last two are NaN where there is no right ventricle.
    """
    rows, columns = mask.shape
    row, column = np.argwhere(mask == CAVITY).mean(0)
    angle = np.arange(NUM_RAYS) * (2 * np.pi / NUM_RAYS)
    distance = np.arange(STEP / 2, np.hypot(rows, columns), STEP)
    y = np.rint(row + np.outer(np.sin(angle), distance)).astype(int)
    x = np.rint(column + np.outer(np.cos(angle), distance)).astype(int)
    within = (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
    on_muscle = within & (mask[y.clip(0, rows - 1), x.clip(0, columns - 1)] == MUSCLE)
    thickness = on_muscle.sum(1) * STEP
    right = np.argwhere(mask == RIGHT)
    if not len(right):
        return thickness.mean(), np.nan, np.nan
    to_right = right.mean(0) - (row, column)
    apart = np.cos(angle - np.arctan2(*to_right))
    limit = np.cos(WALL_HALF_ANGLE)
    return thickness.mean(), thickness[apart >= limit].mean(), thickness[apart <= -limit].mean()


def _where_positive(values: torch.Tensor) -> torch.Tensor:
    return torch.where(values > 0, values, torch.nan)
