"""The user's own volumes, NIfTI files or DICOM series, as slices divided by patient."""

from functools import partial
from pathlib import PurePosixPath

import datasets
import numpy as np

from zoo import png
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.dicom import group_series, read_dicom, to_volume
from zoo.datasets.nifti import Volume, read_nifti
from zoo.datasets.resample import intensity_window, resample_slice
from zoo.datasets.schema import SPACING, SPLITS
from zoo.datasets.sources import read_all
from zoo.datasets.splits import FRACTIONS, find_duplicates, split_groups
from zoo.errors import ZooError

PERCENTILES = (0.5, 99.5)
FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "patient_id": datasets.Value("string"),
        "slice_index": datasets.Value("int32"),
        "num_slices": datasets.Value("int32"),
        "pixel_spacing": SPACING,
        "original_spacing": SPACING,
        "slice_thickness": datasets.Value("float32"),
    }
)


def build_volumes(
    files: dict, kind: str, info: dict, *, size: int, spacing: float | None, masks: dict | None = None, **how
) -> BuiltDataset:
    """Builds a dataset of slices. Patients who share a slice share a split.

    Args:
        files: Paths by their name relative to the source.
        kind: `"NIfTI"` or `"DICOM"`.
        info: Name, preset, seed, license and citation.
        size: Side of the stored slices in pixels.
        spacing: Pixel side of the stored grid in mm; `None` fits the largest central square into `size`.
        masks: The path of each file's mask, if there are masks; of NIfTI alone.
        **how: Source, title, num_proc, skip_bad and progress, for `read_all`.

    Raises:
        ZooError: If a file is unusable.
    """
    skipped = []
    if kind == "NIfTI":
        volumes = {name: partial(read_nifti, path, (2, 3), reorient=True) for name, path in files.items()}
        patient_of = {name: nifti_patient(name) for name in files}
    else:
        headers, skipped = read_all(read_dicom, files, **how)
        series = {names[0]: [headers[name] for name in names] for names in group_series(headers)}
        volumes = {name: partial(to_volume, slices, name) for name, slices in series.items()}
        ids = {name: str(slices[0].get("PatientID") or name) for name, slices in series.items()}
        number = {patient: index for index, patient in enumerate(sorted(set(ids.values())), start=1)}
        patient_of = {name: f"patient{number[ids[name]]:03d}" for name in series}

    def read(name):
        volume = volumes[name]()
        volume.check_image(name)
        labels = read_labels(masks[name], volume.voxels.shape) if masks else None
        try:
            return volume.content_hashes(), slice_rows(volume, size, spacing, labels)
        except ValueError as error:
            raise ZooError(f"{name}: {error}; expected an image with contrast") from error

    results, bad = read_all(read, {name: name for name in volumes}, **how)
    contents = {}
    for name, (hashes, _) in results.items():
        contents.setdefault(patient_of[name], set()).update(hashes)
    duplicates = find_duplicates(contents)
    split_of = split_groups(dict.fromkeys(contents), FRACTIONS, info["seed"], together=duplicates)
    rows = {split: [] for split in SPLITS}
    for name, (_, slices) in results.items():
        patient = patient_of[name]
        rows[split_of[patient]] += [{"patient_id": patient} | row for row in slices]
    info = info | {
        "duplicates": duplicates,
        "skipped": skipped + bad,
        "preprocessing": {
            "size": size,
            "spacing_mm": spacing or "largest central square",
            "percentiles": list(PERCENTILES),
            "center": "image centre",
            "images": "bilinear with Gaussian prefilter",
            **({"masks": "nearest neighbour"} if masks else {}),
        },
    }
    features = datasets.Features({**FEATURES, "mask": datasets.Image()}) if masks else FEATURES
    return assemble(rows, features, info)


def nifti_patient(name: str) -> str:
    """The patient of a file: the first folder of its name, or the file's name without ending."""
    path = PurePosixPath(name)
    return path.parts[0] if len(path.parts) > 1 else path.name.removesuffix(".gz").removesuffix(".nii")


def read_labels(path, shape: tuple[int, ...]) -> np.ndarray:
    """The mask of a volume of a shape: uint8 of that shape.

    Raises:
        ZooError: If it has another shape or values that are no labels.
    """
    voxels = read_nifti(path, (2, 3), reorient=True).voxels
    if voxels.shape != shape:
        raise ZooError(f"{path}: mask of shape {voxels.T.shape}; expected its image's {shape[::-1]}")
    if not np.isin(voxels, range(256)).all():
        raise ZooError(f"{path}: has values that are no labels; expected whole numbers from 0 to 255")
    return voxels.astype(np.uint8)


def slice_rows(volume: Volume, size: int, spacing: float | None, labels: np.ndarray | None = None) -> list[dict]:
    """One row a slice, without the patient.

    Args:
        volume: The image.
        size: Side of the stored slices in pixels.
        spacing: As in `build_volumes`.
        labels: The mask, of the shape of the image.

    Raises:
        ValueError: If the volume has no contrast within the percentiles.
    """
    voxels = intensity_window(volume.voxels, PERCENTILES)
    count, height, width = voxels.shape
    new_spacing = spacing or min(height * volume.spacing[0], width * volume.spacing[1]) / size
    center = ((height - 1) / 2, (width - 1) / 2)
    rows = []
    grid = {"size": size, "new_spacing": new_spacing, "center": center}
    for index, image in enumerate(voxels):
        stored = resample_slice(image, volume.spacing, **grid)
        row = {
            "image": png.encode(png.to_uint8(stored)),
            "slice_index": index,
            "num_slices": count,
            "pixel_spacing": [new_spacing, new_spacing],
            "original_spacing": list(volume.spacing),
            "slice_thickness": volume.thickness,
        }
        if labels is not None:
            row["mask"] = png.encode(resample_slice(labels[index], volume.spacing, order=0, **grid))
        rows.append(row)
    return rows
