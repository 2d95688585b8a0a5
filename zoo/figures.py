"""Pictures of samples."""

import numpy as np
from PIL import Image

from zoo.png import to_uint8


def image_grid(images: np.ndarray, columns: int, gap: int = 2, scale: int = 1) -> Image.Image:
    """Lays images out in rows.

    Args:
        images (`np.ndarray` of shape `(count, height, width, channels)`): Float in [0, 1] or uint8, grey or colour.
        columns (`int`): Images a row.
        gap (`int`): Black pixels between images.
        scale (`int`): Whole-number enlargement; pixels stay square.

    Returns:
        `PIL.Image.Image`: 8 bit, grey or RGB.
    """
    if images.dtype != np.uint8:
        images = to_uint8(images)
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    canvas = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return Image.fromarray(canvas.squeeze(-1) if channels == 1 else canvas)


def pictures(output) -> np.ndarray:
    """The images of a pipeline's output, of pairs each with its mask to the right, labels 0 to 3 as shades of grey.

    Args:
        output: What a pipeline returned, of `output_type="np"`.

    Returns:
        `np.ndarray` of shape `(count, height, width, channels)`, twice as wide of pairs: float32 in [0, 1].
    """
    masks = getattr(output, "masks", None)
    if masks is None:
        return output.images
    shades = np.broadcast_to(masks[..., None] / np.float32(3), output.images.shape)
    return np.concatenate([output.images, shades], axis=2)
