"""A segmenter of heart-centred crops on whole slices: it looks for the heart first."""

import numpy as np
import torch
from scipy import ndimage

from zoo.datasets.placement import Segmenter
from zoo.datasets.resample import resample_slice
from zoo.errors import ZooError
from zoo.png import to_uint8
from zoo.published.networks import Judge

HEART = 3  # the label of the left ventricle's cavity
STEPS = 2  # more crops, each around what the last one showed
LEAST = 20  # pixels of cavity a slice, on average, that are a heart


def segment_whole_slices(judge: Judge) -> Segmenter:
    """Makes a segmenter of crops label whole stacks, as `zoo.datasets` takes it.

    The crop around the middle, of the size that the segmenter was trained on, is labelled, and the crop around the
    centre of these labels again. Where the first crop shows no heart, the whole field says where most slices show one.
    Labels beyond the last crop are 0.

    Args:
        judge: A segmenter with a pixel spacing.

    Raises:
        ZooError: If it has none.
    """
    step, size = judge.network.config.pixel_spacing_mm, judge.network.config.sample_size
    if step is None:
        raise ZooError(f"{judge.name}: has no pixel spacing; expected a segmenter of hearts")

    def look(images: np.ndarray, spacing: tuple[float, float], center, side: int) -> np.ndarray:
        grid = {"size": side, "new_spacing": step, "center": center}
        pictures = np.stack([to_uint8(resample_slice(image, spacing, **grid)) for image in images])
        return judge.masks(torch.from_numpy(pictures)[:, None]).numpy()

    def segment(images: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
        per_step = step / np.asarray(spacing)  # pixels of the image in one of the grid
        center = (np.array(images.shape[1:]) - 1) / 2
        found = look(images, spacing, center, size)
        if (found == HEART).sum() < LEAST * len(images):
            side = int(np.ceil((np.array(images.shape[1:]) / per_step).max() / 32) * 32)
            seen = (look(images, spacing, center, max(side, size)) == HEART).sum(axis=0).astype(np.float32)
            peak = np.unravel_index(ndimage.gaussian_filter(seen, 5).argmax(), seen.shape)
            center = center + (np.array(peak) - (len(seen) - 1) / 2) * per_step * seen.any()
            found = look(images, spacing, center, size)
        for _ in range(STEPS):
            if not found.any():
                break
            middle = ndimage.center_of_mass((found > 0).sum(axis=0))
            center = center + (np.array(middle) - (size - 1) / 2) * per_step
            found = look(images, spacing, center, size)
        rows, columns = (
            np.rint((np.arange(length) - middle) / ratio + (size - 1) / 2).astype(int)
            for length, middle, ratio in zip(images.shape[1:], center, per_step, strict=True)
        )
        inside = ((rows >= 0) & (rows < size))[:, None] & ((columns >= 0) & (columns < size))
        labels = found[:, np.clip(rows, 0, size - 1)[:, None], np.clip(columns, 0, size - 1)]
        return np.where(inside, labels, 0).astype(np.uint8)

    return segment
