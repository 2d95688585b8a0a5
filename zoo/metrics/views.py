"""Right and wrong views of hearts, cut from whole slices, and how often a network tells them apart."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from zoo.datasets import BuiltDataset
from zoo.datasets.resample import intensity_window
from zoo.datasets.scans import PERCENTILES
from zoo.errors import ZooError
from zoo.metrics.image_set import from_split, masks_of, volumes_of
from zoo.metrics.intervals import share_figure
from zoo.published.networks import Judge
from zoo.warp import rotation_grid

UPRIGHT, WHOLE, OTHER = 0, 8, 9
NAMES = [
    "upright",
    "quarter_left",
    "half",
    "quarter_right",
    "mirrored",
    "mirrored_quarter_left",
    "mirrored_half",
    "mirrored_quarter_right",
    "whole",
    "other",
]
WRONG = [name for name in NAMES if name not in ("upright", "quarter_left", "quarter_right")]
REFUSED = 0.05  # share of slices as they are that may be taken for something else
BESIDE_PIXELS = 40  # from the heart: 80 mm
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True)
class WholeSlices:
    """Slices that show more than the heart, with the heart's place.

    Args:
        images (`torch.Tensor` of shape `(n, 1, side, side)`): uint8, windowed by volume as hearts are.
        centers (`torch.Tensor` of shape `(n, 2)`): Row and column of the heart in pixels, the same in all slices of a
            patient.
        volumes (`list[tuple]` of length `n`): Patient, and frame, of each.
        levels (`list[str]` of length `n`): Basal, mid or apical.
        spacing_mm (`float`): Side of a pixel.
    """

    images: torch.Tensor
    centers: torch.Tensor
    volumes: list[tuple]
    levels: list[str]
    spacing_mm: float

    def cut(self, size: int, centers: torch.Tensor | None = None, scale: float | torch.Tensor = 1.0) -> torch.Tensor:
        """Squares of `size` pixels around the hearts or other places: see `cut`."""
        count = len(self.images)
        scale = torch.as_tensor(scale, dtype=torch.float32).expand(count)
        return cut(self.images.float() / 255, self.centers if centers is None else centers, scale, size=size)

    def whole(self, size: int) -> torch.Tensor:
        """The slices as a whole, on `size` pixels a side."""
        side = self.images.shape[-1]
        return self.cut(size, torch.full_like(self.centers, (side - 1) / 2), size / side)

    def beside(self, size: int) -> torch.Tensor:
        """Squares without a heart, in another direction from it for every slice."""
        angle = GOLDEN_ANGLE * torch.arange(len(self.images))
        return self.cut(size, beside(self.centers, angle, torch.tensor(BESIDE_PIXELS), self.images.shape[-1], size))


def whole_slices(data: BuiltDataset, split: str) -> WholeSlices:
    """The slices of a split of a dataset that shows whole slices, such as preset `acdc-180`.

    Raises:
        ZooError: If it has no masks, from which the heart's place is known, or no slice levels.
    """
    found, rows = from_split(data, split), data.dataset[split]
    if missing := [name for name in ("mask", "slice_level", "pixel_spacing") if name not in rows.column_names]:
        raise ZooError(f"dataset {data.info['preset']}: column '{missing[0]}': not there, views are cut by it")
    masks, volumes = masks_of(rows) > 0, volumes_of(found, rows)
    images, centers = torch.empty_like(found.images), torch.zeros(len(masks), 2)
    for volume in dict.fromkeys(volumes):
        where = torch.tensor([own == volume for own in volumes])
        window = intensity_window(found.images[where].numpy(), PERCENTILES)
        images[where] = torch.from_numpy(window * 255).round().to(torch.uint8)
    for patient in dict.fromkeys(found.ids):
        where = torch.tensor([own == patient for own in found.ids])
        if not masks[where].any():
            raise ZooError(f"dataset {data.info['preset']}: {patient}: has no heart in its masks")
        centers[where] = masks[where].nonzero()[:, 1:].float().mean(0)
    names = rows.features["slice_level"].names
    levels = [names[level] for level in rows["slice_level"][:]]
    return WholeSlices(images, centers, volumes, levels, float(rows[0]["pixel_spacing"][0]))


def cut(
    images: torch.Tensor, centers: torch.Tensor, scale: torch.Tensor, angle: torch.Tensor | None = None, *, size: int
) -> torch.Tensor:
    """Squares of larger images; black where there is no image.

    Args:
        images (`torch.Tensor` of shape `(n, channels, side, side)`): In [0, 1].
        centers (`torch.Tensor` of shape `(n, 2)`): Row and column of the middle of each square.
        scale (`torch.Tensor` of shape `(n,)`): Enlargement.
        angle (`torch.Tensor` of shape `(n,)`, *optional*): In radians, about the middle.
        size (`int`): Side of a square in pixels.

    Returns:
        `torch.Tensor` of shape `(n, channels, size, size)`.
    """
    side = images.shape[-1]
    angle = torch.zeros_like(scale) if angle is None else angle
    grid = rotation_grid(angle, scale, (len(images), 1, size, size)) * size / side
    middle = (2 * centers + 1) / side - 1
    grid = grid + middle.flip(1)[:, None, None]
    small = scale < 0.75
    if small.any():  # where pixels get larger, nothing is skipped
        images = images.clone()
        images[small] = F.interpolate(F.avg_pool2d(images[small], 2), scale_factor=2)
    return F.grid_sample(images, grid, align_corners=False)


def beside(centers: torch.Tensor, angle: torch.Tensor, pixels: torch.Tensor, side: int, size: int) -> torch.Tensor:
    """Places so many pixels from the hearts, within the slice by a quarter of a square of `size` pixels."""
    away = pixels[..., None] * torch.stack([angle.sin(), angle.cos()], -1)
    return (centers + away).clamp(size / 4, side - size / 4)


def threshold_of(known: torch.Tensor) -> float:
    """The log-probability that all slices as they are reach but at most a share `REFUSED`."""
    return known.quantile(REFUSED, interpolation="lower").item()


def said_of(network, slices: WholeSlices) -> dict[str, torch.Tensor]:
    """What a network says of slices as they are and of wrong views: log-probabilities `(n, classes)` by name.

    A turn of an image is a permutation of what is said of it; so each is looked at once.
    """
    from zoo.models.view_net import TURNS, after  # transformers, which it needs, takes seconds

    size = network.config.sample_size

    def log_probabilities(images: torch.Tensor) -> torch.Tensor:
        rounded = (images * 255).round() / 127.5 - 1
        return torch.cat([network.log_probabilities(batch) for batch in rounded.split(50)])

    upright = log_probabilities(slices.cut(size))
    said = {"upright": upright}
    for turn in (turn for turn in range(TURNS) if NAMES[turn] in WRONG):
        back = next(other for other in range(TURNS) if after(turn, other) == UPRIGHT)
        places = [after(own, back) for own in range(TURNS)]
        said[NAMES[turn]] = upright[:, [*places, *range(TURNS, upright.shape[1])]]
    said["whole"] = log_probabilities(slices.whole(size))
    said["other"] = log_probabilities(slices.beside(size))
    return said


def view_figures(judge: Judge, data: BuiltDataset, split: str) -> dict:
    """How often a network refuses slices as they are, and tells wrong views, by slice and by volume.

    A slice is told to be wrong if the log-probability of the known views lies below the network's threshold, a volume
    if the mean of its slices does. Nothing is said of quarter turns: in ACDC about one patient in four is stored a
    quarter turned against the others, and the networks of the zoo know both.

    Args:
        judge (`Judge`): Of the family `view`.
        data (`BuiltDataset`): Of whole slices with masks.
        split (`str`): Of it.

    Returns:
        `dict`: `refused_slice`, `refused_volume`; `told_<view>_slice` and `_volume` for every view of `WRONG`; of
        images turned by 180° and mirrored ones also `_basal`, `_mid` and `_apical`; and how many `slices`, `volumes`.

    Raises:
        ZooError: If the dataset's pixels are not the network's, or see `whole_slices`.
    """
    slices, config = whole_slices(data, split), judge.network.config
    if abs(slices.spacing_mm - config.pixel_spacing_mm) > 1e-3 or slices.images.shape[-1] <= config.sample_size:
        expected = f"whole slices of more than {config.sample_size} pixels of {config.pixel_spacing_mm} mm"
        raise ZooError(f"dataset {data.info['preset']}: {judge.name} expects {expected}")
    with torch.inference_mode():
        said = {name: judge.network.known(rows) for name, rows in said_of(judge.network, slices).items()}
    return shares_told(said, slices, config.threshold)


def shares_told(known: dict[str, torch.Tensor], slices: WholeSlices, threshold: float) -> dict:
    """The figures of `view_figures`, from the log-probabilities of the known classes `(n,)`, by name of the view."""
    patients = [volume[0] for volume in slices.volumes]
    volumes = list(dict.fromkeys(slices.volumes))
    place = torch.tensor([volumes.index(volume) for volume in slices.volumes])
    counts = torch.bincount(place)
    group = {}
    for name, values in known.items():
        told = values < threshold
        of_volumes = torch.zeros(len(volumes)).index_add(0, place, values) / counts < threshold
        begin = "refused" if name == "upright" else f"told_{name}"
        group[f"{begin}_slice"] = share_figure(told, patients)
        group[f"{begin}_volume"] = share_figure(of_volumes, [volume[0] for volume in volumes])
        for level in ("basal", "mid", "apical") if name in ("half", "mirrored") else ():
            where = [i for i, own in enumerate(slices.levels) if own == level]
            if where:
                group[f"{begin}_{level}"] = share_figure(told[where], [patients[i] for i in where])
    return group | {"slices": len(patients), "volumes": len(volumes)}
