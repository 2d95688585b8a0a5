"""From the axes of a file to the patient's: one turn for every reader, never a mirror.

Slices are shown as viewers show them. Each axis of a slice is given the patient's axis that it runs along most. The two
are flipped to run to the patient's left, back or feet, and the one that comes first in that order becomes the columns:
axial slices have columns to the left and rows to the back, and a short-axis slice, which is oblique, may lie nearer
to a coronal or a sagittal one. In all three the viewer looks along the heart from the apex to the base, so that the
right ventricle stays on the left. Slices run that way too, so that the stack is never a mirror image.
"""

from itertools import permutations

import numpy as np

from zoo.datasets.volume import MAX_SIDE, MIN_SIDE, Stored, Volume
from zoo.errors import ZooError

TIE = 1e-3  # of the summed cosines
COARSER = 1.2  # a stack's slices lie at least this much farther apart than pixels do, or the file's third axis counts


def to_patient(
    voxels: np.ndarray,
    affine: np.ndarray | None,
    spacing,
    path,
    notes: list[str] | None = None,
    stack: int | None = None,
) -> Volume:
    """Turns a file's array to the patient's axes.

    Args:
        voxels: `(i, j, k)` or `(i, j, k, frames)`, as the file stores them.
        affine: `(4, 4)`, the indices `(i, j, k)` to mm to the right, front and head; `None` leaves slices as they are
            stored, their first axis along the columns.
        spacing: Of the three axes in mm.
        path: For the error message.
        notes: What is already to be said of the file.
        stack: The axis along which slices are stacked, where the file says so; found by `stack_axis` if `None`.

    Raises:
        ZooError: If a spacing is no length of a body's voxels, the axes are skewed, or two turns are equally near.
    """
    notes, spacing = list(notes or []), np.asarray(spacing, dtype=float)
    if not ((spacing >= MIN_SIDE) & (spacing <= MAX_SIDE)).all():
        sides = " x ".join(f"{side:g}" for side in spacing)
        raise ZooError(f"{path}: voxels of {sides} mm; expected {MIN_SIDE:g} to {MAX_SIDE:g} mm a side")
    stack = stack_axis(spacing, voxels.shape) if stack is None else stack
    if affine is None:
        order, flips = [axis for axis in range(3) if axis != stack] + [stack], [False, False, stack == 1]  # no mirror
        notes.append("orientation unknown: shown as it is stored, without a flip")
    else:
        affine = np.asarray(affine, dtype=float)
        order, flips = turn(affine, stack, path)
    stored = Stored(tuple(order), tuple(flips), tuple(spacing.tolist()))
    turned = stored.turn(voxels)
    thickness = float(spacing[order[2]])
    if affine is not None:
        matrix = np.eye(4)
        matrix[:, :3] = affine[:, order]
        last = np.array(turned.shape[:3]) - 1
        matrix[:3, 3] = affine[:3, 3] + sum(matrix[:3, axis] * last[axis] for axis in range(3) if flips[axis])
        matrix[:3, :3] *= np.where(flips, -1, 1)
        affine = matrix
        normal = np.cross(matrix[:3, 0], matrix[:3, 1])
        normal /= np.linalg.norm(normal)
        along = abs(float(normal @ matrix[:3, 2])) / np.linalg.norm(matrix[:3, 2])
        if along < np.cos(np.radians(1)):
            notes.append(f"slices are stacked {np.degrees(np.arccos(along)):.0f}° beside their normal")
            thickness *= along  # their distance
    return Volume(turned.T, (float(spacing[order[1]]), float(spacing[order[0]])), thickness, affine, notes, stored)


def turn(affine: np.ndarray, stack: int, path) -> tuple[list[int], list[bool]]:
    """Which of the 48 orientations brings an array's axes nearest to the patient's.

    Returns:
        The stored axes that become columns, rows and slices, and whether each is flipped.

    Raises:
        ZooError: If the two axes of a slice are not at right angles, or two turns are equally near.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)  # [patient's axis, stored axis]
    plane = [axis for axis in range(3) if axis != stack]
    if abs(directions[:, plane[0]] @ directions[:, plane[1]]) > np.sin(np.radians(1)):
        raise ZooError(f"{path}: rows and columns are not at right angles; expected an affine without shear")
    cosines = -directions  # to the left, back and feet
    found = []
    for patients in permutations(range(3)):  # the patient's axis of each stored one
        nearness = sum(abs(cosines[patients[axis], axis]) for axis in range(3))
        columns, rows = sorted(plane, key=lambda axis: patients[axis])
        flips = [bool(cosines[patients[axis], axis] < 0) for axis in (columns, rows)]
        found.append((nearness, (columns, rows), tuple(flips)))
    found.sort(reverse=True)
    best = found[0]
    if any(best[0] - other[0] < TIE and other[1:] != best[1:] for other in found[1:]):
        raise ZooError(f"{path}: lies at 45° between the patient's axes; expected an orientation nearer to one of them")
    (columns, rows), flips = best[1], list(best[2])
    handed = np.linalg.det(directions[:, [columns, rows, stack]])  # the slices complete a right-handed system
    return [columns, rows, stack], [*flips, bool(handed * (-1) ** sum(flips) < 0)]


def stack_axis(spacing: np.ndarray, shape) -> int:
    """The axis along which slices are stacked: the only one of a single voxel, or the coarsest, or the third."""
    single = [axis for axis in range(3) if shape[axis] == 1]
    if len(single) == 1:
        return single[0]
    coarsest = int(np.argmax(spacing))
    others = np.delete(spacing, coarsest).max()
    return coarsest if spacing[coarsest] > COARSER * others else 2


def angle_between(one: np.ndarray, other: np.ndarray) -> float:
    """The largest angle in degrees between the same axes of two affines."""
    one, other = (matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0) for matrix in (one, other))
    return float(np.degrees(np.arccos(np.clip((one * other).sum(axis=0).min(), -1, 1))))
