"""Files and folders that are whole or absent, never half-written."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import ZooError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextlib.contextmanager
def atomic_folder(target: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary folder that becomes `target` when the block ends without an error.

    An existing `target` is replaced only then; on an error it stays as it was and the temporary folder is removed. Of a
    link, what it points to is replaced. A folder that cannot be renamed (a mount point, the working folder or one above
    it) keeps its place, and its content is exchanged.

    Raises:
        ZooError: If `target` is a file, or nothing can be written there; before the block begins.
    """
    target = check_folder(target)
    fixed = _is_fixed(target)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target if fixed else target.parent))
    temporary.chmod(0o755)  # mkdtemp is private to the user; what it becomes should be as readable as its siblings
    try:
        yield temporary
        _put(temporary, target, temporary, fixed)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def partial_folder(target: str | os.PathLike) -> Path:
    """Where `resumable_folder` keeps what is done so far: beside `target`, or in it where it keeps its place."""
    place = Path(os.path.realpath(target))
    return (place if _is_fixed(place) else place.parent) / f".{place.name}.partial"


@contextlib.contextmanager
def resumable_folder(target: str | os.PathLike, request: dict, anew: bool = False) -> Iterator[Path]:
    """Yields the folder `partial_folder(target)`, whose `files` become `target` when the block ends without an error.

    It outlives a kill, and the next call with the same request finds what was done. After an error it goes, unless the
    block has put something into its folder `rows`, the sign that something is done. As by `atomic_folder`, `target` is
    replaced only when all is done, wherever it is.

    Args:
        target: The folder that is wanted.
        request (`dict`): What it is to hold, as JSON; only the same goes on.
        anew (`bool`): Drops what another request left.

    Raises:
        ZooError: If `target` cannot be written, another request has left its part, or another process is at it.
    """
    target = check_folder(target)
    fixed, work = _is_fixed(target), partial_folder(target)
    work.mkdir(exist_ok=True)
    with _held(work):
        note, files = work / "request.json", work / "files"
        if note.exists() and files.is_dir():
            before = json.loads(note.read_text())
            strange = [key for key in before.keys() | request.keys() if before.get(key) != request.get(key)]
            if strange and not anew:
                key = min(strange)
                told = f"{key} was {before.get(key)!r}, is {request.get(key)!r}"
                raise ZooError(f"{work}: an interrupted call of other arguments left it: {told}; --overwrite drops it")
            if strange:
                _empty(work)
        else:  # nothing was done, or all and only this was left over
            _empty(work)
        files.mkdir(exist_ok=True)
        write_atomic(note, json.dumps(request))
        try:
            yield work
        except BaseException:
            if not any((work / "rows").glob("*")):
                shutil.rmtree(work, ignore_errors=True)
            raise
        _put(files, target, work, fixed)
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Takes a folder for this process; the system lets go of it when the process ends, however it ends.

    Raises:
        ZooError: If another process has it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ZooError(f"{folder}: another process writes in this folder; wait for it or stop it") from error
        yield
    finally:
        os.close(handle)


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()


def _put(new: Path, target: Path, work: Path, fixed: bool) -> None:
    """Puts folder `new` in the place of `target`; `work`, which is `new` or holds it, is no part of what was there."""
    old = work.with_name(work.name + "-old")
    if fixed:
        _exchange(target, new, old, {work, old})
    else:
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    shutil.rmtree(old, ignore_errors=True)


def check_folder(target: str | os.PathLike) -> Path:
    """Makes sure that a folder can be written, so that nobody learns it after hours of work.

    Returns:
        Its place, links resolved.

    Raises:
        ZooError: If it is a file, or nothing can be written there.
    """
    place = Path(os.path.realpath(target))
    if place.exists() and not place.is_dir():
        raise ZooError(f"{target}: expected a folder, found a file")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place if _is_fixed(place) else place.parent):
            return place
    except OSError as error:
        raise ZooError(f"{target}: cannot be written ({error.strerror}); expected a place for a folder") from error


def _is_fixed(folder: Path) -> bool:
    """Whether a folder cannot be renamed: a mount point, or the working folder or one above it."""
    if not folder.is_dir():
        return False
    here = Path.cwd()
    if folder == here or folder in here.parents or os.path.ismount(folder):
        return True
    try:  # a part of a disk that is mounted a second time has the disk's number, and `ismount` does not see it
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return False
    return str(folder) in {line.split()[4].encode().decode("unicode_escape") for line in lines}


def _exchange(target: Path, new: Path, old: Path, ours: set[Path]) -> None:
    """Moves the content of `target`, but for `ours`, to `old`, and that of `new` to its place; all of it or nothing."""
    old.mkdir()
    moved = []
    try:
        for place, source, others in ((old, target, ours), (target, new, set())):
            for child in sorted(source.iterdir()):
                if child not in others:
                    child.rename(place / child.name)
                    moved.append((child, place / child.name))
    except OSError:
        for before, after in reversed(moved):
            after.rename(before)
        old.rmdir()
        raise


def write_atomic(path: str | os.PathLike, content: str | bytes) -> Path:
    """Writes `content` to `path` by way of a temporary sibling, so that a reader sees the old file or the new one."""
    path = Path(os.path.realpath(path))  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    temporary.replace(path)
    return path


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
