"""Opening a user's download, folder or zip, and reading its items side by side."""

import os
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tqdm.auto import tqdm

from zoo.errors import ZooError

METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


def open_source(source: str | os.PathLike, layout: str) -> Path | zipfile.Path:
    """A folder, or the root of a zip file, which is read in place: both know `/`, `iterdir` and `open`.

    Args:
        source: Path of the folder or zip file.
        layout: What lies in it, for the error message.

    Raises:
        ZooError: If there is neither, or the zip has a password or a packing that Python cannot undo.
    """
    path = Path(source)
    if path.is_dir():
        return path
    if not path.exists():
        raise ZooError(f"{path}: not found; expected a folder or zip file with {layout}")
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # of a damaged directory zipfile raises what it stumbles on
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ZooError(f"{path}: neither a folder nor a zip file ({reason}); expected one with {layout}") from error
    for member in archive.infolist():
        if member.flag_bits & 1:
            raise ZooError(f"{path}: {member.filename} has a password; expected a zip without, or the unpacked folder")
        if member.compress_type not in METHODS:
            how = zipfile.compressor_names.get(member.compress_type, f"method {member.compress_type}")
            raise ZooError(
                f"{path}: {member.filename} is packed by {how}, which Python cannot unpack; expected a folder"
            )
        # Older tools of Windows write backslashes
        member.filename = member.filename.replace("\\", "/").lstrip("/")
        if ".." in PurePosixPath(member.filename).parts:
            raise ZooError(f"{path}: {member.filename} points out of the zip; expected names below its root")
    archive.NameToInfo = {member.filename: member for member in archive.infolist()}
    if len(archive.NameToInfo) < len(archive.infolist()):
        raise ZooError(f"{path}: holds two files of one name; expected each once")
    return zipfile.Path(archive)


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
        read: Takes an item; raises `ZooError` on a bad one. Whatever a library raises else becomes one.
        items: Items by name.
        source: Where they come from; left out of the paths in what is said of skipped items, which may be published.
        title: Of the progress bar.
        num_proc: Number of threads.
        skip_bad: Collects the errors instead of raising the first.
        progress: Shows the bar.

    Returns:
        Results by name in the order of `items`, and the skipped ones as `{"item": name, "reason": message}`.

    Raises:
        ZooError: The first of those that are not collected.
    """
    results, skipped = {}, []
    with ThreadPoolExecutor(num_proc) as pool:
        jobs = {name: pool.submit(read, item) for name, item in items.items()}
        try:
            for name, job in tqdm(jobs.items(), title, unit="item", disable=not progress):
                try:
                    try:
                        results[name] = job.result()
                    except ZooError:
                        raise
                    except Exception as error:
                        raise unreadable(name, error) from error
                except ZooError as error:
                    if not skip_bad:
                        raise
                    skipped.append({"item": name, "reason": without_source(error, source)})
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, do not read the rest first
    return results, skipped


def unreadable(name, error: Exception) -> ZooError:
    """What a library raised on a file, in one line."""
    reason = " ".join(str(error).split())[:200].rstrip(": ")
    what = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return ZooError(f"{name}: cannot be read ({what}); expected a whole file of its kind")


def without_source(message, source: str | os.PathLike) -> str:
    """A message without the user's folders, which are nobody's business."""
    return str(message).replace(f"{Path(source)}/", "")


def find_files(
    root: Path | zipfile.Path,
    endings: tuple[str, ...] | None = None,
    says_something: Callable[[str], bool] = lambda name: False,
) -> dict[str, Path | zipfile.Path]:
    """All files below `root` by their relative name, sorted; hidden ones and macOS's resource forks are left out.

    Names have `/` between folders and composed characters, whatever system wrote them. A lone folder that only wraps
    other folders, as zip files often have it, is not part of the names. Links to a folder above are not followed.

    Args:
        root: Where to look.
        endings: The endings wanted, in lower case; `None` takes all.
        says_something: Whether the name of a lone folder does.

    Raises:
        ZooError: If a folder cannot be listed, or two names are one when composed.
    """

    def wraps(folder) -> bool:
        inner = folder.is_dir() and not says_something(folder.name)
        return inner and any(child.is_dir() for child in _visible(folder))

    above = (_place(root),)
    children = _visible(root)
    while len(children) == 1 and wraps(children[0]) and _place(children[0]) not in above:
        above = (*above, _place(children[0]))
        children = _visible(children[0])
    found = {}
    stack = [(child.name, child, above) for child in children]
    while stack:
        name, path, above = stack.pop()
        if path.is_dir():
            if (place := _place(path)) not in above:
                stack += [(f"{name}/{child.name}", child, (*above, place)) for child in _visible(path)]
        elif path.is_file() and (endings is None or path.name.lower().endswith(endings)):
            composed = unicodedata.normalize("NFC", name)
            if composed in found:
                raise ZooError(f"{path}: its name is there twice, in other Unicode characters; expected one of the two")
            found[composed] = path
    return dict(sorted(found.items()))


def _place(folder: Path | zipfile.Path) -> str:
    """Where a folder really is, whatever links led to it."""
    return os.path.realpath(folder) if isinstance(folder, Path) else str(folder)


def _visible(folder) -> list:
    try:
        return [child for child in folder.iterdir() if not child.name.startswith((".", "__MACOSX"))]
    except OSError as error:
        raise ZooError(f"{folder}: cannot be listed ({error.strerror}); expected a readable folder") from error
