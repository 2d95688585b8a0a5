"""Files as one commit of a Hub repo, and the tag on it: readers see the repo as it was, or whole as it is."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.files import sha256

if TYPE_CHECKING:
    from huggingface_hub import HfApi

STUB = ".pyi"  # gradio writes one beside each file that defines a component
OURS = ".gitattributes"  # the Hub's own file, the only one that stays when everything is replaced


def files_of(folder: Path, ignored: Callable[[Path], bool] = lambda path: False) -> dict[str, Path]:
    """The files of a folder by their path in it, sorted, without hidden ones, Python's caches and gradio's stubs."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if path.is_file() and not hidden and path.suffix != STUB and not ignored(inside):
            found[inside.as_posix()] = path
    return found


def open_repo(
    api: "HfApi",
    repo_id: str,
    repo_type: str = "model",
    *,
    private: bool | None = None,
    gated: bool | None = None,
    **new,
) -> None:
    """Makes a repo if there is none, and changes who may read it before anything is sent.

    Args:
        api (`HfApi`): The client.
        repo_id (`str`): `owner/name`.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
        private (`bool`, *optional*): Whether it is private from now on; `None` leaves it, a new one to the account.
        gated (`bool`, *optional*): Whether the owner has to grant each reader access; `None` leaves it.
        new: Further settings of a new repo.
    """
    api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True, **new)
    if private is not None or gated is not None:
        gate = {True: "manual", False: False, None: None}[gated]
        api.update_repo_settings(repo_id, repo_type=repo_type, private=private, gated=gate)


def commit_files(
    api: "HfApi",
    repo_id: str,
    files: dict[str, Path],
    message: str,
    *,
    repo_type: str = "model",
    revision: str | None = None,
) -> str:
    """Makes these files all that a repo holds, in one commit. `HfApi.upload_folder` may make several.

    Nothing is committed if the repo holds them already. Files that an interrupted call has sent are not sent again.

    Args:
        api (`HfApi`): The client.
        repo_id (`str`): `owner/name`.
        files (`dict[str, Path]`): Local files by their path in the repo.
        message (`str`): Of the commit.
        repo_type (`str`): `"model"`, `"dataset"` or `"space"`.
        revision (`str`, *optional*): The branch; the main one otherwise.

    Returns:
        The commit's id.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head = api.repo_info(repo_id, repo_type=repo_type, revision=revision)
    held = remote_files(api, repo_id, head.sha, repo_type)
    if not _differ(files, held):
        return head.sha
    operations = [CommitOperationAdd(path, file) for path, file in files.items()]
    operations += [CommitOperationDelete(path) for path in held.keys() - files.keys()]
    where = {"repo_type": repo_type, "revision": revision, "parent_commit": head.sha}
    return api.create_commit(repo_id, operations, commit_message=message, **where).oid


def remote_files(api: "HfApi", repo_id: str, revision: str, repo_type: str = "model") -> dict:
    """What a repo holds at a revision, by path."""
    from huggingface_hub.hf_api import RepoFile

    listed = api.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type=repo_type)
    return {entry.path: entry for entry in listed if isinstance(entry, RepoFile) and entry.path != OURS}


def _differ(files: dict[str, Path], held: dict) -> bool:
    """Whether local files are others than those of a repo, or more or fewer."""

    def same(file: Path, entry) -> bool:
        if file.stat().st_size != entry.size:
            return False
        return sha256(file) == entry.lfs.sha256 if entry.lfs else _git_hash(file.read_bytes()) == entry.blob_id

    return files.keys() != held.keys() or not all(same(file, held[path]) for path, file in files.items())


def _git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def check_tag(api: "HfApi", repo_id: str, tag: str, files: dict[str, Path]) -> None:
    """Refuses a tag that stands on other files: what a user has pinned never changes.

    Raises:
        ZooError: If it does.
    """
    taken = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
    if tag in taken and _differ(files, remote_files(api, repo_id, taken[tag])):
        raise ZooError(f"{repo_id}: the tag {tag} stands on other files; name a new one with --tag")
