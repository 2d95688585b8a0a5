"""What the commands of several topics share: arguments, checks, and loading a model."""

import os
from pathlib import Path
from typing import Annotated

import typer

import zoo
from zoo.errors import ZooError
from zoo.files import check_folder, partial_folder

Model = Annotated[str, typer.Argument(help="Folder of a model, a repo id on the Hub, or the name of a published one.")]
ModelFolder = Annotated[Path, typer.Argument(help="Folder of a model.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier output.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of the repo on the Hub.")]


def numbers(text: str, option: str) -> list[float]:
    """Numbers separated by commas.

    Raises:
        ZooError: If one is none.
    """
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise ZooError(f"{option}: expected numbers separated by commas, got {text}") from error


def check_output(folder: Path, marker: str, overwrite: bool) -> None:
    """Refuses to write over anything but an earlier output of the same kind, and over that only if asked to.

    Raises:
        ZooError: If the folder is not empty, or nothing can be written there.
    """
    check_folder(folder)
    if not folder.exists() or not set(folder.iterdir()) - {partial_folder(folder)}:
        return
    if not (folder / marker).is_file():
        raise ZooError(f"{folder}: expected a new or empty folder")
    if not overwrite:
        raise ZooError(f"{folder}: is not empty; name another folder or say --overwrite")


def load_model(model: str | Path, revision: str | None = None):
    """The pipeline of a model, on the GPU if there is one."""
    import torch

    pipe = zoo.from_pretrained(model, revision=revision)
    if pipe.family == "style-transfer":
        from zoo.style import hand_in

        hand_in(pipe)
    if not torch.cuda.is_available():
        return pipe
    return pipe.to(f"cuda:{os.environ.get('LOCAL_RANK', 0)}")  # one of several processes takes its own
