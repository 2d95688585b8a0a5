"""Quantities of label maps in millimetres, as a generator is told them."""

import torch

from zoo import anatomy

POWERS = tuple(2 if name.endswith("_mm2") else 1 for name in anatomy.QUANTITIES)
"""How each quantity grows with the size of a heart."""


def quantities_of(masks: torch.Tensor, spacing_mm: float) -> torch.Tensor:
    """The quantities of masks `(n, height, width)`: `(n, number of quantities)` float32, NaN where a slice has none."""
    found = [anatomy.quantities(mask, spacing_mm) for mask in masks.numpy()]
    return torch.tensor([[entry[name] for name in anatomy.QUANTITIES] for entry in found], dtype=torch.float32)


def quantity_ranges(values: torch.Tensor) -> dict[str, dict[str, float]]:
    """Mean, standard deviation and range of each quantity of `(n, number of quantities)`, NaN where unknown."""
    known = {name: column[~column.isnan()] for name, column in zip(anatomy.QUANTITIES, values.T, strict=True)}
    return {
        name: {"mean": v.mean().item(), "std": v.std().item(), "min": v.min().item(), "max": v.max().item()}
        for name, v in known.items()
    }
