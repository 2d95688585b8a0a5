"""Writes patients in ACDC's layout, with its traps."""

from pathlib import Path

import nibabel
import numpy as np


def write_nifti(path: Path, array: np.ndarray, spacing=(1.5, 1.5, 10.0)) -> None:
    """Writes an array as ACDC has it: qform code 0, sform code 2 and a unit matrix that knows no spacing."""
    nifti = nibabel.Nifti1Image(array, np.diag([-1, -1, 1, 1]))
    nifti.header.set_zooms((*spacing, 1.0)[: array.ndim])
    nifti.header.set_qform(None, 0)
    nifti.header.set_sform(np.diag([-1, -1, 1, 1]), 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    nifti.to_filename(path)


def heart(shape=(40, 36, 6), center=(22, 15), spacing=(1.5, 1.5), radius=14.0) -> np.ndarray:
    """A mask `(x, y, slice)` of rings around a cavity, narrowing from the first slice to the last; lengths in mm."""
    x, y = np.indices(shape[:2])
    x, y = (x - center[0]) * spacing[0], (y - center[1]) * spacing[1]
    mask = np.zeros(shape, np.uint8)
    for index in range(shape[2]):
        size = radius * (1 - 0.1 * index)
        mask[..., index][np.hypot(x + size, y) < 0.7 * size] = 1
        mask[..., index][np.hypot(x, y) < size] = 2
        mask[..., index][np.hypot(x, y) < 0.6 * size] = 3
    return mask


def picture_of(mask: np.ndarray, seed: int, dtype=np.int16) -> np.ndarray:
    """A noisy image in which every label has its brightness, of another texture for every seed."""
    image = np.array([20.0, 90.0, 45.0, 110.0])[mask] + np.random.default_rng(seed).uniform(0, 10, mask.shape)
    return image.astype(dtype)


def write_patient(
    folder: Path, *, group="NOR", ed=1, es=3, seed=0, mask=None, spacing=(1.5, 1.5, 10.0), dtype=np.int16, info=None
) -> Path:
    """Writes a patient in ACDC's layout; `info` replaces fields of `Info.cfg`, `None` among its values drops one."""
    fields = {"ED": ed, "ES": es, "Group": group, "Height": "184.0", "NbFrame": 4, "Weight": "95"} | (info or {})
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)
    (folder / "Info.cfg").write_text(text)
    mask = heart(spacing=spacing) if mask is None else mask
    for frame in (ed, es):
        stem = folder / f"{folder.name}_frame{frame:02d}"
        write_nifti(Path(f"{stem}.nii.gz"), picture_of(mask, 100 * seed + frame, dtype), spacing)
        write_nifti(Path(f"{stem}_gt.nii.gz"), mask, spacing)
    return folder
