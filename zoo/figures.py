"""Pictures of samples."""

import numpy as np
from PIL import Image
from scipy import ndimage

from zoo.png import to_uint8

# Colours that the colour-blind tell apart (Okabe & Ito, 2008): right ventricle, epicardium, endocardium
OUTLINES = ((86, 180, 233), (0, 158, 115), (230, 159, 0))


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
    if np.allclose(shades, output.images, atol=1e-3):  # label maps alone
        return output.images
    return np.concatenate([output.images, shades], axis=2)


def outlined(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Images with the borders of their right ventricles, epicardia and endocardia drawn in colour.

    Args:
        images (`np.ndarray` of shape `(count, height, width, 1)`): Float in [0, 1].
        masks (`np.ndarray` of shape `(count, height, width)`): Labels 0 to 3.

    Returns:
        `np.ndarray` of shape `(count, height, width, 3)`: uint8.
    """
    pictures = to_uint8(images).repeat(3, axis=3)
    for picture, mask in zip(pictures, masks, strict=True):
        for region, colour in zip((mask == 1, mask >= 2, mask == 3), OUTLINES, strict=True):
            picture[region & ~ndimage.binary_erosion(region)] = colour
    return pictures
