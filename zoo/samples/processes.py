"""The processes that `accelerate launch` or `torchrun` started to share a work."""

import contextlib
import os


class Processes:
    """Which one this is, and how many there are; one that was started alone is the first of one."""

    def __init__(self):
        self.rank, self.count, self._state = 0, 1, None
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            import torch
            from accelerate import PartialState

            self._state = PartialState(cpu=not torch.cuda.is_available())  # it takes them for single ones otherwise
            self.rank, self.count = self._state.process_index, self._state.num_processes

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Until all have come so far."""
        if self._state is not None:
            self._state.wait_for_everyone()

    def gathered(self, own: list) -> list:
        """What all have of a list of which each took every `count`-th from its own rank on, in the list's order."""
        if self._state is None:
            return own
        from accelerate.utils import gather_object

        parts = gather_object([own])
        return [parts[i % self.count][i // self.count] for i in range(sum(map(len, parts)))]

    @contextlib.contextmanager
    def in_the_first(self, context):
        """A context that the first enters before all others go on, and leaves when its own block ends.

        Args:
            context (callable): Makes it.
        """
        with context() if self.is_first else contextlib.nullcontext():
            self.wait()
            yield
