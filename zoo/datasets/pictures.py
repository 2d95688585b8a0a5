"""Photographs and radiographs: files that Pillow reads, cropped to a square and resized."""

import contextlib
import hashlib
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from zoo import png
from zoo.datasets.content import head_of, read_bytes
from zoo.datasets.kinds import ENDINGS, PICTURES
from zoo.datasets.resample import intensity_window
from zoo.errors import ZooError

MOST_PAGES = 10_000
MOST_LABELS = 32  # distinct values of a mask
WHITE_IS_ZERO = "white is zero"  # of a TIFF's page, among its `info`


def read_pages(path, channels: int, limit: int | None = None) -> list[Image.Image]:
    """Reads all pages of a picture as 8-bit grey (1 channel) or RGB (3); most files have one.

    Pages of more than 8 bits a pixel, however few of them are used, are scaled from the least to the largest value of
    the file. Transparency plays no part: colours are taken as they are stored.

    Raises:
        ZooError: If it cannot be read, or its pages differ in size.
    """
    with _readable(path, f"one of {', '.join(ENDINGS[PICTURES])}"):
        pages = _pages(path, limit)
        if any(page.mode.startswith(("I", "F")) for page in pages):  # Pillow would clip these at 255
            deep = np.stack([np.asarray(page) for page in pages])
            if not np.isfinite(deep).all():
                raise ZooError(f"{path}: has NaN or infinite values; expected finite intensities")
            deep = png.to_uint8(intensity_window(deep, (0, 100)))
            # Pillow turns 8-bit pages alone that are stored with a white zero
            pages = [
                Image.fromarray(255 - array if page.info.get(WHITE_IS_ZERO) else array)
                for page, array in zip(pages, deep, strict=True)
            ]
        return [page.convert("L" if channels == 1 else "RGB") for page in pages]


def read_picture(path, channels: int, limit: int | None = None) -> Image.Image:
    """Reads a picture of one page as 8-bit grey or RGB.

    Raises:
        ZooError: If it cannot be read, or has several pages.
    """
    pages = read_pages(path, channels, limit)
    if len(pages) > 1:
        raise ZooError(f"{path}: has {len(pages)} pages; expected one")
    return pages[0]


def read_masks(path) -> list[Image.Image]:
    """Reads the pages of a mask as the labels that it stores, whose colours play no part.

    A mask of 0 and 255 is one of 0 and 1; beside other labels 255 stays, as that of pixels of no known label. Labels
    may lie in the transparency of a single colour.

    Raises:
        ZooError: If it cannot be read or stores something else.
    """
    with _readable(path, "a mask"):
        pages = _pages(path)
        arrays = [np.asarray(page).astype(np.int64) for page in pages]
    for index, page in enumerate(pages):
        if arrays[index].ndim == 3 and page.mode in ("RGB", "RGBA", "LA"):
            arrays[index] = _one_channel(arrays[index], page.mode.endswith("A"), path)
        if arrays[index].ndim != 2 or page.mode.startswith("F"):
            raise ZooError(f"{path}: mask of mode {page.mode}; expected 8-bit labels, grey or with a palette")
    values = np.unique(np.concatenate([array.ravel() for array in arrays]))
    if values.min() < 0 or values.max() > 255:
        raise ZooError(f"{path}: mask has values from {values.min()} to {values.max()}; expected labels from 0 to 255")
    if (values == 255).any() and all(value <= 16 or value >= 239 for value in values) and _is_of_two(values, path):
        arrays = [(array > 127).astype(np.int64) for array in arrays]
    elif len(values) > MOST_LABELS:
        raise ZooError(f"{path}: mask has {len(values)} different values; expected labels, stored without loss")
    return [Image.fromarray(array.astype(np.uint8)) for array in arrays]


def _one_channel(array: np.ndarray, transparent: bool, path) -> np.ndarray:
    """The labels of a mask of several channels: grey, written in three, or transparency; others stay as they are.

    Raises:
        ZooError: If colours and transparency say different things.
    """
    colours = array[..., :-1] if transparent else array
    alpha = array[..., -1] if transparent else np.full(array.shape[:2], 255)
    grey = (colours == colours[..., :1]).all()
    if alpha.min() == alpha.max():
        return colours[..., 0] if grey else array
    if (colours == colours[:1, :1]).all():
        return alpha
    if not grey:
        return array
    if ((colours[..., 0] > 0) != (alpha > 0)).any():
        raise ZooError(f"{path}: mask with other labels in its colours than in its transparency; expected one of them")
    return colours[..., 0]


def _is_of_two(values: np.ndarray, path) -> bool:
    """Whether values near 0 and 255 are these two, blurred by lossy compression, and no labels beside 255."""
    low, high = ((values > 0) & (values <= 16)).any(), ((values < 255) & (values >= 239)).any()
    return not low or high or head_of(path, 3) == b"\xff\xd8\xff"  # JPEG


def is_binary_foreground(mask: np.ndarray) -> np.ndarray:
    """Foreground of a mask of two values: of 0 and 1 as of 0 and 255, whose lossy edges are cut at a half."""
    return mask > 127 if mask.max(initial=0) > 127 else mask > 0


def _pages(path, limit: int | None = None) -> list[Image.Image]:
    with Image.open(io.BytesIO(read_bytes(path, limit))) as picture:
        count = getattr(picture, "n_frames", 1)
        if count > MOST_PAGES:
            raise ZooError(f"{path}: has {count} pages; expected at most {MOST_PAGES}")
        pages = []
        for page in ImageSequence.Iterator(picture):
            white_is_zero = getattr(page, "tag_v2", {}).get(262) == 0  # PhotometricInterpretation
            pages.append(ImageOps.exif_transpose(page).copy())
            pages[-1].info[WHITE_IS_ZERO] = white_is_zero
    if sizes := {page.size for page in pages} - {pages[0].size}:
        raise ZooError(f"{path}: has pages of {pages[0].size} and of {min(sizes)} pixels; expected one size")
    return pages


@contextlib.contextmanager
def _readable(path, expected: str) -> Iterator[None]:
    """Turns what Pillow raises of a file that is no picture into one line."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:  # decoders raise what they stumble on
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ZooError(f"{path}: no readable picture ({reason}); expected {expected}") from error


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
