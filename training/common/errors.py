"""How a script ends that cannot go on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.errors import ZooError


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
