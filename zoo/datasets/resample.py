"""Resampling of slices in millimetres."""

import numpy as np
from scipy import ndimage


def resample_slice(
    image: np.ndarray,
    spacing: tuple[float, float],
    *,
    size: int,
    new_spacing: float,
    center: tuple[float, float],
    order: int = 1,
) -> np.ndarray:
    """Samples a slice on a square grid of `size` pixels of `new_spacing` mm around `center`.

    The grid is laid out in millimetres and read at its exact positions, so that the spacing is what it says and not
    what remains after rounding a ratio of sizes. Positions outside the slice are 0.

    Args:
        image: `(height, width)`.
        spacing: Row and column spacing of `image` in mm.
        size: Side of the result in pixels.
        new_spacing: Pixel side of the result in mm.
        center: Row and column *index* in `image` of the point that becomes the centre of the result.
        order: 1 for images, bilinear with a Gaussian prefilter where the grid gets coarser, of
            σ = (new_spacing / spacing − 1) / 2 pixels as in scikit-image's `resize`; 0 for masks, nearest neighbour.

    Returns:
        `(size, size)`, float32 for order 1 and the type of `image` for order 0.
    """
    step = new_spacing / np.asarray(spacing, dtype=np.float64)
    offset = np.asarray(center) - step * (size - 1) / 2
    if order == 1:
        image = ndimage.gaussian_filter(image.astype(np.float32), np.maximum(0, (step - 1) / 2), mode="nearest")
    return ndimage.affine_transform(image, step, offset, (size, size), order=order, mode="constant", prefilter=False)


def intensity_window(volume: np.ndarray, percentiles: tuple[float, float]) -> np.ndarray:
    """Clips a volume between two of its percentiles and scales these to 0 and 1: float32 of the same shape.

    The percentiles are of the whole volume, so that slices keep their brightness relative to each other.

    Raises:
        ValueError: If the two percentiles coincide, as in a constant volume.
    """
    low, high = np.percentile(volume, percentiles)
    if not high > low:
        raise ValueError(f"percentiles {percentiles[0]:g} and {percentiles[1]:g} are both {low:g}")
    return np.clip((volume.astype(np.float32) - low) / (high - low), 0, 1).astype(np.float32)
