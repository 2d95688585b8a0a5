"""Downloading a repo as a folder."""

import pytest

from zoo.errors import ZooError
from zoo.hub.pull import pull


@pytest.fixture
def repo(hub) -> str:
    """A dataset repo with two versions of a file."""
    hub.api.create_repo("zoo/pulled", repo_type="dataset", exist_ok=True)
    for version in (b"one", b"two"):
        where = {"repo_id": "zoo/pulled", "repo_type": "dataset"}
        hub.api.upload_file(path_or_fileobj=version, path_in_repo="data/a.txt", **where)
    return "zoo/pulled"


def test_the_folder_holds_the_repo_and_nothing_else(hub, repo, tmp_path):
    (tmp_path / "new").mkdir()  # empty is as good as absent
    assert pull(repo, tmp_path / "new", repo_type="dataset", api=hub.api) == tmp_path / "new"
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["data", "a.txt"]
    assert (tmp_path / "new" / "data" / "a.txt").read_bytes() == b"two"
    older = hub.api.list_repo_commits(repo, repo_type="dataset")[1].commit_id
    pull(repo, tmp_path / "old", repo_type="dataset", revision=older, api=hub.api)
    assert (tmp_path / "old" / "data" / "a.txt").read_bytes() == b"one"


def test_refusals_leave_nothing(hub, repo, tmp_path):
    where = tmp_path / "in" / "new"
    for repo_id, more, message in (
        ("zoo/missing", {}, "zoo/missing: no such repo on the Hub that the token in use may read"),
        (repo, {}, "zoo/pulled: no such repo"),  # it is a dataset
        (repo, {"repo_type": "dataset", "revision": "v9"}, "zoo/pulled: the repo has no such revision"),
        ("nonsense/a/b", {}, r"nonsense/a/b: expected a repo id on the Hub \(owner/name\)"),
    ):
        with pytest.raises(ZooError, match=message):
            pull(repo_id, where, api=hub.api, **more)
    assert list((tmp_path / "in").iterdir()) == []
    where.mkdir()
    (where / "mine.txt").touch()
    with pytest.raises(ZooError, match="new: expected a new or empty folder"):
        pull(repo, where, repo_type="dataset", api=hub.api)
    with pytest.raises(ZooError, match="mine.txt: expected a new or empty folder"):
        pull(repo, where / "mine.txt", repo_type="dataset", api=hub.api)
