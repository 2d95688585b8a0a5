"""Learning-rate schedules, by the name that stands in a recipe."""

import math
from typing import get_args

import torch
from diffusers.optimization import get_scheduler
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from common.recipe import Schedule
from zoo.errors import ZooError

SCHEDULES = get_args(Schedule)


class PlateauScheduler(ReduceLROnPlateau):
    """torch's `ReduceLROnPlateau`, which every optimiser step may call without a figure, as it calls the others."""

    def step(self, figure: float | None = None) -> None:
        """Takes note of a validation figure, lower is better; does nothing without one."""
        if figure is not None:
            super().step(figure)


def build_scheduler(
    name: str,
    optimizer: torch.optim.Optimizer,
    num_steps: int,
    *,
    warmup_steps: int = 0,
    final_learning_rate: float = 0.0,
    steps_per_epoch: int = 1,
    plateau_factor: float = 0.1,
    plateau_patience: int = 10,
) -> LRScheduler:
    """The schedule of a recipe. Call its `step()` after every optimiser step, and give it to `Run.end_epoch`.

    Args:
        name (`str`): `"constant"`; `"constant_with_warmup"`; `"linear"`, from the optimiser's rate to
            `final_learning_rate`; `"cosine"`, half a period to zero; `"reduce_on_plateau"`, by the validation figure;
            `"study_b_cosine"`, see `study_b_factor`, whose α is `final_learning_rate` ÷ the optimiser's rate.
        optimizer (`torch.optim.Optimizer`): Its learning rate is the schedule's base.
        num_steps (`int`): Optimiser steps of the whole run.
        warmup_steps (`int`): Steps in which the rate first rises linearly from zero; not with the last two schedules.
        final_learning_rate (`float`): Where `"linear"` ends, and what `"study_b_cosine"` does not fall below.
        steps_per_epoch (`int`): Optimiser steps of an epoch, for the schedule of study B.
        plateau_factor (`float`): What `"reduce_on_plateau"` multiplies the rate by.
        plateau_patience (`int`): Evaluations without a better figure that it puts up with.

    Raises:
        ZooError: If the name is unknown, or the schedule has no warm-up.
    """
    if name not in SCHEDULES:
        raise ZooError(f"recipe: lr_scheduler: expected one of {', '.join(SCHEDULES)}, got {name!r}")
    if warmup_steps and name in ("constant", "reduce_on_plateau", "study_b_cosine"):
        raise ZooError(f"recipe: lr_warmup_steps: expected 0 with lr_scheduler {name}, got {warmup_steps}")
    if name == "reduce_on_plateau":
        return PlateauScheduler(optimizer, factor=plateau_factor, patience=plateau_patience)
    if name == "study_b_cosine":
        floors = [final_learning_rate / group["lr"] for group in optimizer.param_groups]
        return LambdaLR(optimizer, [_study_b(floor, steps_per_epoch) for floor in floors])
    if name == "linear":
        shares = [final_learning_rate / group["lr"] for group in optimizer.param_groups]
        return LambdaLR(optimizer, [_linear(share, warmup_steps, num_steps) for share in shares])
    return get_scheduler(name, optimizer, num_warmup_steps=warmup_steps, num_training_steps=num_steps)


def schedule_of(recipe, optimizer: torch.optim.Optimizer, loader, first_epoch: int = 0) -> LRScheduler:
    """`build_scheduler` with the keys of a recipe and the steps of a loader, both as the run has prepared them.

    It is stepped from `first_epoch` on.
    """
    steps_per_epoch = math.ceil(len(loader) / recipe.gradient_accumulation_steps)
    return build_scheduler(
        recipe.lr_scheduler,
        optimizer,
        steps_per_epoch * (recipe.epochs - first_epoch),
        warmup_steps=recipe.lr_warmup_steps,
        final_learning_rate=recipe.lr_final,
        steps_per_epoch=steps_per_epoch,
        plateau_factor=recipe.lr_plateau_factor,
        plateau_patience=recipe.lr_plateau_patience,
    )


def study_b_factor(epoch: int, floor: float, half_period: float = 400) -> float:
    """Study B's factor of the learning rate: (1 - α)·γ + α with γ = 0.5·(1 + cos(π·epoch / t0)) / (1 + epoch / 1500).

    The cosine is not cut off at t0 (`half_period`): the rate falls to α (`floor`) and rises again, each time less. The
    study calls α = 5e-5 "the minimum learning rate". Taken for a factor of its rate of 1e-4 it ends at 5e-9; taken for
    a rate, at 5e-5, which is a floor of 0.5.
    """
    cosine = 0.5 * (1 + math.cos(math.pi * epoch / half_period)) / (1 + epoch / 1500)
    return (1 - floor) * cosine + floor


def _study_b(floor: float, steps_per_epoch: int):
    return lambda step: study_b_factor(step // steps_per_epoch, floor)


def _linear(final_share: float, warmup_steps: int, num_steps: int):
    """The factor of a step: 0 … 1 in the warm-up, then 1 … `final_share`."""

    def factor(step: int) -> float:
        if step < warmup_steps:
            return step / warmup_steps
        progress = min(1.0, (step - warmup_steps) / max(1, num_steps - warmup_steps))
        return 1 + progress * (final_share - 1)

    return factor
