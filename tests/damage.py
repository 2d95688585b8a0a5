"""Damage done to files and to the values in them, and the bounds within which it must be told."""

import copy
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from zoo.errors import ZooError

SECONDS, BYTES = 30, 4 * 2**30
NAN = float("nan")


def tried(work: Callable[[], object], label) -> str:
    """`"done"`, or `"refused"` in one line; within the time and the memory that any input may take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + BYTES, hard))
    begin = time.monotonic()
    try:
        work()
        found = "done"
    except ZooError as error:
        assert len(str(error).splitlines()) == 1 and str(error).strip(), label
        assert not any(isinstance(cause, MemoryError) or "alloc" in str(cause) for cause in _causes(error)), label
        found = "refused"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert time.monotonic() - begin < SECONDS, label
    return found


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Flips, cuts, repeats, zeroes or swaps bytes, mostly near the beginning, where headers are."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        if not data:
            return b"x"
        near = int(min(len(data), rng.choice([8, 64, 352, 1024, len(data)])))
        place = int(rng.integers(near))
        match rng.integers(6):
            case 0:
                data[place] ^= 1 << int(rng.integers(8))
            case 1:
                data[place] = int(rng.choice([0, 1, 127, 128, 255]))
            case 2:
                del data[place : place + int(rng.integers(1, 200))]
            case 3:
                data[place:place] = bytes(rng.integers(0, 256, int(rng.integers(1, 50))).astype(np.uint8))
            case 4:
                data[place : place + 4] = np.float32(rng.choice([0, -1, 1e30, np.nan, np.inf])).tobytes()
            case 5:
                data = data[: max(1, place)]
    return bytes(data)


def places_of(content, path=()) -> Iterator[tuple]:
    """The path of every value in JSON."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places_of(value, (*path, key))


def mutated(content, rng: random.Random):
    """A copy in which one value is another, or is gone."""
    content = copy.deepcopy(content)
    *parents, last = rng.choice(list(places_of(content)))
    place = content
    for part in parents:
        place = place[part]
    if rng.random() < 0.25:
        del place[last]
    else:
        place[last] = rng.choice([NAN, -1, 0, 1e400, "x", "", [], [1, "a"], {}, {"value": "x"}, None, True])
    return content
