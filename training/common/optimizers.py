"""Optimisers, by the name that stands in a recipe."""

from collections.abc import Iterable

import torch

from common.recipe import OptimizerName


def build_optimizer(
    name: OptimizerName,
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """The optimiser of a recipe; RMSprop and plain SGD know no betas."""
    if name in ("rmsprop", "sgd"):
        kind = {"rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}[name]
        return kind(parameters, learning_rate, weight_decay=weight_decay)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    return kind(parameters, learning_rate, betas, weight_decay=weight_decay)
