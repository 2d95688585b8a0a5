"""The bytes of a file: bounded before they are read or unpacked, and no others are passed on."""

import codecs
import unicodedata
import zlib

from zoo.errors import ZooError

MOST = 4 * 2**30  # of one file
CHUNK = 16 * 2**20


def read_bytes(path, limit: int | None = None) -> bytes:
    """The content of a file in a folder or zip.

    Args:
        path: A `pathlib.Path` or `zipfile.Path`.
        limit: The most bytes that it may have; 4 GiB if `None`.

    Raises:
        ZooError: If it is larger or cannot be read.
    """
    limit, pieces, size = limit or MOST, [], 0
    try:
        with path.open("rb") as file:
            while size <= limit and (piece := file.read(min(CHUNK, limit + 1 - size))):  # `read` makes room for all
                pieces.append(piece)
                size += len(piece)
    except Exception as error:  # zipfile raises half a dozen kinds, of passwords, methods, checksums and headers
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ZooError(f"{path}: truncated or unreadable ({reason}); expected a readable file") from error
    if size > limit:
        raise ZooError(f"{path}: is larger than {_size(limit)}; expected at most that")
    return b"".join(pieces)


def unpacked(data: bytes, path, limit: int | None = None) -> bytes:
    """Gzipped data without their gzip, all members of it; other data as they are.

    Raises:
        ZooError: If they are damaged, or unpack to more than `limit` bytes (4 GiB if `None`).
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    limit, pieces, size = limit or MOST, [], 0
    while data.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(wbits=31)
        while not unpacker.eof:
            try:
                piece = unpacker.decompress(data, CHUNK)
            except zlib.error as error:
                raise ZooError(f"{path}: truncated or no NIfTI ({error}); a damaged .gz file") from error
            data = unpacker.unconsumed_tail
            if not piece and not data and not unpacker.eof:
                raise ZooError(f"{path}: truncated or no NIfTI (its gzip ends early); expected a whole .gz file")
            size += len(piece)
            if size > limit:
                raise ZooError(f"{path}: expected at most {_size(limit)} unpacked")
            pieces.append(piece)
        data = unpacker.unused_data.lstrip(b"\0")  # tapes and some tools pad with zeros
    return b"".join(pieces)


def head_of(path, count: int = 1024) -> bytes:
    """The first bytes of a file, of what it unpacks to if it is gzipped; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(count + 1024)
        return zlib.decompressobj(wbits=31).decompress(data, count) if data.startswith(b"\x1f\x8b") else data[:count]
    except Exception:  # of zipfile as above; whoever reads the whole file says what is wrong with it
        return b""


def read_text(path) -> str:
    """A text file in UTF-8 or UTF-16, with or without a byte-order mark, else in Windows' code page 1252.

    Bytes that are none of them become `\ufffd`. Characters are composed, as the names of files are.
    """
    return unicodedata.normalize("NFC", _decoded(read_bytes(path, 64 * 2**20)))


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:  # as Excel writes a CSV
        return data.decode("cp1252", errors="replace")


def _size(count: int) -> str:
    return f"{count >> 20} MB" if count >= 1 << 20 else f"{count} bytes"
