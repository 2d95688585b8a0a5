"""Quantities of a label map in millimetres, as a generator is told them."""

import torch

from zoo.metrics.functional import measure_anatomy


class Quantities:
    """Which quantities there are, each by its name with the unit, and how each grows with the size of a heart."""

    NAMES = ("wall_thickness_mm", "septal_wall_mm", "lateral_wall_mm", "cavity_area_mm2", "rv_area_mm2")
    POWERS = (1, 1, 1, 2, 2)

    @classmethod
    def ranges(cls, values: torch.Tensor) -> dict[str, dict[str, float]]:
        """Mean, standard deviation and range of each quantity of `(n, number of quantities)`, NaN where unknown."""
        known = {name: column[~column.isnan()] for name, column in zip(cls.NAMES, values.T, strict=True)}
        return {
            name: {"mean": v.mean().item(), "std": v.std().item(), "min": v.min().item(), "max": v.max().item()}
            for name, v in known.items()
        }


def quantities_of(masks: torch.Tensor, spacing_mm: float) -> torch.Tensor:
    """The quantities of masks `(n, height, width)`: `(n, number of quantities)` float32, NaN where a slice has none."""
    found = measure_anatomy(masks, spacing_mm)
    found["rv_area_mm2"] = (masks == 1).sum((1, 2)).double() * spacing_mm**2
    return torch.stack([found[name] for name in Quantities.NAMES], 1).float()
