"""Files and folders that are whole or absent, never half-written."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import ZooError


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
    old = temporary.with_name(temporary.name + "-old")
    try:
        yield temporary
        if fixed:
            _exchange(target, temporary, old)
        else:
            if target.exists():
                target.rename(old)
            try:
                temporary.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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


def _exchange(target: Path, new: Path, old: Path) -> None:
    """Puts the content of `new`, a folder in `target`, in the place of all that lies there; all of it or nothing."""
    old.mkdir()
    moved = []
    try:
        for place, source, others in ((old, target, {new, old}), (target, new, set())):
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
