"""The command line, `cardiac-zoo`. What needs torch is imported inside the commands, so that `--help` is quick."""

import os
import signal
import sys
from typing import Annotated

import typer

import zoo
from zoo.cli import data, hub, make, measure, space
from zoo.errors import ZooError

COMMANDS = {
    "data": data.data,
    "evaluate": measure.evaluate,
    "utility": measure.utility,
    "verify": measure.verify,
    "card": measure.card,
    "compare": measure.compare,
    "list": measure.list_models,
    "generate": make.generate,
    "style-sweep": make.style_sweep,
    "export": make.export,
    "code": hub.code,
    "push": hub.push,
    "push-dataset": hub.push_dataset,
    "push-space": hub.push_space,
    "push-metrics": hub.push_metrics,
    "collection": hub.collection,
    "pull": hub.pull,
    "space": space.space,
}

app = typer.Typer(
    help="Generators of cardiac short-axis MRI: data, evaluation, cards, tables and samples.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cardiac-zoo {zoo.__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """`--debug` is read by `main`, which lets it stand anywhere; it is declared here for the help."""


for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Runs the command line: bad input is one line on stderr and exit code 2, Ctrl-C is exit code 130."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # unwinds, so that temporary folders are removed
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns of parts that are not used here
    try:
        app(arguments)
    except (ZooError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        is_file_error = isinstance(error, OSError) and error.filename is not None
        message = f"{error.filename}: {error.strerror}" if is_file_error else str(error)
        print(f"cardiac-zoo: error: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(2)
