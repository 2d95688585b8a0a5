"""A heart's anatomy in millimetres, and its walls moved, from the mask of one short-axis slice. Needs numpy and scipy.

Masks are `(height, width)` of integers: 0 background, 1 right ventricle, 2 myocardium, 3 left ventricle.
"""

import numpy as np
from scipy import ndimage

RIGHT, MUSCLE, CAVITY = 1, 2, 3
MIN_AREA_MM2 = 100.0  # of both ventricles for their ratio, and of the right one that an asked septum gets
NUM_RAYS = 120
STEP = 0.1  # pixels
WALL_HALF_ANGLE = np.pi / 3  # septum and lateral wall are two of six segments each (Cerqueira et al., 2002, AHA)
EIGHT_NEIGHBOURS = np.ones((3, 3))
LEAST_CAVITY_MM2 = 30.0  # that a thickened wall leaves
LEAST_WALL_MM = 2.0  # that a thinned one keeps, and a ring that is closed gets
SETTLING_STEPS = 8
MEASURES = (
    "ring_closed",
    "empty",
    "wall_thickness_mm",
    "septal_wall_mm",
    "lateral_wall_mm",
    "cavity_area_mm2",
    "myocardium_area_mm2",
    "lv_rv_ratio",
)
TOLD_MM = 12.0  # distances that are told apart well in drawn maps, whose largest is 16


QUANTITIES = ("wall_thickness_mm", "septal_wall_mm", "lateral_wall_mm", "cavity_area_mm2", "rv_area_mm2")
"""What a heart to order is asked for."""
WALLS = QUANTITIES[:3]  # in the order of `wall_thickness`


def quantities(mask: np.ndarray, spacing_mm: float) -> dict[str, float]:
    """The quantities of a slice by the names of `QUANTITIES`; what it does not show is NaN, but for a right ventricle.

    Args:
        mask (`np.ndarray` of shape `(height, width)`): Labels 0 to 3.
        spacing_mm (`float`): Side of a pixel in millimetres.
    """
    found = measure_slice(mask, spacing_mm) | {"rv_area_mm2": float((mask == RIGHT).sum() * spacing_mm**2)}
    return {name: found[name] for name in QUANTITIES}


def measure_slice(mask: np.ndarray, spacing_mm: float) -> dict[str, float]:
    """Measures a slice; what it does not show is NaN.

    Args:
        mask (`np.ndarray` of shape `(height, width)`): Labels 0 to 3.
        spacing_mm (`float`): Side of a pixel in millimetres.

    Returns:
        `dict[str, float]` by the names of `MEASURES`:

        - `ring_closed`: 1 where one closed ring of myocardium surrounds one left-ventricular cavity, else 0
        - `empty`: 1 where nothing is labelled, else 0
        - `wall_thickness_mm`: mean over all directions from the cavity's centroid; where the ring is closed
        - `septal_wall_mm`, `lateral_wall_mm`: the same within 60° of the direction to the right ventricle's centroid,
          and of the opposite one; where the ring is closed and there is a right ventricle
        - `cavity_area_mm2`: of the left ventricle; where there is one
        - `myocardium_area_mm2`: where there is myocardium
        - `lv_rv_ratio`: area of the left ventricle ÷ area of the right; where both are at least 1 cm², since a right
          ventricle of few pixels makes a ratio of any size
    """
    right, muscle, cavity = ((mask == label).sum() * spacing_mm**2 for label in (RIGHT, MUSCLE, CAVITY))
    closed = is_closed_ring(mask)
    wall, septal, lateral = (spacing_mm * side for side in (wall_thickness(mask) if closed else [np.nan] * 3))
    return {
        "ring_closed": float(closed),
        "empty": float(not mask.any()),
        "wall_thickness_mm": float(wall),
        "septal_wall_mm": float(septal),
        "lateral_wall_mm": float(lateral),
        "cavity_area_mm2": float(cavity) if cavity > 0 else np.nan,
        "myocardium_area_mm2": float(muscle) if muscle > 0 else np.nan,
        "lv_rv_ratio": float(cavity / right) if min(cavity, right) >= MIN_AREA_MM2 else np.nan,
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
    everywhere, septum, lateral = _sectors(np.cos(angle - np.arctan2(*to_right)))
    return thickness[everywhere].mean(), thickness[septum].mean(), thickness[lateral].mean()


def _sectors(apart: np.ndarray) -> list[np.ndarray]:
    """Which directions belong to the whole wall, the septum and the lateral wall, in the order of `WALLS`.

    Args:
        apart (`np.ndarray`): Cosines of the angles from the direction to the right ventricle.
    """
    limit = np.cos(WALL_HALF_ANGLE)
    return [np.full(apart.shape, True), apart >= limit, apart <= -limit]


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


def mask_of_distances(maps: np.ndarray) -> np.ndarray:
    """The labels of distance maps: borders are where a map passes zero.

    Args:
        maps (`np.ndarray` of shape `(3, height, width)`): As of `distance_maps`, in any unit.

    Returns:
        `np.ndarray` of shape `(height, width)`: uint8 labels 0 to 3.
    """
    right, outer, inner = maps
    mask = np.zeros(right.shape, np.uint8)
    mask[right > 0] = RIGHT
    mask[(outer > 0) & (outer >= right)] = MUSCLE  # where two regions overlap, the one whose border is farther
    mask[inner > 0] = CAVITY
    return mask


def settled(maps: np.ndarray, asked: dict[str, float], spacing_mm: float) -> np.ndarray:
    """Distance maps whose borders are moved smoothly, until walls, cavity and right ventricle are as large as asked.

    A network draws the shape; what is left of the difference in size is made good here. An asked wall also makes one
    closed ring around one cavity, and an asked septum or lateral wall a right ventricle to tell it by.

    Args:
        maps (`np.ndarray` of shape `(3, height, width)`): As of `distance_maps`, in mm.
        asked (`dict[str, float]`): Some of `QUANTITIES`.
        spacing_mm (`float`): Side of a pixel in millimetres.

    Returns:
        `np.ndarray` of the shape of `maps`.
    """
    drawn, outer, inner = (_continued(each, spacing_mm) for each in maps)
    right = drawn
    if "cavity_area_mm2" in asked:
        inner = inner - _level(inner, asked["cavity_area_mm2"] / spacing_mm**2)
    walls = {place: asked[name] for place, name in enumerate(WALLS) if name in asked}
    if walls:
        share = 0 if "cavity_area_mm2" in asked else 0.5  # of the cavity's border, unless it has its size already
        least_right = MIN_AREA_MM2 / spacing_mm**2 if walls.keys() - {0} else 0
        for _ in range(SETTLING_STEPS):
            inner = _one_piece(inner - min(0.0, _level(inner, LEAST_CAVITY_MM2 / spacing_mm**2)))
            outer = np.maximum(outer, inner + LEAST_WALL_MM)
            lacking = -min(0.0, _level(np.where(outer > 0, -np.inf, drawn), least_right)) if least_right else 0.0
            right = np.where(outer > 0, np.minimum(drawn, 0), drawn + lacking)
            mask = mask_of_distances(np.stack([right, outer, inner]))
            if not is_closed_ring(mask):
                break
            missing = _missing_wall(mask, walls, spacing_mm)
            outer, inner = outer + (1 - share) * missing, inner - share * missing
    if "rv_area_mm2" in asked:
        right = np.where(outer > 0, -np.inf, right)
        right = right - _level(right, asked["rv_area_mm2"] / spacing_mm**2)
    return np.stack([right, outer, inner])


def _continued(values: np.ndarray, spacing_mm: float) -> np.ndarray:
    """A drawn distance map `(height, width)`, farther than 12 mm from its border by the distance to what lies nearer.

    There a network's map, which ends at 16 mm, is flat but for noise, and a border that is moved so far would follow
    that.
    """
    low = min(-TOLD_MM, values.max())  # a structure that was not drawn at all begins in a point
    high = max(TOLD_MM, values.min())
    apart = ndimage.distance_transform_edt(values < low) - ndimage.distance_transform_edt(values > high)
    return values.clip(low, high) - spacing_mm * apart


def _missing_wall(mask: np.ndarray, asked: dict[int, float], spacing_mm: float) -> np.ndarray:
    """How much wall is missing in the direction of each pixel, `(height, width)` in mm.

    The mean wall is put right all around; septum and lateral wall by the squared cosine of the angle from the middle of
    each, so that the three, asked for together, add up to what is asked of each.

    Args:
        mask (`np.ndarray` of shape `(height, width)`): With a closed ring.
        asked (`dict[int, float]`): Millimetres by the place in `WALLS`.
        spacing_mm (`float`): Side of a pixel in millimetres.
    """
    present = spacing_mm * np.array(wall_thickness(mask))
    places = [place for place in asked if not np.isnan(present[place])]
    if not places:
        return np.zeros(mask.shape)

    def bases(apart: np.ndarray) -> list[np.ndarray]:  # by the cosine of the angle from the middle of the septum
        every = [np.ones_like(apart), np.maximum(apart, 0) ** 2, np.maximum(-apart, 0) ** 2]
        return [every[place] for place in places]

    center = np.argwhere(mask == CAVITY).mean(0)
    to_right = (np.argwhere(mask == RIGHT).mean(0) if (mask == RIGHT).any() else center + (0, -1)) - center
    circle = np.cos(np.arange(NUM_RAYS) * (2 * np.pi / NUM_RAYS))
    sectors = _sectors(circle)
    means = np.array([[base[sectors[place]].mean() for base in bases(circle)] for place in places])
    amounts = np.linalg.solve(means, np.array([asked[place] - present[place] for place in places]))
    y, x = np.indices(mask.shape) - center[:, None, None]
    apart = (y * to_right[0] + x * to_right[1]) / np.maximum(np.hypot(y, x) * np.hypot(*to_right), 1e-6)
    return sum(amount * base for amount, base in zip(amounts, bases(apart), strict=True))


def _one_piece(values: np.ndarray) -> np.ndarray:
    """A map whose largest positive region is the only one."""
    pieces, count = ndimage.label(values > 0)
    if count < 2:
        return values
    largest = 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return np.where((pieces > 0) & (pieces != largest), -values, values)


def _level(values: np.ndarray, count: float) -> float:
    """The level above which as many pixels lie as are counted, at most all that are finite."""
    ordered = np.sort(values[np.isfinite(values)])[::-1]
    count = min(round(count), len(ordered) - 1)
    return float(ordered[0] + 1 if count < 1 else (ordered[count - 1] + ordered[count]) / 2)


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
