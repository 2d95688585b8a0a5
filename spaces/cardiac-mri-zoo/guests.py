"""A model that a visitor names by its Hub id: public, of the zoo's own pipelines, and small; looked at before it comes.

It is read without anybody's token, so that nobody sees what only the Space's owner may see; no code of its repo is
downloaded or run.
"""

import re
from fnmatch import fnmatch
from pathlib import Path

from zoo.errors import ZooError
from zoo.pipelines.auto import published_classes
from zoo.published import layout
from zoo.published.loading import DESCRIPTION, WHOLE, find_folder

MAX_MB = 64  # of what is downloaded
MAX_SIDE = 256  # pixels of its images
ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def fetch(repo_id: str) -> Path:
    """The folder of a public model of the Hub.

    Raises:
        ZooError: If it is no id, there is no such public repo, it is no model of the zoo, or too large.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, RepositoryNotFoundError

    if not isinstance(repo_id, str) or not ID.fullmatch(repo_id):
        raise ZooError("Hub id: expected owner/name")
    try:
        info = HfApi(token=False).model_info(repo_id, files_metadata=True, timeout=10)
    except RepositoryNotFoundError as error:
        raise ZooError(f"Hub id: {repo_id}: there is no such public model") from error
    except (HfHubHTTPError, HTTPError, OSError, ValueError) as error:
        raise ZooError(f"Hub id: {repo_id}: the Hub could not be asked ({type(error).__name__})") from error
    wanted = [file for file in info.siblings if any(fnmatch(file.rfilename, pattern) for pattern in WHOLE)]
    megabytes = sum(file.size or 0 for file in wanted) / 2**20
    if megabytes > MAX_MB:
        raise ZooError(f"Hub id: {repo_id}: expected at most {MAX_MB} MB of weights, it has {megabytes:.0f}")
    described = find_folder(repo_id, info.sha, token=False, files=DESCRIPTION)
    name = layout.pipeline_name(layout.read_index(described))
    known = published_classes()
    if name not in known or known[name].family in ("anatomy", "style-transfer"):
        raise ZooError(f"Hub id: {repo_id}: expected a model of the zoo that makes images, it is of {name}")
    return find_folder(repo_id, info.sha, token=False)
