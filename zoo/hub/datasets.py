"""Built datasets to and from the Hub."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.datasets import BuiltDataset, save
from zoo.datasets import load as load_folder
from zoo.datasets.info import read_info
from zoo.errors import ZooError
from zoo.hub.client import hub_errors
from zoo.hub.upload import commit_files, files_of, open_repo

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# Licences of sources that are public without registration; ACDC's, and that of a user's own folder, are not among them
OPEN_LICENSES = {"cc0-1.0", "cc-by-sa-4.0", "cc-by-nc-4.0"}


def load(path_or_id: str | os.PathLike, *, revision: str | None = None, token: str | None = None) -> BuiltDataset:
    """Reads what `zoo.datasets.save` wrote, from a folder or from a Hub dataset repo.

    Args:
        path_or_id: A folder, or an id such as `"user/name"`.
        revision: Branch, tag or commit of the repo.
        token: For private repos; the signed-in user's if `None`.

    Raises:
        ZooError: If there is no such folder or repo, or it was not written by `save`.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    folder = Path(path_or_id)
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(str(path_or_id), repo_type="dataset", revision=revision, token=token))
        except (HfHubHTTPError, HFValidationError, OSError) as error:
            raise ZooError(f"{path_or_id}: neither a dataset folder nor a readable dataset repo on the Hub") from error
    return load_folder(folder)


def push(
    built_or_folder: BuiltDataset | str | os.PathLike,
    repo_id: str,
    *,
    private: bool | None = None,
    with_ids: bool = False,
    token: str | None = None,
    api: "HfApi | None" = None,
) -> str:
    """Uploads a built dataset, or a folder written by `save`, as one commit; the repo is made if it does not exist.

    Args:
        built_or_folder: What to upload.
        repo_id: Such as `"user/name"`.
        private: `True` for a repo that its owner alone can read and that, should it be made public, is gated: the owner
            grants each reader access. `False` for one that is open to everybody. `None` leaves that to the account, if
            the licence of the data lets everybody pass them on, and is `True` otherwise, as for ACDC.
        with_ids: Uploads a dataset that keeps the PatientIDs of its DICOM files, which is refused otherwise.
        token: The signed-in user's if `None`.
        api: The client, instead of a token; that of the environment otherwise.

    Returns:
        The address of the commit.

    Raises:
        ZooError: If the folder was not written by `save`, it keeps PatientIDs, or the Hub refuses.
    """
    from huggingface_hub import HfApi

    if isinstance(built_or_folder, BuiltDataset):
        with tempfile.TemporaryDirectory() as temporary:
            folder = save(built_or_folder, Path(temporary) / "dataset")
            return push(folder, repo_id, private=private, with_ids=with_ids, token=token, api=api)
    folder = Path(built_or_folder)
    info = read_info(folder)
    if not with_ids and info.get("ids") == "kept":
        raise ZooError(f"{folder}: keeps the PatientIDs of DICOM files; expected hashed ones, or --with-ids")
    if private is None and info["license"] not in OPEN_LICENSES:
        private = True
    with hub_errors(repo_id):
        api = api or HfApi(token=token)
        open_repo(api, repo_id, "dataset", private=private, gated=private)
        commit = commit_files(api, repo_id, files_of(folder), "Upload dataset", repo_type="dataset")
        return f"{api.endpoint}/datasets/{repo_id}/commit/{commit}"
