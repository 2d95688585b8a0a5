"""The command line, run in the process of the tests."""

import io
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from zoo import cli


def run(*arguments) -> tuple[int, str, str]:
    """Runs `cardiac-zoo` with arguments: exit code, output, error output."""
    output, error = io.StringIO(), io.StringIO()
    handler = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(error):
        patch.setattr(sys, "argv", ["cardiac-zoo", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as exit:
            code = exit.code or 0
        finally:
            signal.signal(signal.SIGINT, handler)
    return code, output.getvalue(), error.getvalue()
