"""How a script ends that cannot go on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    import torch


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turns bad input into one line and exit code 2, which `ZOO_DEBUG=1` leaves a traceback, and Ctrl-C into 130."""
    try:
        yield
    except ZooError as error:
        if os.environ.get("ZOO_DEBUG"):
            raise
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


@contextmanager
def settings_of(source: str) -> Iterator[None]:
    """Turns what a library says to settings that it cannot build of into one line, which names the recipe's file."""
    try:
        yield
    except ZooError:
        raise
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        told = " ".join(str(error).split())[:200]
        raise ZooError(f"{source}: no network can be built of these settings ({told})") from error


def try_out(network: "torch.nn.Module", *inputs: "torch.Tensor | None") -> None:
    """Passes one example through a new network: widths and sizes that do not fit fail here, not in the first step."""
    import torch  # not before: a script that only shows its recipe does without

    mode = network.training
    with torch.no_grad():
        network.eval()(*inputs)
    network.train(mode)
