"""Contenders measured in alternating blocks, and what may be said of their figures."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A median with the interval that holds the true one, from one block to another.

    Args:
        median, low, high (`float`): Of the blocks.
        confidence (`float`): That of the interval, 0.95 at least where there are six blocks or more.
    """

    median: float
    low: float
    high: float
    confidence: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The median and the narrowest interval between order statistics that holds the true one with `confidence`.

    The number of values below the true median is binomial with p = ½, whatever their distribution (Conover, 1999,
    section 3.2). Of fewer than six values it is their whole range, and its confidence is what that has.

    Example:
        >>> median_interval([float(i) for i in range(1, 21)])
        Interval(median=10.5, low=6.0, high=15.0, confidence=0.9586105346679688)
    """
    count, ordered = len(values), sorted(values)

    def covered(left_out: int) -> float:
        return 1 - 2 * sum(math.comb(count, below) for below in range(left_out + 1)) / 2**count

    left_out = max((k for k in range(1, (count - 1) // 2 + 1) if covered(k) >= confidence), default=0)
    low, high = ordered[left_out], ordered[count - 1 - left_out]
    return Interval(statistics.median(ordered), low, high, covered(left_out))


def alternate(contenders: dict[str, Callable[[], float]], blocks: int) -> dict[str, list[float]]:
    """Runs one block of each contender after another, so that all meet the same state of a shared machine.

    Who begins changes from block to block. A first block of each is not counted: it warms up.

    Args:
        contenders (`dict[str, callable]`): By name; each runs a block and returns its figure, such as images/s.
        blocks (`int`): That count.

    Returns:
        `dict[str, list[float]]`: The figures, block by block.
    """
    names = list(contenders)
    found = {name: [] for name in names}
    for name in names:
        contenders[name]()
    for block in range(blocks):
        start = block % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(contenders[name]())
    return found


def ratio(figures: dict[str, list[float]], name: str, other: str) -> Interval:
    """The median ratio of two contenders' figures, block by block: what slows both favours neither."""
    pairs = zip(figures[name], figures[other], strict=True)
    return median_interval([first / second for first, second in pairs])
