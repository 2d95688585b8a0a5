"""ACDC: cine short-axis MRI of 150 patients in five groups, with masks at end-diastole and end-systole."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import datasets
import numpy as np
from scipy import ndimage
from tqdm.auto import tqdm

from zoo.datasets import png
from zoo.datasets.acdc_files import PATHOLOGIES, Volume, find_nifti, find_patients, read_image, read_info, read_mask
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.presets import Preset, get_preset
from zoo.datasets.resample import intensity_window, resample_slice
from zoo.datasets.splits import find_duplicates, share_out
from zoo.errors import ZooError

PHASES = ["ED", "ES"]
LEVELS = ["basal", "mid", "apical"]
LICENSE = "cc-by-nc-sa-4.0"
CITATION = (
    'O. Bernard, A. Lalande, C. Zotti, F. Cervenansky, et al. "Deep Learning Techniques for Automatic MRI Cardiac '
    'Multi-structures Segmentation and Diagnosis: Is the Problem Solved?" IEEE Transactions on Medical Imaging '
    "37(11):2514-2525, 2018. doi:10.1109/TMI.2018.2837502"
)

_SPACING = datasets.List(datasets.Value("float32"), length=2)
FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "mask": datasets.Image(),
        "patient_id": datasets.Value("string"),
        "frame": datasets.Value("int32"),
        "phase": datasets.ClassLabel(names=PHASES),
        "pathology": datasets.ClassLabel(names=PATHOLOGIES),
        "slice_index": datasets.Value("int32"),
        "num_slices": datasets.Value("int32"),
        "slice_level": datasets.ClassLabel(names=LEVELS),
        "pixel_spacing": _SPACING,
        "original_spacing": _SPACING,
        "slice_thickness": datasets.Value("float32"),
        "height": datasets.Value("float32"),
        "weight": datasets.Value("float32"),
    }
)


@dataclass
class Patient:
    """A patient's rows, and the hashes of the slices they come from."""

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
    cine frames between lie on one grid. `image[row, column]` is `array[column, row]` of the file: the usual view with
    the right ventricle on the left; both spacings are (row, column). Official testing patients are `test`; the training
    patients are divided 80/20 into `train` and `validation` within each pathology, in an order drawn by hashing the
    patient ids, so that an id has the same split in every complete download. Patients who share a slice go to the same
    split; a training patient who shares one with a testing patient is left out and listed as skipped.

    Args:
        source: The folder or zip file that holds `training/` and, if at hand, `testing/`.
        preset: `acdc-64`, `acdc-128` or `acdc-180`.
        all_frames: Takes every cine frame of `patientNNN_4d.nii.gz`; frames other than ED and ES have phase −1 (datasets'
            mark for "no label") and no mask.
        skip_bad: Leaves patients with unusable files out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Patients read at the same time.
        seed: Of the division into `train` and `validation`.
        progress: Shows a progress bar.

    Raises:
        ZooError: If the source is not ACDC, or a patient's files are unusable; the message names file and field.
    """
    preset = get_preset(preset, "acdc")
    folders = find_patients(source)

    def read(folder):
        try:
            return read_patient(folder, preset, all_frames)
        except ZooError as error:
            if not skip_bad:
                raise
            return error

    with ThreadPoolExecutor(num_proc) as pool:  # decompression, filters and PNG coding all run outside Python's lock
        jobs = {folder.name: pool.submit(read, folder) for folder in (*folders["training"], *folders["testing"])}
        try:
            results = {
                patient: job.result()
                for patient, job in tqdm(jobs.items(), f"ACDC to {preset.name}", unit="patient", disable=not progress)
            }
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, don't read the rest first

    skipped = [
        {"patient_id": name, "reason": str(error)} for name, error in results.items() if isinstance(error, ZooError)
    ]
    patients = {name: patient for name, patient in results.items() if not isinstance(patient, ZooError)}
    testing = {folder.name for folder in folders["testing"]} & patients.keys()
    duplicates = find_duplicates({name: patient.hashes for name, patient in patients.items()})
    for group in duplicates:
        for name in set(group) - testing if testing & set(group) else ():
            del patients[name]
            skipped.append({"patient_id": name, "reason": f"same images as testing {', '.join(testing & set(group))}"})
    split_of = split_patients({n: p.pathology for n, p in patients.items() if n not in testing}, duplicates, seed)
    split_of.update(dict.fromkeys(testing, "test"))

    rows = {split: [] for split in ("train", "validation", "test")}
    for name in sorted(patients):
        rows[split_of[name]].extend(patients[name].rows)
    info = {
        "name": "ACDC",
        "preset": preset.name,
        "seed": seed,
        "duplicates": duplicates,
        "skipped": skipped,
        "license": LICENSE,
        "citation": CITATION,
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
    return assemble(rows, FEATURES, info)


def read_patient(folder, preset: Preset, all_frames: bool = False) -> Patient:
    """Reads one patient's folder into rows.

    Raises:
        ZooError: If a file is missing or unusable; the message names it.
    """
    info = read_info(folder)
    patient = folder.name
    phases = {info.ed: 0, info.es: 1}
    frames, masks = {}, {}
    for frame in phases:
        stem = f"{patient}_frame{frame:02d}"
        image_path, mask_path = find_nifti(folder, stem), find_nifti(folder, f"{stem}_gt")
        if image_path is None:
            raise ZooError(f"{folder / stem}.nii.gz: not found; Info.cfg says that ED is {info.ed} and ES is {info.es}")
        if mask_path is None:
            raise ZooError(f"{folder / stem}_gt.nii.gz: not found; expected the mask of frame {frame}")
        frames[frame] = read_image(image_path)
        masks[frame] = read_mask(mask_path, frames[frame])
    if all_frames:
        frames = {**cine_frames(folder, phases), **frames}

    center = None
    if preset.heart_centred:
        center = mask_center(masks.values()) or temporal_center([volume.voxels for volume in frames.values()])
    rows = []
    for frame in sorted(frames):
        rows += frame_rows(
            frames[frame],
            masks.get(frame),
            preset,
            center,
            basal_first(masks.values()),
            {
                "patient_id": patient,
                "frame": frame,
                "phase": phases.get(frame, -1),
                "pathology": PATHOLOGIES.index(info.pathology),
                "height": info.height,
                "weight": info.weight,
            },
        )
    hashes = {
        hashlib.sha256(np.ascontiguousarray(image, dtype=np.float32).tobytes()).digest()
        for frame in phases
        for image in frames[frame].voxels
        if image.min() < image.max()  # empty slices are alike in everybody
    }
    return Patient(info.pathology, rows, hashes)


def cine_frames(folder, phases: dict[int, int]) -> dict[int, Volume]:
    """The frames of `patientNNN_4d.nii.gz`, numbered from 1.

    Raises:
        ZooError: If the series is missing or ends before ED or ES.
    """
    path = find_nifti(folder, f"{folder.name}_4d")
    if path is None:
        raise ZooError(f"{folder / folder.name}_4d.nii.gz: not found; expected the cine series for all frames")
    series = read_image(path, dimensions=4)
    if len(series.voxels) < max(phases):
        raise ZooError(f"{path}: {len(series.voxels)} frames; Info.cfg expects at least {max(phases)}")
    return {i: Volume(voxels, series.spacing, series.thickness) for i, voxels in enumerate(series.voxels, start=1)}


def frame_rows(volume: Volume, mask, preset: Preset, center, basal_first: bool, common: dict) -> list[dict]:
    """One row a slice of a frame, in the file's order.

    Args:
        volume: The frame.
        mask: `(slices, height, width)`, or `None`.
        preset: Size, spacing and intensity window of the stored slices.
        center: Row and column index that becomes the centre; `None` for the image's.
        basal_first: Whether the first slice is the one nearest the base.
        common: The columns that all rows share.
    """
    voxels = intensity_window(volume.voxels, preset.percentiles)
    count, *shape = voxels.shape
    grid = {
        "size": preset.size,
        "new_spacing": preset.spacing,
        "center": center or [(side - 1) / 2 for side in shape],
    }
    rows = []
    for index in range(count):
        image = resample_slice(voxels[index], volume.spacing, **grid)
        label = None if mask is None else resample_slice(mask[index], volume.spacing, **grid, order=0)
        from_base = index if basal_first else count - 1 - index
        rows.append(
            {
                **common,
                "image": png.encode(png.to_uint8(image)),
                "mask": png.encode(label),
                "slice_index": index,
                "num_slices": count,
                "slice_level": from_base * len(LEVELS) // count,
                "pixel_spacing": [preset.spacing, preset.spacing],
                "original_spacing": list(volume.spacing),
                "slice_thickness": volume.thickness,
            }
        )
    return rows


def mask_center(masks) -> tuple[float, float] | None:
    """Row and column of the centroid of all heart labels in all masks `(slices, height, width)`; `None` if there are none."""
    count = sum((mask > 0).sum(axis=0) for mask in masks)
    return ndimage.center_of_mass(count) if count.any() else None


def temporal_center(frames: list[np.ndarray]) -> tuple[float, float] | None:
    """Where the image moves most, the heart: row and column of the centroid of the top 2 % of the standard deviation over time.

    Args:
        frames: Volumes `(slices, height, width)` of one heartbeat.

    Returns:
        `None` if nothing moves.
    """
    motion = ndimage.gaussian_filter(np.stack(frames).astype(np.float32).std(axis=0).mean(axis=0), 2)
    if motion.min() == motion.max():
        return None
    return ndimage.center_of_mass(motion * (motion >= np.quantile(motion, 0.98)))


def basal_first(masks) -> bool:
    """Whether the stack begins at the base, the end where the heart's outline is larger; `True`, ACDC's habit, if in doubt."""
    areas = sum((mask > 0).sum(axis=(1, 2)) for mask in masks)
    half = len(areas) // 2
    return areas[:half].sum() >= areas[len(areas) - half :].sum()


def split_patients(pathologies: dict[str, str], duplicates: list[list[str]], seed: int) -> dict[str, str]:
    """Divides patients 80/20 into train and validation within each pathology, duplicates together.

    Args:
        pathologies: Of each patient.
        duplicates: Groups of patients with common images; ids that are not in `pathologies` are ignored.
        seed: Of the division.
    """
    leader = {patient: group[0] for group in duplicates for patient in group}
    groups = {}
    for patient in sorted(pathologies):
        groups.setdefault(leader.get(patient, patient), []).append(patient)
    split_of = {}
    for pathology in PATHOLOGIES:
        sizes = {name: len(group) for name, group in groups.items() if pathologies[group[0]] == pathology}
        for name, split in share_out(sizes, {"validation": 0.2, "train": 0.8}, seed).items():
            split_of.update(dict.fromkeys(groups[name], split))
    return split_of
