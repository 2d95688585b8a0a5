"""Datasets as tensors, and the augmentation of a batch."""

import math

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from common.pixels import pixels_of
from zoo.errors import ZooError
from zoo.warp import rotation_grid


class ImageTensors(Dataset):
    """One split of a built dataset: 8-bit images and the class indices of some conditions.

    An item is a dict of `image`, `(channels, height, width)` uint8, and `labels`, `(num_conditions,)` int64, where the
    number of classes stands for a row that leaves the condition open.

    Args:
        split (`datasets.Dataset`): The rows.
        class_names (`dict[str, list[str]]`): Names of the classes, by condition. A condition that the rows lack is left
            open in all of them.

    Raises:
        ZooError: If the split is empty or holds a class that is not among the names.
    """

    def __init__(self, split, class_names: dict[str, list[str]]):
        if len(split) == 0:
            raise ZooError("dataset: expected at least one image in every split that training uses")
        self.images = pixels_of(split)
        self.labels = labels_of(split, class_names)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"image": self.images[index], "labels": self.labels[index]}


def labels_of(split, class_names: dict[str, list[str]]) -> torch.Tensor:
    """Class indices of the rows of a split, `(n, num_conditions)` int64, as in `ImageTensors`.

    Raises:
        ZooError: If a row has a class that is not among the names.
    """
    columns = [_column(split, name, names) for name, names in class_names.items()]
    return torch.tensor(columns, dtype=torch.int64).reshape(len(columns), len(split)).T.contiguous()


def _column(split, name: str, names: list[str]) -> list[int]:
    if name not in split.column_names:
        return [len(names)] * len(split)
    own = split.features[name].names
    if strange := sorted(set(own) - set(names)):
        raise ZooError(f"dataset: column '{name}' has class '{strange[0]}', the model knows {', '.join(names)}")
    return [len(names) if value is None or value < 0 else names.index(own[value]) for value in split[name]]


def split_of(built, name: str):
    """One split of a built dataset.

    Raises:
        ZooError: If the dataset has no such split.
    """
    if name not in built.dataset:
        raise ZooError(f"dataset: expected a split '{name}', found {', '.join(built.dataset)}")
    return built.dataset[name]


def check_enough(data: ImageTensors, figure: str, least: int = 2) -> None:
    """Makes sure that a validation set is large enough for the figure that decides which weights are kept.

    Raises:
        ZooError: If not.
    """
    if len(data) < least:
        raise ZooError(f"dataset: expected at least {least} images in split 'validation' for {figure}, got {len(data)}")


def class_names_of(split, conditions: list[str]) -> dict[str, list[str]]:
    """The classes of each condition, from the columns of a split.

    Raises:
        ZooError: If a condition is no class column of the dataset.
    """
    for name in conditions:
        if not hasattr(split.features.get(name), "names"):
            known = [key for key, feature in split.features.items() if hasattr(feature, "names")]
            raise ZooError(f"recipe: condition '{name}' is no class column of the dataset, which has {known}")
    return {name: list(split.features[name].names) for name in conditions}


def class_frequencies(labels: torch.Tensor, class_names: dict[str, list[str]]) -> dict[str, list[float]]:
    """The share of each class among the rows that have one, by condition; `labels` as in `ImageTensors`."""
    shares = {}
    for column, (name, names) in enumerate(class_names.items()):
        counts = torch.bincount(labels[:, column], minlength=len(names) + 1)[: len(names)]
        shares[name] = (counts / counts.sum().clamp(min=1)).tolist()
    return shares


def take_frequencies(network, labels: torch.Tensor, class_names: dict[str, list[str]]) -> None:
    """Tells a network that goes on with other images how often their classes are: samples are drawn as often, in place.

    A condition that all of them leave open keeps what it had; `labels` as in `ImageTensors`.
    """
    found = {name: shares for name, shares in class_frequencies(labels, class_names).items() if any(shares)}
    if found:
        network.register_to_config(class_frequencies=network.config.class_frequencies | found)


def pixel_spacing(split) -> float | None:
    """Side of a pixel in millimetres, or `None` where the dataset does not know it."""
    return float(split[0]["pixel_spacing"][0]) if "pixel_spacing" in split.column_names else None


def check_fits(pipe, name: str, data: ImageTensors) -> None:
    """Makes sure that a pipeline to go on from makes images like those of the data.

    Raises:
        ZooError: If size or channels differ.
    """
    channels, size = data.images.shape[1:3]
    if (pipe.sample_size, pipe.num_channels) != (size, channels):
        raise ZooError(
            f"{name}: makes {pipe.sample_size} pixels and {pipe.num_channels} channels, "
            f"the dataset has {size} and {channels}"
        )


def to_network(images: torch.Tensor) -> torch.Tensor:
    """8-bit images as the networks see them: float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def augment(images: torch.Tensor, recipe, draw=torch) -> torch.Tensor:
    """Turns, zooms, flips and inverts each image of a batch by an amount of its own.

    Bicubic sampling keeps the sharpness of a 64-pixel heart, and reflection at the border leaves no black corners for
    a generator to learn.

    Args:
        images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [-1, 1].
        recipe: Has `rotation_degrees`, `zoom` (largest relative change of size), `horizontal_flip`, `vertical_flip`
            `augment_probability` (share of the images that are turned and zoomed) and `invert_probability` (share of
            those whose black and white change places).
        draw: What random numbers come from: torch, or the `Draws` of a run.

    Returns:
        `torch.Tensor` of the shape of `images`, in [-1, 1].
    """
    count, device = len(images), images.device
    if recipe.rotation_degrees or recipe.zoom:
        chosen = draw.rand(count, device=device) < recipe.augment_probability
        angle = (draw.rand(count, device=device) * 2 - 1) * math.radians(recipe.rotation_degrees) * chosen
        scale = 1 + (draw.rand(count, device=device) * 2 - 1) * recipe.zoom * chosen
        grid = rotation_grid(angle, scale, images.shape)
        moved = F.grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
        images = torch.where(chosen[:, None, None, None], moved.clamp(-1, 1), images)
    for wanted, axis in ((recipe.horizontal_flip, 3), (recipe.vertical_flip, 2)):
        if wanted:
            turned = draw.rand(count, device=device) < 0.5
            images = torch.where(turned[:, None, None, None], images.flip(axis), images)
    if recipe.invert_probability:
        inverted = draw.rand(count, device=device) < recipe.invert_probability
        images = torch.where(inverted[:, None, None, None], -images, images)
    return images
