"""Schedulers of diffusers by name."""

import inspect

import diffusers

from common.recipe import AlgorithmType
from zoo.errors import ZooError


def set_scheduler(pipe, name: str | None = None, algorithm_type: AlgorithmType | None = None) -> None:
    """Gives a pipeline another scheduler for its noise process.

    Args:
        pipe: The pipeline.
        name (`str`, *optional*): The scheduler's class; as it is by default.
        algorithm_type (`str`, *optional*): What a DPM-Solver++ solves (Lu et al., 2022, arXiv 2211.01095): the ordinary
            differential equation or the stochastic one, which adds noise at each step; as it is by default.

    Raises:
        ZooError: If the pipeline has no scheduler, diffusers none of that name, or that scheduler no such algorithm.
    """
    if "scheduler" not in pipe.components:
        raise ZooError(f"--scheduler, --algorithm_type: a {type(pipe).__name__} has no scheduler")
    scheduler = getattr(diffusers, name, None) if name else type(pipe.scheduler)
    if not (isinstance(scheduler, type) and issubclass(scheduler, diffusers.SchedulerMixin)):
        raise ZooError(f"--scheduler: expected a scheduler class of diffusers, got {name}")
    options = {"algorithm_type": algorithm_type} if algorithm_type else {}
    if unknown := options.keys() - inspect.signature(scheduler).parameters.keys():
        raise ZooError(f"--{unknown.pop()}: a {scheduler.__name__} has none")
    pipe.scheduler = scheduler.from_config(pipe.scheduler.config, **options)
