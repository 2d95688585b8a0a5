"""The Space on this machine."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import zoo
from zoo.errors import ZooError


def space(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where it listens; a free one from 7860 on by default.")
    ] = None,
) -> None:
    """Open the Space on this machine, in a checkout of the project; ZOO_MODELS names other models than its own."""
    script = Path(zoo.__file__).resolve().parents[1] / "spaces" / "cardiac-mri-zoo" / "app.py"
    if not script.is_file():
        raise ZooError(f"{script}: not found; expected a checkout of the project, which holds the Space")
    if find_spec("gradio") is None:
        raise ZooError("gradio: not installed, run `pip install cardiac-mri-zoo[space]`")
    own = {} if port is None else {"GRADIO_SERVER_PORT": str(port)}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, str(script)], os.environ | own)
