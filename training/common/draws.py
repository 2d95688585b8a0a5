"""Random numbers of a batch that do not depend on how many processes share it."""

from collections.abc import Callable

import torch


class Draws:
    """torch's `rand`, `randn` and `randint`, whose first axis is the images of this process.

    Each draw is made for the whole global batch, by a generator that all processes seed alike, and cut: what an image
    gets depends on the seed and on its place in the global batch alone. Wherever a function takes a `draw`, torch
    itself will do too.

    Args:
        device (`torch.device`): Where it is drawn.
        rank, processes (`int`): Which share of the global batch is this process's.
    """

    def __init__(self, device: torch.device | str = "cpu", rank: int = 0, processes: int = 1):
        self.generator = torch.Generator(device)
        self.rank, self.processes = rank, processes

    def seed(self, number: int) -> "Draws":
        """Begins anew; `number` is the same in all processes."""
        self.generator.manual_seed(number)
        return self

    def rows(self, draw: Callable[[int], torch.Tensor], count: int) -> torch.Tensor:
        """The `count` rows of this process, of what `draw` makes for so many images as it is told."""
        return draw(count * self.processes)[count * self.rank : count * (self.rank + 1)]

    def rand(self, count: int, *shape: int, device=None) -> torch.Tensor:
        """Uniform in [0, 1), `(count, *shape)`."""
        return self.rows(lambda n: torch.rand(n, *shape, generator=self.generator, device=device), count)

    def randn(self, count: int, *shape: int, device=None) -> torch.Tensor:
        """Standard normal, `(count, *shape)`."""
        return self.rows(lambda n: torch.randn(n, *shape, generator=self.generator, device=device), count)

    def randint(self, low: int, high: int, size: tuple[int, ...], device=None) -> torch.Tensor:
        """Integers from `low` to `high - 1`, of shape `size`."""
        settings = {"generator": self.generator, "device": device}
        return self.rows(lambda n: torch.randint(low, high, (n, *size[1:]), **settings), size[0])
