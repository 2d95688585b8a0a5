"""A stack of slices in millimetres, whatever file it came from."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from zoo.errors import ZooError

MIN_SIDE, MAX_SIDE = 0.01, 50.0  # mm that a voxel of a body can have


@dataclass(frozen=True)
class Stored:
    """How a file's array `(i, j, k, …)` lies, and what turned it.

    Args:
        order: The stored axes that became columns, rows and slices.
        flips: Whether each of these was flipped.
        sides: Of a voxel along the stored axes in mm.
    """

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    sides: tuple[float, float, float]

    def turn(self, voxels: np.ndarray) -> np.ndarray:
        """A stored array as columns, rows and slices."""
        turned = voxels.transpose(*self.order, *range(3, voxels.ndim))
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def turn_back(self, voxels: np.ndarray) -> np.ndarray:
        """Columns, rows and slices as they were stored."""
        flipped = voxels[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]
        return flipped.transpose(*np.argsort(self.order), *range(3, voxels.ndim))


@dataclass
class Volume:
    """A stack of slices.

    Args:
        voxels: `(slices, height, width)`, or `(frames, slices, height, width)` of a cine series.
        spacing: Row and column spacing in mm.
        thickness: Distance of the slices in mm.
        affine: `(4, 4)`: the indices of column, row and slice to the patient's mm, to the right, to the front and up;
            `None` where the orientation is unknown.
        notes: What a user should know of how it was read, a sentence each.
        stored: How its file has it; `None` if it is not known.
    """

    voxels: np.ndarray
    spacing: tuple[float, float]
    thickness: float
    affine: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    stored: Stored | None = None

    def check_image(self, path) -> None:
        """Raises a `ZooError` that names `path` if the values are not finite or all the same."""
        if not np.isfinite(self.voxels).all():
            raise ZooError(f"{path}: has NaN or infinite values; expected finite intensities")
        if self.voxels.min() == self.voxels.max():
            raise ZooError(f"{path}: all values are {self.voxels.flat[0]}; expected an image")

    def content_hashes(self) -> set[bytes]:
        """SHA-256 of every slice as float32, without the constant ones, which are alike in everybody."""
        slices = self.voxels.reshape(-1, *self.voxels.shape[-2:])
        slices = (np.ascontiguousarray(image, dtype=np.float32) for image in slices)
        return {hashlib.sha256(image.tobytes()).digest() for image in slices if image.min() < image.max()}

    def frame(self, index: int) -> "Volume":
        """One frame of a cine series, from 0; a stack is its own only frame."""
        voxels = self.voxels[index] if self.voxels.ndim == 4 else self.voxels[None][index]
        return Volume(voxels, self.spacing, self.thickness, self.affine, self.notes, self.stored)

    @property
    def num_frames(self) -> int:
        return len(self.voxels) if self.voxels.ndim == 4 else 1

    def lies_on(self, image: "Volume") -> str | None:
        """Why this mask does not lie on an image, or `None` if it does.

        Affines may differ by 1 % and 1° and by half a voxel; of two without orientation the shapes are compared.
        """
        if self.voxels.shape[-3:] != image.voxels.shape[-3:]:
            return f"shape {self.voxels.shape[::-1]}; expected its image's {image.voxels.shape[::-1]}"
        if self.affine is None or image.affine is None:
            return None
        sides = np.linalg.norm(image.affine[:3, :3], axis=0)
        # The corner that is moved most, in voxels of the image
        far = np.array([*np.subtract(image.voxels.shape[:-4:-1], 1), 1])
        corners = np.array([[0, 0, 0, 1], far])
        moved = np.abs((self.affine - image.affine) @ corners.T)[:3].max(axis=0)
        allowed = 0.5 * sides.min() + 0.01 * np.array([0, (far[:3] * sides).max()])
        if (moved > allowed).any():
            return f"an affine that lies {moved.max():.3g} mm beside its image's; expected the same"
        return None
