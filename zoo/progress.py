"""Progress bars go to stderr: stdout is for results."""

from functools import partial

import rich.progress
from rich.console import Console

track = partial(rich.progress.track, console=Console(stderr=True))
