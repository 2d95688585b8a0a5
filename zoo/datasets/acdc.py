"""ACDC: cine short-axis MRI of 150 patients in five groups, with masks at end-diastole and end-systole."""

import os
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from zoo import png
from zoo.datasets.acdc_files import find_patients, read_cine, read_frames, read_info
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.nifti import Volume
from zoo.datasets.presets import Preset, get_preset
from zoo.datasets.resample import intensity_window, resample_slice
from zoo.datasets.schema import CARDIAC_FEATURES, PATHOLOGIES, PHASES, SPLITS, slice_level
from zoo.datasets.sources import read_all
from zoo.datasets.splits import find_duplicates, split_groups
from zoo.errors import ZooError
from zoo.sources import ACDC


@dataclass
class Patient:
    """A patient's rows, and the hashes of the slices that they come from."""

    pathology: str
    rows: list[dict]
    hashes: set[bytes]


def build_acdc(
    source: str | os.PathLike,
    preset: str = "acdc-64",
    *,
    all_frames: bool = False,
    skip_bad: bool = False,
    num_proc: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> BuiltDataset:
    """Builds the ACDC slices of one preset from the official download.

    The heart-centred presets centre all frames of a patient on the centroid of all its masks, so that ED, ES and the
    cine frames between lie on one grid; without masks, on where the image moves most. `image[row, column]` is
    `array[column, row]` of the file: the usual view with the right ventricle on the left; spacings are (row, column).

    Official testing patients are `test`. The training patients are divided 80/20 into `train` and `validation` within
    each pathology, in an order drawn by hashing the patient ids, so that an id has the same split in every complete
    download. Patients who share a slice go to the same split; a training patient who shares one with a testing patient
    is left out and listed as skipped, so that the test set stays the official one.

    Args:
        source: The folder or zip file that holds `training/` and, if at hand, `testing/`.
        preset: `acdc-64`, `acdc-128` or `acdc-180`.
        all_frames: Takes every cine frame of `patientNNN_4d.nii.gz`; frames other than ED and ES have no mask and the
            phase −1, the datasets library's mark for "no label".
        skip_bad: Leaves patients with unusable files out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Patients read at the same time.
        seed: Of the division into `train` and `validation`.
        progress: Shows a progress bar.

    Raises:
        ZooError: If the source is not ACDC, or a patient's files are unusable; the message names file and field.
    """
    preset = get_preset(preset, "acdc")
    folders = find_patients(source)
    patients, bad = read_all(
        lambda folder: read_patient(folder, preset, all_frames),
        {folder.name: folder for part in folders.values() for folder in part},
        source=source,
        title=f"ACDC to {preset.name}",
        num_proc=num_proc,
        skip_bad=skip_bad,
        progress=progress,
    )
    skipped = [{"patient_id": entry["item"], "reason": entry["reason"]} for entry in bad]

    testing = {folder.name for folder in folders["testing"]} & patients.keys()
    duplicates = find_duplicates({name: patient.hashes for name, patient in patients.items()})
    for group in duplicates:
        if tested := sorted(testing.intersection(group)):
            for name in sorted(set(group) - testing):
                del patients[name]
                skipped.append({"patient_id": name, "reason": f"same images as {', '.join(tested)} of testing/"})
    pathologies = {name: patient.pathology for name, patient in patients.items() if name not in testing}
    split_of = split_groups(pathologies, {"validation": 0.2, "train": 0.8}, seed, together=duplicates)
    split_of.update(dict.fromkeys(testing, "test"))

    rows = {split: [] for split in SPLITS}
    for name in sorted(patients):
        rows[split_of[name]].extend(patients[name].rows)
    info = {
        "name": "ACDC",
        "preset": preset.name,
        "seed": seed,
        "duplicates": duplicates,
        "skipped": skipped,
        "license": ACDC.license,
        "citation": ACDC.citation,
        "preprocessing": {
            "size": preset.size,
            "spacing_mm": preset.spacing,
            "percentiles": list(preset.percentiles),
            "center": "centroid of the patient's masks" if preset.heart_centred else "image centre",
            "images": "bilinear with Gaussian prefilter",
            "masks": "nearest neighbour",
            "all_frames": all_frames,
        },
    }
    return assemble(rows, CARDIAC_FEATURES, info)


def read_patient(folder, preset: Preset, all_frames: bool = False) -> Patient:
    """Reads one patient's folder into rows.

    Raises:
        ZooError: If a file is missing or unusable; the message names it.
    """
    info = read_info(folder)
    frames, masks = read_frames(folder, info)
    find_motion = preset.heart_centred and not any(mask.any() for mask in masks.values())
    cine = read_cine(folder, info, frames[info.ed]) if all_frames or find_motion else None
    if all_frames and cine is None:
        raise ZooError(f"{folder}/{folder.name}_4d.nii.gz: not found; expected the cine series for all frames")

    hashes = set().union(*(volume.content_hashes() for volume in frames.values()))
    center = None
    if find_motion:
        center = motion_center([volume.voxels for volume in (cine or frames).values()])
    elif preset.heart_centred:
        center = mask_center(masks.values())
    if all_frames:
        frames = cine | frames
    phases = {info.ed: PHASES.index("ED"), info.es: PHASES.index("ES")}
    rows = []
    for number, volume in sorted(frames.items()):
        common = {
            "patient_id": folder.name,
            "frame": number,
            "phase": phases.get(number, -1),
            "pathology": PATHOLOGIES.index(info.pathology),
            "height": info.height,
            "weight": info.weight,
        }
        try:
            slices = frame_rows(volume, masks.get(number), preset, center, basal_first(masks.values()))
        except ValueError as error:
            raise ZooError(f"{folder}: frame {number}: {error}; expected an image with contrast") from error
        rows += [common | row for row in slices]
    return Patient(info.pathology, rows, hashes)


def frame_rows(
    volume: Volume, mask: np.ndarray | None, preset: Preset, center: tuple[float, float] | None, basal_first: bool
) -> list[dict]:
    """One row a slice of a frame, in the file's order, without the columns that are the patient's.

    Args:
        volume: The frame.
        mask: `(slices, height, width)`, or `None`.
        preset: Size, spacing and intensity window of the stored slices.
        center: Row and column index that becomes the centre; `None` for the image's.
        basal_first: Whether the first slice is the one nearest the base.

    Raises:
        ValueError: If the volume has no contrast within the preset's percentiles.
    """
    voxels = intensity_window(volume.voxels, preset.percentiles)
    count, height, width = voxels.shape
    grid = {
        "size": preset.size,
        "new_spacing": preset.spacing,
        "center": center or ((height - 1) / 2, (width - 1) / 2),
    }
    rows = []
    for index in range(count):
        image = resample_slice(voxels[index], volume.spacing, **grid)
        label = None if mask is None else resample_slice(mask[index], volume.spacing, **grid, order=0)
        row = {
            "image": png.encode(png.to_uint8(image)),
            "mask": png.encode(label),
            "slice_index": index,
            "num_slices": count,
            "slice_level": slice_level(index if basal_first else count - 1 - index, count),
            "pixel_spacing": [preset.spacing, preset.spacing],
            "original_spacing": list(volume.spacing),
            "slice_thickness": volume.thickness,
        }
        rows.append(row)
    return rows


def mask_center(masks: Collection[np.ndarray]) -> tuple[float, float]:
    """Row and column of the centroid of all heart labels in masks `(slices, height, width)`, not all empty."""
    return ndimage.center_of_mass(sum((mask > 0).sum(axis=0) for mask in masks))


def motion_center(frames: list[np.ndarray]) -> tuple[float, float] | None:
    """Where the image moves most, the heart: the centroid of the 5 % of pixels that vary most over time.

    On ACDC's ED and ES frames alone it lies about 11 mm from the masks' centroid (median), the image centre 25 mm.

    Args:
        frames: Volumes `(slices, height, width)` of one heartbeat.

    Returns:
        Row and column, or `None` if nothing moves.
    """
    motion = np.stack(frames).astype(np.float32).std(axis=0).mean(axis=0)
    if motion.max() == 0:
        return None
    motion = ndimage.gaussian_filter(motion, 5)
    return ndimage.center_of_mass(motion * (motion >= np.quantile(motion, 0.95)))


def basal_first(masks: Collection[np.ndarray]) -> bool:
    """Whether a stack begins at the base, where the heart's outline is larger than at the apex.

    Without masks, or when both ends are equal, `True`: the order of ACDC's files.
    """
    areas = sum((mask > 0).sum(axis=(1, 2)) for mask in masks) if masks else np.zeros(2)
    half = len(areas) // 2
    return bool(areas[:half].sum() >= areas[len(areas) - half :].sum())
