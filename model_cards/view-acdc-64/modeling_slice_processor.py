"""Slices as the networks that judge see them, for transformers: grey or colour, windowed, of their size and spacing."""

import numpy as np
import PIL.Image
from transformers.image_processing_utils import BaseImageProcessor, BatchFeature

WINDOW = (0.5, 99.5)  # percentiles of what is no 8-bit image, as the datasets window whole volumes


class SliceImageProcessor(BaseImageProcessor):
    """Makes images what a segmenter or classifier was trained on: `(n, channels, size, size)` float32 in [-1, 1].

    Parameters:
        size (`int`, *optional*): Height and width; images keep theirs without it.
        channels (`int`, defaults to 1): 1 for grey, which colour is turned into, and 3 for colour.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres.
    """

    model_input_names = ["pixel_values"]

    def __init__(self, size: int | None = None, channels: int = 1, pixel_spacing_mm: float | None = None, **kwargs):
        super().__init__(**kwargs)
        self.size, self.channels, self.pixel_spacing_mm = size, channels, pixel_spacing_mm

    def __call__(self, images, return_tensors=None, pixel_spacing: float | None = None, **_) -> BatchFeature:
        """Prepares images.

        Args:
            images (`PIL.Image.Image`, `np.ndarray` or a list of them): Of any size with `pixel_spacing`. Arrays are
                `(height, width)` or `(height, width, channels)`; what is not of 8 bit is windowed by its percentiles.
            return_tensors (`str`, *optional*): `"pt"` or `"np"`.
            pixel_spacing (`float`, *optional*): Side of their pixels in millimetres. They are resampled to this model's
                and cropped or padded around their centre. Without it they must have the model's size.

        Returns:
            `BatchFeature` with `pixel_values`.

        Raises:
            ValueError: If an image has another size, or a spacing is given to a model without.
        """
        images = images if isinstance(images, list | tuple) else [images]
        prepared = [self._prepared(image, pixel_spacing) for image in images]
        return BatchFeature({"pixel_values": np.stack(prepared)}, tensor_type=return_tensors)

    preprocess = __call__

    def _prepared(self, image, pixel_spacing: float | None) -> np.ndarray:
        """`(channels, size, size)` float32 in [-1, 1] of one image."""
        picture = image if isinstance(image, PIL.Image.Image) else PIL.Image.fromarray(_windowed(image))
        if picture.mode not in ("L", "RGB"):
            picture = PIL.Image.fromarray(_windowed(picture)) if picture.mode[0] in "IF" else picture.convert("RGB")
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if pixel_spacing is not None:
            picture = self._cropped(picture, pixel_spacing)
        if self.size is not None and picture.size != (self.size, self.size):
            of = "" if self.pixel_spacing_mm is None else f" of {self.pixel_spacing_mm:g} mm; name their pixel_spacing"
            width, height = picture.size
            raise ValueError(f"images: expected {self.size}x{self.size} pixels{of}, got {height}x{width}")
        pixels = np.asarray(picture, np.float32)
        return np.moveaxis(pixels.reshape(*pixels.shape[:2], self.channels), -1, 0) / np.float32(127.5) - 1

    def _cropped(self, picture: PIL.Image.Image, pixel_spacing: float) -> PIL.Image.Image:
        """A picture in this model's millimetres, its centre kept, black beyond its borders."""
        if self.pixel_spacing_mm is None or self.size is None:
            raise ValueError("pixel_spacing: expected None, this model was trained on images without millimetres")
        if not pixel_spacing > 0:
            raise ValueError(f"pixel_spacing: expected millimetres above 0, got {pixel_spacing}")
        scale = pixel_spacing / self.pixel_spacing_mm
        whole = [max(1, round(side * scale)) for side in picture.size]
        if tuple(whole) != picture.size:
            picture = picture.resize(whole, PIL.Image.Resampling.BILINEAR, reducing_gap=None)
        left, top = ((side - self.size) // 2 for side in whole)
        return picture.crop((left, top, left + self.size, top + self.size))

    def post_process_semantic_segmentation(self, outputs, target_sizes=None) -> list:
        """Label maps `(height, width)` of a segmenter's outputs, as in transformers.

        Args:
            outputs: With `logits` of shape `(n, labels, size, size)`.
            target_sizes (`list[tuple[int, int]]`, *optional*): Height and width to enlarge each of them to.
        """
        import torch.nn.functional as F

        logits = outputs.logits.float()
        if target_sizes is None:
            return list(logits.argmax(1))
        enlarged = (
            F.interpolate(own[None], size=tuple(map(int, size)), mode="bilinear", align_corners=False)
            for own, size in zip(logits, target_sizes, strict=True)
        )
        return [own.argmax(1)[0] for own in enlarged]


def _windowed(image) -> np.ndarray:
    """Intensities as 8 bit: as they are if they are, or else from the lower percentile of `WINDOW` to the upper."""
    pixels = np.asarray(image)
    if pixels.dtype == np.uint8:
        return pixels
    low, high = np.percentile(pixels, WINDOW)
    scaled = (pixels.astype(np.float64) - low) / max(high - low, 1e-12)
    return (scaled.clip(0, 1) * 255).round().astype(np.uint8)
