"""Arrays to the bytes that a `datasets.Image` column embeds, and back."""

import io

import numpy as np
from PIL import Image


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Floats in [0, 1] to 0..255, rounded."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def channels_last(images) -> np.ndarray:
    """A tensor `(n, channels, height, width)` of floats in [0, 1] as uint8 pixels `(n, height, width, channels)`."""
    return to_uint8(images.detach().float().permute(0, 2, 3, 1).cpu().numpy())


def encode(image: np.ndarray | None) -> dict | None:
    """A uint8 array `(height, width)` or `(height, width, 1 or 3)` as an embedded PNG; `None` stays `None`."""
    if image is None:
        return None
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def decode(cell: dict) -> np.ndarray:
    """The uint8 array of an embedded PNG."""
    return np.asarray(Image.open(io.BytesIO(cell["bytes"])))
