"""Arrays to the bytes that a `datasets.Image` column embeds, and back."""

import io

import numpy as np
from PIL import Image


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] to 0..255, rounded."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def encode(image: np.ndarray | None) -> dict | None:
    """A uint8 array `(height, width)` or `(height, width, 3)` as an embedded PNG; `None` stays `None`."""
    if image is None:
        return None
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def decode(cell: dict) -> np.ndarray:
    """The uint8 array of an embedded PNG."""
    return np.asarray(Image.open(io.BytesIO(cell["bytes"])))
