"""ACDC: cine short-axis MRI of 150 patients in five groups, with masks at end-diastole and end-systole."""

import os
from dataclasses import dataclass

import datasets

from zoo.datasets.acdc_files import INFO_FILE, find_patients, read_cine, read_frames, read_info
from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.classes import chosen
from zoo.datasets.placement import CENTERS, HOW, Segmenter, basal_first, mask_center, motion_center, segmented
from zoo.datasets.presets import Preset, get_preset
from zoo.datasets.report import make_report
from zoo.datasets.scans import Look, slice_rows
from zoo.datasets.schema import CARDIAC_FEATURES, PATHOLOGIES, PHASES, SPLITS
from zoo.datasets.sources import read_all
from zoo.datasets.splits import find_duplicates, split_groups
from zoo.errors import ZooError
from zoo.sources import ACDC


@dataclass
class Patient:
    """A patient's rows, the hashes of the slices that they come from, and what is to be said of its files."""

    pathology: str
    rows: list[dict]
    hashes: set[bytes]
    notes: list[str]


@dataclass(frozen=True)
class Wanted:
    """What `build_acdc` was asked for."""

    preset: Preset
    classes: list[str]
    phases: list[str] | None = None
    center: str | None = None
    segment: Segmenter | None = None
    all_frames: bool = False


def build_acdc(
    source: str | os.PathLike,
    preset: str = "acdc-64",
    *,
    classes: list[str] | None = None,
    phases: list[str] | None = None,
    center: str | None = None,
    segment: Segmenter | None = None,
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
        classes: The pathologies to take, such as `["HCM"]`; `None` takes all five.
        phases: `["ED"]` or `["ES"]`; `None` takes both.
        center: Of the heart-centred presets: `"masks"`, `"segmenter"`, `"motion"` or `"image"`; `None` takes the masks,
            and without them the motion.
        segment: Labels slices, for `center="segmenter"`; see `zoo.datasets.placement`.
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
    classes = chosen(classes, PATHOLOGIES, source)
    phases = chosen(phases, PHASES, source, "phases") if phases else None
    if center not in (None, *CENTERS) or (center == "segmenter" and segment is None):
        raise ZooError(f"center {center!r}: expected one of {', '.join(CENTERS)}, and a segmenter for the second")
    wanted = Wanted(preset, classes, phases, center, segment, all_frames)
    folders = find_patients(source)
    patients, bad = read_all(
        lambda folder: read_patient(folder, wanted),
        {folder.name: folder for part in folders.values() for folder in part},
        source=source,
        title=f"ACDC to {preset.name}",
        num_proc=num_proc,
        skip_bad=skip_bad,
        progress=progress,
    )
    patients = {name: patient for name, patient in patients.items() if patient is not None}
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
            "center": HOW[center or "masks"] if preset.heart_centred else HOW["image"],
            "images": "bilinear with Gaussian prefilter",
            "masks": "nearest neighbour",
            "all_frames": all_frames,
            **({"phases": phases} if phases else {}),
        },
    }
    features = datasets.Features({**CARDIAC_FEATURES, "pathology": datasets.ClassLabel(names=classes)})
    rules = {
        "patient": "the folder",
        "mask": "_gt",
        "class": INFO_FILE,
        "phase": INFO_FILE,
        "split": "training, testing",
    }
    rules["centre"] = info["preprocessing"]["center"]
    notes = [(name, note) for name, patient in sorted(patients.items()) for note in patient.notes]
    info["report"] = make_report(rows, rules, [], notes)
    return assemble(rows, features, info)


def read_patient(folder, wanted: Wanted) -> Patient | None:
    """Reads one patient's folder into rows; `None` if its pathology is not wanted.

    Raises:
        ZooError: If a file is missing or unusable; the message names it.
    """
    info, preset = read_info(folder), wanted.preset
    if info.pathology not in wanted.classes:
        return None
    frames, masks = read_frames(folder, info)
    has_masks = any(mask.any() for mask in masks.values())
    how = (wanted.center or ("masks" if has_masks else "motion")) if preset.heart_centred else "image"
    cine = read_cine(folder, info, frames[info.ed]) if wanted.all_frames or how == "motion" else None
    if wanted.all_frames and cine is None:
        raise ZooError(f"{folder}/{folder.name}_4d.nii.gz: not found; expected the cine series for all frames")

    hashes = set().union(*(volume.content_hashes() for volume in frames.values()))
    look = Look(preset.size, preset.spacing, preset.percentiles)
    spacing, center = frames[info.ed].spacing, None
    if how == "motion":
        center = motion_center([volume.voxels for volume in (cine or frames).values()], spacing)
    elif how == "masks" and has_masks:
        center = mask_center(masks.values())
    elif how == "segmenter":
        around = motion_center([volume.voxels for volume in frames.values()], spacing)
        seen = [segmented(volume, look.percentiles, wanted.segment, around) for volume in frames.values()]
        center = mask_center(seen) if any(mask.any() for mask in seen) else None
    if center is None:
        if how in ("masks", "segmenter"):
            raise ZooError(f"{folder}: no heart is found by its {how}; expected another --center")
        center = tuple((side - 1) / 2 for side in frames[info.ed].voxels.shape[1:])
    if wanted.all_frames:
        frames = cine | frames
    phases = {info.ed: "ED", info.es: "ES"}
    rows = []
    for number, volume in sorted(frames.items()):
        if wanted.phases and phases.get(number) not in wanted.phases:
            continue
        common = {
            "patient_id": folder.name,
            "frame": number,
            "phase": PHASES.index(phases[number]) if number in phases else -1,
            "pathology": wanted.classes.index(info.pathology),
            "height": info.height,
            "weight": info.weight,
        }
        try:
            slices = slice_rows(volume, look, center, masks.get(number), basal_first(masks.values()))
        except ValueError as error:
            raise ZooError(f"{folder}: frame {number}: {error}; expected an image with contrast") from error
        rows += [common | row for row in slices]
    notes = sorted({note for volume in frames.values() for note in volume.notes})
    return Patient(info.pathology, rows, hashes, notes)
