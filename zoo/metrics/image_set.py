"""A set of 8-bit images and what is independent among them: the one thing that every group of the protocol measures."""

from dataclasses import dataclass

import torch

from zoo.datasets import BuiltDataset
from zoo.datasets import images as images_of
from zoo.errors import ZooError


@dataclass(frozen=True)
class ImageSet:
    """Images with an id for each.

    Args:
        images (`torch.Tensor` of shape `(n, channels, height, width)`): uint8, as a PNG holds them.
        ids (`list[str]` of length `n`): The patient of each image; the image itself where no patients are known.
    """

    images: torch.Tensor
    ids: list[str]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, indices: torch.Tensor) -> "ImageSet":
        return ImageSet(self.images[indices], [self.ids[i] for i in indices.tolist()])

    @property
    def floats(self) -> torch.Tensor:
        """The images as float32 in [0, 1]."""
        return self.images.float() / 255


def of_samples(images: torch.Tensor) -> ImageSet:
    """Samples of a generator, `(n, channels, height, width)` uint8, each independent of the others."""
    return ImageSet(images, [str(i) for i in range(len(images))])


def from_split(data: BuiltDataset, split: str) -> ImageSet:
    """The images of a split with their patients; patients known to hold the same images count as one.

    Raises:
        ZooError: If there is no such split, or all its images are constant.
    """
    if split not in data.dataset:
        raise ZooError(f"dataset {data.info['name']}: no split {split!r}, it has {', '.join(data.dataset)}")
    rows = data.dataset[split]
    images = torch.from_numpy(images_of(rows)).permute(0, 3, 1, 2).contiguous()
    check_contrast(images, f"dataset {data.info['name']}, split {split}")
    column = next((name for name in ("patient_id", "lesion_id") if name in rows.column_names), None)
    ids = [str(item) for item in rows[column][:]] if column else [f"{split}/{i}" for i in range(len(rows))]
    same = {patient: group[0] for group in data.info.get("duplicates", []) for patient in group}
    return ImageSet(images, [same.get(item, item) for item in ids])


def masks_of(rows) -> torch.Tensor:
    """The masks of rows that have them: uint8 `(n, height, width)`."""
    return torch.from_numpy(images_of(rows, "mask")[..., 0])


def volumes_of(images: ImageSet, rows) -> list[tuple]:
    """The volume of each image of some rows, its id first: the slices of a frame of a patient, where these are known.

    An image of which neither patient nor frame is known is a volume of its own.
    """
    parts = [rows[column][:] for column in ("patient_id", "frame") if column in rows.column_names]
    return list(zip(images.ids, *(parts or [range(len(rows))]), strict=True))  # twins share an id


def from_floats(images: torch.Tensor, name: str) -> torch.Tensor:
    """Images in [0, 1] rounded to the 8 bits that a PNG would keep, since the real images have no more.

    Raises:
        ZooError: If a number is NaN or infinite.
    """
    if not torch.isfinite(images).all():
        broken = (~torch.isfinite(images)).flatten(1).any(1).sum().item()
        raise ZooError(f"{name}: {broken} of {len(images)} images hold NaN or infinite values")
    return (images.float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()


def check_contrast(images: torch.Tensor, name: str) -> None:
    """Raises `ZooError` if not one image has two different pixels."""
    flat = images.flatten(1)
    if (flat == flat[:, :1]).all():
        raise ZooError(f"{name}: every image is constant, there is nothing to measure")
