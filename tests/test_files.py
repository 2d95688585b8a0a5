"""Folders are whole or absent, wherever they are asked for."""

import pytest

from zoo import ZooError, files
from zoo.files import atomic_folder, check_folder, partial_folder, resumable_folder, write_atomic


def write(target, content="new"):
    with atomic_folder(target) as folder:
        (folder / "file").write_text(content)


def test_a_folder_replaces_an_earlier_one_and_leaves_nothing_beside_it(tmp_path):
    write(tmp_path / "out", "old")
    (tmp_path / "out" / "more").write_text("old")
    write(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["file"]


def test_after_an_error_all_is_as_it_was(tmp_path):
    write(tmp_path / "out", "old")
    with pytest.raises(KeyError), atomic_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("new")
        raise KeyError
    assert (tmp_path / "out" / "file").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("where", [".", "here", "above"])
def test_the_working_folder_keeps_its_place(tmp_path, monkeypatch, where):
    (tmp_path / "above" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above" / "here")
    target = {".": ".", "here": tmp_path / "above" / "here", "above": tmp_path / "above"}[where]
    inode = (tmp_path / "above").stat().st_ino
    if where == "above":  # what is exchanged goes
        monkeypatch.chdir(tmp_path / "above")
    write(target)
    write(target, "newer")
    folder = tmp_path / "above" / ("" if where == "above" else "here")
    assert (folder / "file").read_text() == "newer" and [path.name for path in folder.iterdir()] == ["file"]
    assert (tmp_path / "above").stat().st_ino == inode


def test_a_mount_point_keeps_its_place_and_an_exchange_that_fails_is_undone(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write(out, "old")
    (out / "more").write_text("old")
    inode = out.stat().st_ino
    monkeypatch.setattr(files.os.path, "ismount", lambda path: path == out)
    write(out)
    assert out.stat().st_ino == inode and [path.name for path in out.iterdir()] == ["file"]

    rename, count = files.Path.rename, []

    def fail(path, target):
        count.append(path)
        if len(count) == 2:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(files.Path, "rename", fail)
    with pytest.raises(OSError, match="No space"):
        write(out, "newer")
    assert (out / "file").read_text() == "new" and [path.name for path in out.iterdir()] == ["file"]


def test_a_link_stays_one_and_what_it_points_to_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "file").read_text() == "new"
    (tmp_path / "page").symlink_to(tmp_path / "real" / "file")
    write_atomic(tmp_path / "page", "page")
    assert (tmp_path / "page").is_symlink() and (tmp_path / "real" / "file").read_text() == "page"


def test_what_cannot_be_written_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match="file: expected a folder, found a file"), atomic_folder(tmp_path / "file"):
        pytest.fail("the work has begun")
    with pytest.raises(ZooError, match="out: cannot be written .*; expected a place for a folder"):
        check_folder(tmp_path / "file" / "out")


def work_on(target, request, *, stop=False, **settings):
    with resumable_folder(target, request, **settings) as work:
        (work / "rows").mkdir(exist_ok=True)
        (work / "rows" / str(request)).touch()
        (work / "files" / "file").write_text(f"{request}")
        if stop:
            raise KeyError


@pytest.mark.parametrize("where", ["beside", "working folder", "mount point", "link"])
def test_a_folder_that_was_stopped_goes_on(tmp_path, monkeypatch, where):
    target = real = tmp_path / "above" / "out"
    write(target, "old")
    inode = target.stat().st_ino
    if where == "working folder":
        monkeypatch.chdir(target)
        target = "."
    elif where == "mount point":
        monkeypatch.setattr(files.os.path, "ismount", lambda path: path == real)
    elif where == "link":
        (tmp_path / "link").symlink_to(target)
        target = tmp_path / "link"
    for _ in range(2):
        with pytest.raises(KeyError):
            work_on(target, {"seed": 0}, stop=True)
    with pytest.raises(ZooError, match="out.partial: an interrupted call .* left it: seed was 0, is 1; --overwrite"):
        work_on(target, {"seed": 1})
    assert (real / "file").read_text() == "old" and partial_folder(target).is_dir()
    work_on(target, {"seed": 0})
    assert (real / "file").read_text() == "{'seed': 0}" and [path.name for path in real.iterdir()] == ["file"]
    assert [path.name for path in real.parent.iterdir()] == ["out"]
    assert where in ("beside", "link") or real.stat().st_ino == inode
    with pytest.raises(KeyError):
        work_on(target, {"seed": 0}, stop=True)
    work_on(target, {"seed": 1}, anew=True)
    assert (real / "file").read_text() == "{'seed': 1}" and [path.name for path in real.parent.iterdir()] == ["out"]


def test_nothing_is_kept_where_nothing_was_done(tmp_path):
    with pytest.raises(KeyError), resumable_folder(tmp_path / "out", {}):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_one_processs_at_a_time(tmp_path):
    with resumable_folder(tmp_path / "out", {}):
        with pytest.raises(ZooError, match="out.partial: another process writes in this folder"):
            work_on(tmp_path / "out", {})
    assert (tmp_path / "out").is_dir()
