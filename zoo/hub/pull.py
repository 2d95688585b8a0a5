"""Downloading a whole repo of the Hub as a folder."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.files import atomic_folder
from zoo.hub.client import hub_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def pull(
    repo_id: str,
    output_dir: Path,
    *,
    repo_type: str = "model",
    revision: str | None = None,
    api: "HfApi | None" = None,
) -> Path:
    """Downloads every file of a repo; code in it is stored, not run.

    Args:
        repo_id (`str`): `owner/name`.
        output_dir (`Path`): The folder, new or empty, which is whole or as it was.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
        revision (`str`, *optional*): Branch, tag or commit; the main branch otherwise.
        api (`HfApi`, *optional*): The client; that of the environment otherwise.

    Returns:
        The folder.

    Raises:
        ZooError: If the folder is not empty, or there is no such repo or revision.
    """
    from huggingface_hub import HfApi

    if output_dir.is_file() or (output_dir.is_dir() and any(output_dir.iterdir())):
        raise ZooError(f"{output_dir}: expected a new or empty folder")
    with atomic_folder(output_dir) as folder, hub_errors(repo_id):
        (api or HfApi()).snapshot_download(repo_id, repo_type=repo_type, revision=revision, local_dir=folder)
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes for a later download
        (folder / ".gitattributes").unlink(missing_ok=True)  # the Hub's own file: the folder is as it was pushed
    return output_dir
