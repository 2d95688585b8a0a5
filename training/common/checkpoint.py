"""A run's folder belongs to one launch, and at any instant a whole checkpoint lies in it."""

import fcntl
import os
import shutil
from pathlib import Path

from zoo.errors import ZooError

LOCK_FILE = ".lock"
_held: dict[Path, object] = {}  # open lock files; the system lets go of them when the process ends, however it ends


def lock(folder: Path) -> None:
    """Takes a folder for this process until it ends.

    Raises:
        ZooError: If another process has it.
    """
    folder = folder.absolute()
    if folder in _held:
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK_FILE).open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise ZooError(f"{folder}: process {owner} trains in this folder; wait for it or stop it") from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _held[folder] = file


class Checkpoint:
    """The checkpoint `last` in a folder. It is replaced by way of `new` and `old`, and a kill between harms neither.

    Args:
        folder (`Path`): Holds nothing else.
    """

    def __init__(self, folder: Path):
        self.last, self.new, self.old = (folder / name for name in ("last", "new", "old"))

    def find(self) -> Path | None:
        """The newest whole one: `last` goes to `old` only when `new` is whole, and `old` goes when `last` is there."""
        if self.last.is_dir():
            return self.last
        if self.old.is_dir():
            return self.new if self.new.is_dir() else self.old
        return None

    def settle(self) -> None:
        """Ends what a kill left half done."""
        found = self.find()
        if found not in (None, self.last):
            found.rename(self.last)
        for leftover in (self.new, self.old):
            if leftover.exists():
                shutil.rmtree(leftover)

    def begin(self) -> Path:
        """An empty folder for the next one."""
        self.settle()
        self.new.mkdir(parents=True)
        return self.new

    def finish(self) -> None:
        """Puts the next one, now whole, in the place of the last."""
        if self.last.exists():
            self.last.rename(self.old)
        self.new.rename(self.last)
        if self.old.exists():
            shutil.rmtree(self.old)
