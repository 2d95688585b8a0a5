"""Hearts to order: label maps that visitors paint, what is wrong with them, and what a model makes of them."""

import numpy as np
import torch
from PIL import Image

import pictures
from events import on_gpu, with_news
from jobs import News
from sampling import after_each_step
from zoo.anatomy import CAVITY, MUSCLE
from zoo.errors import ZooError
from zoo.metrics.functional import measure_anatomy
from zoo.pipelines import sample_generators
from zoo.png import to_uint8

PAINTED_SIDE = 512  # pixels of the picture that is painted on
PAINT = {0: (0, 0, 0), **pictures.COLOURS}


def to_paint(mask: np.ndarray) -> np.ndarray:
    """A label map as a picture to paint on: uint8 `(side, side, 3)`, each pixel in the colour of its label."""
    colours = np.array([PAINT[label] for label in sorted(PAINT)], np.uint8)[mask]
    return np.asarray(Image.fromarray(colours).resize((PAINTED_SIDE, PAINTED_SIDE), Image.Resampling.NEAREST))


def from_paint(picture: np.ndarray, size: int) -> np.ndarray:
    """The label map of a painted picture: the label whose colour is nearest, brushes being soft at their edge.

    Args:
        picture (`np.ndarray` of shape `(height, width, 3 or 4)`): uint8.
        size (`int`): Side of the label map in pixels.

    Raises:
        ZooError: If what is painted is no heart: one closed ring of myocardium around one left ventricle.
    """
    small = Image.fromarray(picture[..., :3]).resize((size, size), Image.Resampling.NEAREST)
    colours = np.array([PAINT[label] for label in sorted(PAINT)], np.int32)
    distance = ((np.asarray(small, np.int32)[:, :, None] - colours) ** 2).sum(-1)
    mask = distance.argmin(-1).astype(np.uint8)
    if problem := what_is_wrong(mask):
        raise ZooError(f"mask: this is no heart: {problem}")
    return mask


def what_is_wrong(mask: np.ndarray) -> str:
    """Why a label map is no heart in short axis; empty if it is one."""
    if not (mask == CAVITY).any():
        return "it has no left ventricle"
    if not (mask == MUSCLE).any():
        return "it has no myocardium"
    if not measure_anatomy(torch.from_numpy(mask[None]), 1.0)["ring_closed"].item():
        return "the myocardium forms no closed ring around one left ventricle"
    return ""


def told_measures(mask: np.ndarray, spacing_mm: float) -> str:
    """What a label map measures, in words."""
    found = measure_anatomy(torch.from_numpy(mask[None]), spacing_mm)
    wall, cavity = (found[name].item() for name in ("wall_thickness_mm", "cavity_area_mm2"))
    told = "no closed wall" if wall != wall else f"wall {wall:.1f} mm"
    return told if cavity != cavity else f"{told}, cavity {cavity:.0f} mm²"


@on_gpu
def paint(pipe, mask: np.ndarray, classes: dict[str, str], seed: int):
    """An image on a label map: yields `News`, image `(height, width)` and mask, uint8, last."""
    first = next(iter(pipe.class_names), "")
    asked = {("class_labels" if name == first else name): label for name, label in classes.items()}
    total, spacing = pipe.default_settings["num_inference_steps"], pipe.config.pixel_spacing_mm

    def work(tell):
        steps = after_each_step(lambda step, tensors: tell((step + 1, tensors["latents"])))
        return pipe(1, masks=mask, generator=sample_generators(seed, [0]), output_type="np", **asked, **steps)

    def show(news):
        step, latents = news
        return News(f"Step {step} of {total}", step, total, to_uint8(pipe.preview(latents)[0]), spacing)

    try:
        output = yield from with_news(work, show)
    except (ValueError, TypeError) as error:
        raise ZooError(str(error)) from error
    yield to_uint8(output.images[0, ..., 0]), output.masks[0]


@on_gpu
def edit(pipe, image: np.ndarray, mask: np.ndarray, change_mm: float, grow: str, seed: int):
    """A heart whose wall is changed: yields `News`, image and mask, uint8, last.

    Args:
        pipe ([`HeartPipeline`]): The model.
        image (`np.ndarray` of shape `(height, width, channels)`): float32 in [0, 1].
        mask (`np.ndarray` of shape `(height, width)`): Its labels.
        change_mm (`float`): What the wall gains.
        grow (`str`): `"in"` or `"out"`.
        seed (`int`): Of what is painted anew.
    """
    yield News("Painting what changes")
    try:
        output = pipe.edit(
            image[None], mask[None], change_mm, grow, generator=sample_generators(seed, [0]), output_type="np"
        )
    except ValueError as error:
        raise ZooError(str(error)) from error
    yield to_uint8(output.images[0, ..., 0]), output.masks[0]
