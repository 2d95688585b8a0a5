"""Sunnybrook Cardiac Data: cine short-axis DICOM of 45 patients, with contours at end-diastole and end-systole."""

import os
import re
from collections import defaultdict
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from skimage.draw import polygon2mask

from zoo.datasets.built import BuiltDataset
from zoo.datasets.content import read_text
from zoo.datasets.dicom import File, SetAside, read_header
from zoo.datasets.dicom_series import check_geometry, to_volume
from zoo.datasets.placement import Segmenter
from zoo.datasets.presets import get_preset
from zoo.datasets.scans import Look, Scan
from zoo.datasets.sources import find_files, open_source, read_all
from zoo.datasets.tables import read_csv
from zoo.datasets.volumes import build_volumes, with_preset
from zoo.errors import ZooError
from zoo.sources import SUNNYBROOK

LAYOUT = "SC-HF-I-01/…/IM-0001-0048.dcm and contours-manual/IRCCI-expert/IM-0001-0048-icontour-manual.txt"
PATIENT = re.compile(r"SC-(HF-I|HF-NI|HYP|N)-0*(\d+)", re.IGNORECASE)
IMAGE = re.compile(r"IM-(\d+)-(\d+)", re.IGNORECASE)
CONTOUR = re.compile(r"IM-(\d+)-(\d+)-([io])contour-manual\.txt", re.IGNORECASE)


def build_sunnybrook(
    source: str | os.PathLike,
    preset: str = "acdc-64",
    *,
    classes: list[str] | None = None,
    phases: list[str] | None = None,
    center: str | None = None,
    segment: Segmenter | None = None,
    skip_bad: bool = False,
    num_proc: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> BuiltDataset:
    """Builds the slices of the frames that have contours, of one preset.

    Contours are polygons in pixels. What lies in the inner one is left ventricle (3), between it and the outer one
    myocardium (2); no right ventricle is outlined, and at end-systole often no outer contour. ED and ES are the frames
    with the largest and the smallest cavity. Pathologies are `NOR`, `HYP`, `HF-I` and `HF-NI` (heart failure with and
    without infarction).

    Args:
        source: The folder or zip file that holds DICOM images and contours of the same patients.
        preset: `acdc-64`, `acdc-128` or `acdc-180`, as models of ACDC were trained on.
        classes: The pathologies to take; `None` takes all.
        phases: `["ED"]` or `["ES"]`; `None` takes both.
        center: Of the heart-centred presets, see `build_folder`.
        segment: Labels slices, for `center="segmenter"`.
        skip_bad: Leaves unusable patients out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Patients read at the same time.
        seed: Of the division 80/10/10 within each pathology.
        progress: Shows a progress bar.

    Raises:
        ZooError: If the source holds no contours, or a patient's files are unusable or do not fit together.
    """
    preset = get_preset(preset, "acdc")
    files = find_files(open_source(source, LAYOUT))
    original = _original_names(files)
    images, contours = defaultdict(dict), defaultdict(lambda: defaultdict(dict))
    for name, path in files.items():
        if (patient := _patient_of(name, original)) is None:
            continue
        last = PurePosixPath(name).name
        if found := CONTOUR.fullmatch(last):
            contours[patient][int(found.group(2))][found.group(3).lower()] = path
        elif IMAGE.match(last) and not last.lower().endswith(".txt"):
            images[patient][name] = path
    if not contours:
        raise ZooError(f"{source}: no contours found; expected {LAYOUT}")
    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    how["title"] = f"Sunnybrook to {preset.name}"
    stacks, skipped = read_all(
        lambda patient: _stack(patient, images[patient], contours[patient]),
        {name: name for name in sorted(contours)},
        **how,
    )
    scans = [
        Scan(
            items[0][0].name,
            patient,
            partial(_load, items, contours[patient], patient),
            pathology=PATIENT.fullmatch(patient).group(1),
        )
        for patient, items in stacks.items()
    ]
    look = with_preset(Look(preset.size, center=center, segment=segment, phases=phases), preset)
    info = {"name": "Sunnybrook Cardiac Data", "preset": preset.name, "seed": seed, "license": SUNNYBROOK.license}
    info["citation"] = SUNNYBROOK.citation
    rules = {"patient": "the folder", "class": "the patient's code", "mask": "contours: outer minus inner, and inner"}
    rules["phase"] = "largest and smallest cavity"
    aside = [
        {"item": name, "reason": "has no contours"}
        for patient in set(images) - set(contours)
        for name in images[patient]
    ]
    return build_volumes(scans, info, look, rules=rules, aside=aside, skipped=skipped, classes=classes, **how)


def _original_names(files: dict) -> dict[str, str]:
    """The patients' codes of the Cardiac Atlas Project's numbers, `SCD0000101` → `SC-HF-I-1`, by its table."""
    table = next((path for name, path in files.items() if PurePosixPath(name).name == "scd_patientdata.csv"), None)
    lines = read_csv(table, ("PatientID", "OriginalID")) if table is not None else []
    return {line["PatientID"].upper(): line["OriginalID"] for line in lines}


def _patient_of(name: str, original: dict[str, str]) -> str | None:
    for folder in PurePosixPath(name).parts[:-1]:
        if found := PATIENT.search(original.get(folder.upper(), folder)):
            return f"SC-{found.group(1).upper()}-{int(found.group(2)):02d}"
    return None


def _stack(patient: str, images: dict, contours: dict) -> list:
    """The series that the contours were drawn on: the only one that has an image of each of their numbers.

    Raises:
        ZooError: If no series or several have.
    """
    series = defaultdict(list)
    for name, path in images.items():
        try:
            file = read_header(path, name)
        except SetAside:
            continue
        series[file.series].append(file)
    wanted = set(contours)
    fitting = [files for files in series.values() if wanted <= {number_of(file) for file in files}]
    if len(fitting) > 1:
        fitting = [files for files in fitting if "SAX" in (files[0].title + files[0].name).upper()] or fitting
    if len(fitting) != 1:
        raise ZooError(f"{patient}: {len(fitting)} series have the images of its contours; expected one")
    items = [(file, image) for file in fitting[0] for image in file.images]
    check_geometry(items, patient)
    return items


def number_of(file: File) -> int:
    """The number of an image, by which contours name it."""
    return int(IMAGE.match(PurePosixPath(file.name).name).group(2))


def _load(items: list, contours: dict, patient: str):
    image = to_volume(items, patient)
    mask = to_volume(items, patient, read=lambda file: labels_of(contours.get(number_of(file), {}), file.shape)[None])
    return image, mask


def labels_of(contours: dict, shape: tuple[int, int]) -> np.ndarray:
    """The mask of an image: float32 `(rows, columns)` of 0, 2 (between the contours) and 3 (in the inner one).

    Args:
        contours: Paths of the inner (`"i"`) and outer (`"o"`) contour, those that there are.
        shape: Of the image.

    Raises:
        ZooError: If a file does not hold at least three points.
    """
    mask = np.zeros(shape, np.float32)
    for kind, label in (("o", 2), ("i", 3)):
        if kind in contours:
            mask[polygon2mask(shape, read_points(contours[kind])[:, ::-1])] = label
    return mask


def read_points(path) -> np.ndarray:
    """The points of a contour file, `x y` a line in pixels: `(n, 2)`.

    Raises:
        ZooError: If it holds something else, or fewer than three of them.
    """
    try:
        points = np.array(
            [[float(word) for word in line.split()] for line in read_text(path).splitlines() if line.strip()]
        )
    except ValueError as error:
        raise ZooError(f"{path}: no contour ({error}); expected two numbers a line") from error
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise ZooError(f"{path}: no contour; expected at least three lines of two numbers")
    return points
