"""Classes and quantities with a unit, as a call asks for them. It is published beside each pipeline of them."""

from numbers import Real

import torch


def asked_quantities(asked: dict, known: dict[str, dict[str, float]], batch_size: int) -> tuple[torch.Tensor, dict]:
    """Separates the quantities of a call from its other keywords.

    Args:
        asked (`dict`): Keywords of the call: of a quantity a number, `None` for open, or a list with one a sample.
        known (`dict[str, dict[str, float]]`): By the name of a quantity, its `min` and `max` in the training images.
        batch_size (`int`): Samples of the call.

    Returns:
        `torch.Tensor` of shape `(batch_size, len(known))`, NaN where one is left open, and the other keywords.

    Raises:
        ValueError: If a value is no number or outside the training range, or a list has another length.
    """
    values = torch.full((batch_size, len(known)), torch.nan)
    for column, (name, span) in enumerate(known.items()):
        given = asked.get(name)
        given = list(given) if isinstance(given, list | tuple) else [given] * batch_size
        if len(given) != batch_size:
            raise ValueError(f"{name}: expected one value or {batch_size} (batch_size), got {len(given)}")
        for row, value in enumerate(given):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Real) or not span["min"] <= value <= span["max"]:
                raise ValueError(f"{name}: expected {span['min']:.4g} to {span['max']:.4g}, got {value!r}")
            values[row, column] = float(value)
    return values, {name: value for name, value in asked.items() if name not in known}


def as_dicts(quantities: torch.Tensor, known: dict) -> list[dict[str, float]]:
    """What was asked for of each sample by name, from values as of `asked_quantities`; open ones are left out."""
    rows = quantities.tolist()
    return [{name: value for name, value in zip(known, row, strict=True) if value == value} for row in rows]


def told(network, labels: torch.Tensor, quantities: torch.Tensor, guidance_scale):
    """The prediction of a network that is told classes and quantities, `(sample, timestep)` → its output.

    Args:
        network ([`ConditionalUNet2DModel`]): With quantities.
        labels (`torch.Tensor` of shape `(batch_size, num_conditions)`): Class indices.
        quantities (`torch.Tensor` of shape `(batch_size, num_quantities)`): NaN where one is left open.
        guidance_scale (callable): `()` → that of the step, of classifier-free guidance (Ho & Salimans, 2022, arXiv
            2207.12598); 1 is none.
    """

    def predict(sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        asked = network(sample, timestep, labels, quantities).sample
        scale = guidance_scale()
        if scale == 1:
            return asked
        unasked = network(sample, timestep).sample
        return unasked + scale * (asked - unasked)

    return predict
