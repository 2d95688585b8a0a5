"""Photographs and radiographs: files that Pillow reads, cropped to a square and resized."""

import contextlib
import hashlib
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps

from zoo import png
from zoo.datasets.resample import intensity_window
from zoo.errors import ZooError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def read_picture(path, channels: int) -> Image.Image:
    """Reads a picture as 8-bit grey (1 channel) or RGB (3).

    One of more than 8 bits a pixel is scaled from its least to its largest value.

    Raises:
        ZooError: If it cannot be read.
    """
    with _readable(path, f"one of {', '.join(ENDINGS)}"):
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(path.read_bytes())))
        if picture.mode.startswith(("I", "F")):  # Pillow would clip these at 255
            picture = Image.fromarray(png.to_uint8(intensity_window(np.asarray(picture), (0, 100))))
        return picture.convert("L" if channels == 1 else "RGB")


def read_mask(path) -> Image.Image:
    """Reads a mask as the labels that it stores: 8 bits, grey or with a palette, whose colours play no part.

    Raises:
        ZooError: If it cannot be read or stores something else.
    """
    with _readable(path, "a mask"):
        mask = Image.open(io.BytesIO(path.read_bytes()))
        labels = np.asarray(mask)
    if mask.mode not in ("L", "P"):
        raise ZooError(f"{path}: mask of mode {mask.mode}; expected 8-bit labels, grey or with a palette")
    return Image.fromarray(labels)


@contextlib.contextmanager
def _readable(path, expected: str) -> Iterator[None]:
    """Turns what Pillow raises of a file that is no picture into one line."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ZooError(f"{path}: no readable picture ({error}); expected {expected}") from error


def square(picture: Image.Image, size: int, crop: int | None = None, nearest: bool = False) -> np.ndarray:
    """Resizes the central square of a picture: uint8 `(size, size)` or `(size, size, 3)`.

    Args:
        picture: Grey or RGB.
        size: Side of the result in pixels.
        crop: Side of the square in pixels; `None` takes the largest one.
        nearest: Takes the nearest pixel, for masks, instead of antialiased bilinear interpolation.

    Raises:
        ZooError: If the picture is smaller than `crop`.
    """
    crop = crop or min(picture.size)
    if crop > min(picture.size):
        raise ZooError(f"picture of {picture.width}x{picture.height} pixels; expected at least {crop}x{crop}")
    left, top = (picture.width - crop) // 2, (picture.height - crop) // 2
    resampling = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    return np.asarray(picture.resize((size, size), resampling, (left, top, left + crop, top + crop)))


def content_hash(picture: Image.Image) -> bytes:
    """SHA-256 of the decoded pixels and their layout: the same for a copy under another name or in another file."""
    return hashlib.sha256(f"{picture.mode}{picture.size}".encode() + picture.tobytes()).digest()
