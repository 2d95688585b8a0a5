"""A heart's anatomy in millimetres, from the masks of short-axis slices: 0 background, 1 RV, 2 muscle, 3 LV."""

import torch

from zoo.anatomy import CAVITY, MEASURES, measure_slice
from zoo.errors import ZooError


def measure_anatomy(masks: torch.Tensor, spacing_mm: float) -> dict[str, torch.Tensor]:
    """Measures each slice; what a slice does not show is NaN there.

    Args:
        masks (`torch.Tensor` of shape `(n, height, width)`): Integer labels 0 to 3.
        spacing_mm (`float`): Side of a pixel in millimetres.

    Returns:
        `dict[str, torch.Tensor of shape (n,)]`, float64, by the names of `zoo.anatomy.measure_slice`.

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
    slices = [measure_slice(mask, spacing_mm) for mask in masks.cpu().numpy()]
    return {name: torch.tensor([found[name] for found in slices], dtype=torch.float64) for name in MEASURES}
