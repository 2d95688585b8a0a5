"""Schedulers of diffusers by name."""

import diffusers

from zoo.errors import ZooError


def sampler_named(name: str, config) -> diffusers.SchedulerMixin:
    """A scheduler of diffusers for the noise process of another one's `config`.

    Raises:
        ZooError: If diffusers has no scheduler of that name.
    """
    scheduler = getattr(diffusers, name, None)
    if not (isinstance(scheduler, type) and issubclass(scheduler, diffusers.SchedulerMixin)):
        raise ZooError(f"--scheduler: expected a scheduler class of diffusers, got {name}")
    return scheduler.from_config(config)
