"""Opening a user's download, folder or zip, and reading its items side by side."""

import os
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm.auto import tqdm

from zoo.errors import ZooError


def open_source(source: str | os.PathLike, layout: str) -> Path | zipfile.Path:
    """A folder, or the root of a zip file, which is read in place: both know `/`, `iterdir` and `read_bytes`.

    Args:
        source: Path of the folder or zip file.
        layout: What lies in it, for the error message.

    Raises:
        ZooError: If there is neither.
    """
    path = Path(source)
    if path.is_dir():
        return path
    if not path.exists():
        raise ZooError(f"{path}: not found; expected a folder or zip file with {layout}")
    try:
        return zipfile.Path(zipfile.ZipFile(path))
    except (zipfile.BadZipFile, OSError) as error:
        raise ZooError(f"{path}: neither a folder nor a zip file ({error}); expected one with {layout}") from error


def read_all(
    read: Callable,
    items: Mapping[str, object],
    *,
    source: str | os.PathLike,
    title: str,
    num_proc: int,
    skip_bad: bool,
    progress: bool,
) -> tuple[dict[str, object], list[dict]]:
    """Calls `read` on every item in `num_proc` threads; decompression, filters and image coding leave Python's lock.

    Args:
        read: Takes an item; raises `ZooError` on a bad one.
        items: Items by name.
        source: Where they come from; left out of the paths in what is said of skipped items, which may be published.
        title: Of the progress bar.
        num_proc: Number of threads.
        skip_bad: Collects the errors instead of raising the first.
        progress: Shows the bar.

    Returns:
        Results by name in the order of `items`, and the skipped ones as `{"item": name, "reason": message}`.
    """
    results, skipped = {}, []
    with ThreadPoolExecutor(num_proc) as pool:
        jobs = {name: pool.submit(read, item) for name, item in items.items()}
        try:
            for name, job in tqdm(jobs.items(), title, unit="item", disable=not progress):
                try:
                    results[name] = job.result()
                except ZooError as error:
                    if not skip_bad:
                        raise
                    skipped.append({"item": name, "reason": str(error).replace(f"{Path(source)}/", "")})
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, do not read the rest first
    return results, skipped


def find_files(root: Path | zipfile.Path, endings: tuple[str, ...] | None = None) -> dict[str, Path | zipfile.Path]:
    """All files below `root` by their relative name, sorted; hidden ones and macOS's resource forks are left out.

    A lone folder that only wraps other folders, as zip files often have it, is not part of the names.

    Args:
        root: Where to look.
        endings: The endings wanted, in lower case; `None` takes all.
    """
    children = _visible(root)
    while len(children) == 1 and children[0].is_dir() and any(child.is_dir() for child in _visible(children[0])):
        children = _visible(children[0])
    found = {}
    stack = [(child.name, child) for child in children]
    while stack:
        name, path = stack.pop()
        if path.is_dir():
            stack += [(f"{name}/{child.name}", child) for child in _visible(path)]
        elif endings is None or path.name.lower().endswith(endings):
            found[name] = path
    return dict(sorted(found.items()))


def _visible(folder) -> list:
    return [child for child in folder.iterdir() if not child.name.startswith((".", "__MACOSX"))]
