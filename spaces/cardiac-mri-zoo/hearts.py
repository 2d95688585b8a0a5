"""Is an image a heart in short axis? Where is it, how thick is its wall, and which known images is it like?

The segmenter alone decides, so that no training image is needed where the Space runs. It has seen nothing but hearts
and finds one in many things. Such a find does not hold: moved by a few pixels, the image is labelled otherwise, or the
labels are unsure, or blood is no brighter than muscle. The limits were chosen on the validation patients of ACDC, of
whose slices about five in six pass (nearly all mid ones, two thirds of those at the apex, where there may be no cavity
left), and on noise, photographs, faces and drawn hands, of which 0 to 6 % do. Of the test patients' slices 83 % pass.
"""

from dataclasses import dataclass

import numpy as np
import torch

from uploads import MAX_SPACING, MIN_SPACING, Slice, Stack
from zoo.anatomy import CAVITY, MUSCLE
from zoo.datasets.resample import resample_slice
from zoo.errors import ZooError
from zoo.metrics.copying import nearest_training
from zoo.metrics.functional import measure_anatomy
from zoo.metrics.image_set import ImageSet
from zoo.png import to_uint8
from zoo.published.networks import Judge

MIN_CAVITY_MM2 = 100.0
MAX_FROM_CENTRE_MM = 30.0  # the segmenter was trained on hearts in the middle
MIN_STABILITY = 0.85  # Dice of cavity and of muscle with those of the shifted image, the worst of them
MIN_CONFIDENCE = 0.85  # mean probability of the labels given to the heart
MIN_CONTRAST = 0.05  # blood over muscle, on the scale from black to white
SHIFTS = ((3, 0), (-3, 0), (0, 3), (0, -3))  # pixels
SEARCH_STEP_MM, SEARCH_MM = 16.0, 48.0  # where a heart is looked for around the middle of a large picture
NEIGHBOURS = 4


@dataclass(frozen=True)
class Verdict:
    """What the segmenter says of one image.

    Args:
        problem (`str`): Why it is no heart in short axis; empty if it is one.
        mask (`np.ndarray` of shape `(height, width)`): Labels, uint8.
        measures (`dict[str, float]`): As of `measure_anatomy`, NaN for what cannot be measured.
    """

    problem: str
    mask: np.ndarray
    measures: dict[str, float]


def judge_images(images: torch.Tensor, judge: Judge) -> list[Verdict]:
    """Judges images `(n, height, width)`, uint8, of the segmenter's own size and spacing."""
    spacing = judge.network.config.pixel_spacing_mm
    labels, confidence = _label(images, judge)
    stability = torch.ones(len(images))
    for shift in SHIFTS:
        again = _label(images.roll(shift, (1, 2)), judge)[0].roll((-shift[0], -shift[1]), (1, 2))
        for structure in (MUSCLE, CAVITY):
            stability = torch.minimum(stability, _dice(labels == structure, again == structure))
    sure = _mean(confidence, labels > 0)
    brightness = {part: _mean(images / 255, labels == part) for part in (MUSCLE, CAVITY)}
    contrast = brightness[CAVITY] - brightness[MUSCLE]
    side = torch.arange(images.shape[-1]) - (images.shape[-1] - 1) / 2
    row, column = (_mean(where.expand(images.shape), labels == CAVITY) for where in (side[:, None], side[None]))
    from_centre = spacing * (row**2 + column**2).sqrt()
    measures = measure_anatomy(labels, spacing)
    verdicts = []
    for i in range(len(images)):
        own = {name: values[i].item() for name, values in measures.items()}
        reasons = [
            (not own["cavity_area_mm2"] >= MIN_CAVITY_MM2, "no left ventricle was found"),
            (stability[i] < MIN_STABILITY or sure[i] < MIN_CONFIDENCE, "what was found in it is not sure enough"),
            (contrast[i] < MIN_CONTRAST, "what was found has no bright blood within dark muscle"),
            (from_centre[i] > MAX_FROM_CENTRE_MM, "what was found lies too far from the middle"),
        ]
        problem = next((words for fails, words in reasons if fails), "")
        verdicts.append(Verdict(problem, labels[i].numpy(), own))
    return verdicts


@torch.inference_mode()
def _label(images: torch.Tensor, judge: Judge) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels, uint8, and their probabilities, both `(n, height, width)`."""
    scores = judge.network(images[:, None].float() / 127.5 - 1).logits.softmax(1)
    confidence, labels = scores.max(1)
    return labels.to(torch.uint8), confidence


def _dice(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Agreement of two boolean masks `(n, height, width)`: `(n,)`, 0 where both are empty."""
    return 2 * (first & second).sum((1, 2)) / (first.sum((1, 2)) + second.sum((1, 2))).clamp(min=1)


def _mean(values: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The mean of values `(n, height, width)` over some pixels of each image, 0 where there are none."""
    return (values * where).sum((1, 2)) / where.sum((1, 2)).clamp(min=1)


def side_of(stack: Stack, spacing_mm: float | None, field_mm: float) -> tuple[tuple[float, float], bool]:
    """The sides of a pixel, and whether they are known: the file's own, or what the visitor gives.

    Otherwise the picture is taken to be as wide as what the segmenter sees, and nothing may be told in millimetres.

    Raises:
        ZooError: If the number is out of bounds.
    """
    if stack.spacing is not None:
        return stack.spacing, True
    if spacing_mm is not None and not MIN_SPACING <= spacing_mm <= MAX_SPACING:
        raise ZooError(f"side of a pixel: expected {MIN_SPACING} to {MAX_SPACING} mm, or nothing where it is not known")
    side = spacing_mm or field_mm / min(stack.voxels.shape[1:])
    return (side, side), spacing_mm is not None


def on_grid(found: Slice, center: tuple[float, float], size: int, spacing_mm: float) -> torch.Tensor:
    """The slice on a square grid around a centre (row and column index): uint8 `(size, size)`."""
    pixels = resample_slice(found.pixels, found.spacing, size=size, new_spacing=spacing_mm, center=center)
    return torch.from_numpy(to_uint8(pixels))


def find_heart(found: Slice, judge: Judge) -> tuple[tuple[float, float], torch.Tensor, Verdict]:
    """Looks for a heart in the middle of a slice, and around it where the slice shows more than the segmenter takes.

    Args:
        found (`Slice`): With its spacing.
        judge (`Judge`): The segmenter.

    Returns:
        Row and column of the best place, the image there `(size, size)`, uint8, and what is said of it.
    """
    size, spacing = judge.network.config.sample_size, judge.network.config.pixel_spacing_mm
    sides = [pixels * side for pixels, side in zip(found.pixels.shape, found.spacing, strict=True)]
    center = tuple((pixels - 1) / 2 for pixels in found.pixels.shape)
    reach = min(SEARCH_MM, (max(sides) - size * spacing) / 2)
    if reach >= SEARCH_STEP_MM:
        for window in (
            2 * (reach // SEARCH_STEP_MM) * SEARCH_STEP_MM,
            0,
        ):  # from afar, then with the heart in the middle
            moved = _likeliest(on_grid(found, center, size + round(window / spacing), spacing), judge)
            center = tuple(at + by * spacing / side for at, by, side in zip(center, moved, found.spacing, strict=True))
    image = on_grid(found, center, size, spacing)
    return center, image, judge_images(image[None], judge)[0]


def _likeliest(wide: torch.Tensor, judge: Judge) -> tuple[float, float]:
    """Where in a square image `(side, side)` the heart lies, in pixels down and right of its middle; 0 without one."""
    size, spacing = judge.network.config.sample_size, judge.network.config.pixel_spacing_mm
    step = round(SEARCH_STEP_MM / spacing)
    places = range(0, len(wide) - size + 1, step)
    windows = [(top, left) for top in places for left in places]
    labels, confidence = _label(
        torch.stack([wide[top : top + size, left : left + size] for top, left in windows]), judge
    )
    has_cavity = (labels == CAVITY).sum((1, 2)) * spacing**2 >= MIN_CAVITY_MM2
    sure = torch.where(has_cavity, _mean(confidence, labels > 0), 0)
    best = int(sure.argmax())
    if not has_cavity[best]:
        return 0.0, 0.0
    row, column = np.argwhere(labels[best].numpy() > 0).mean(0) + np.array(windows[best]) - (len(wide) - 1) / 2
    return row, column


def nearest(image: torch.Tensor, known: ImageSet) -> list[tuple[np.ndarray, float]]:
    """The known images most like a grey one over small shifts and mirroring, and their correlation with it.

    Args:
        image (`torch.Tensor` of shape `(height, width)`): uint8.
        known (`ImageSet`): Grey images of that size.
    """
    correlation, index = nearest_training(image[None, None], known).training_cc.topk(min(NEIGHBOURS, len(known)))
    return [(known.images[i, 0].numpy(), cc) for i, cc in zip(index.tolist(), correlation.tolist(), strict=True)]
