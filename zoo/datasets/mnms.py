"""M&Ms and M&Ms-2: short-axis MRI of several centres and vendors, with masks at end-diastole and end-systole."""

import os
import re
from functools import partial
from pathlib import PurePosixPath

from zoo.datasets.built import BuiltDataset
from zoo.datasets.kinds import check_no_twins
from zoo.datasets.nifti import read_nifti
from zoo.datasets.placement import Segmenter
from zoo.datasets.presets import get_preset
from zoo.datasets.scans import Look, Scan
from zoo.datasets.sources import find_files, open_source
from zoo.datasets.tables import read_csv
from zoo.datasets.volumes import build_volumes, with_preset
from zoo.errors import ZooError
from zoo.sources import MNMS, MNMS2

LABELS = {1: 3, 2: 2, 3: 1}  # left ventricle, myocardium, right ventricle
LAYOUT = "Training/Labeled/CODE/CODE_sa.nii.gz, CODE_sa_gt.nii.gz, Validation/, Testing/ and the table of diagnoses"
LAYOUT_2 = "dataset_information.csv and dataset/NNN/{NNN_SA_ED.nii.gz, NNN_SA_ED_gt.nii.gz, NNN_SA_ES…}"
SPLITS = {"training": "train", "validation": "validation", "testing": "test"}


def build_mnms(
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
    """Builds the M&Ms slices of ED and ES of one preset from the official download, in its own splits.

    Masks get ACDC's labels; `vendor`, `centre`, `age`, `sex`, `height` and `weight` are columns. The patients of
    `Unlabeled/` are set aside.

    Args:
        source: The folder or zip file that holds `Training/`, `Validation/`, `Testing/` and the table.
        preset: `acdc-64`, `acdc-128` or `acdc-180`, as models of ACDC were trained on.
        classes: The pathologies to take, such as `["HCM"]`; `None` takes all.
        phases: `["ED"]` or `["ES"]`; `None` takes both.
        center: Of the heart-centred presets, see `build_folder`.
        segment: Labels slices, for `center="segmenter"`.
        skip_bad: Leaves patients with unusable files out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Patients read at the same time.
        seed: Stored with the dataset; the splits are the official ones.
        progress: Shows a progress bar.

    Raises:
        ZooError: If the source is not M&Ms, or a patient's files are unusable.
    """
    files = find_files(open_source(source, LAYOUT))
    check_no_twins(files)
    tables = [path for name, path in files.items() if re.search(r"information.*\.csv$", PurePosixPath(name).name)]
    if len(tables) != 1:
        raise ZooError(f"{source}: holds {len(tables)} tables of the diagnoses; expected {LAYOUT}")
    needed = ("External code", "VendorName", "Centre", "ED", "ES", "Pathology")
    about = {line["External code"]: line for line in read_csv(tables[0], needed, LAYOUT)}
    scans, aside = [], []
    for name, path in files.items():
        *folders, last = PurePosixPath(name).parts
        low = [folder.lower() for folder in folders]
        split = next((SPLITS[folder] for folder in low if folder in SPLITS), None)
        if split is None or not (found := re.fullmatch(r"(\w+)_sa\.nii(\.gz)?", last, re.IGNORECASE)):
            continue
        code = found.group(1)
        if "unlabeled" in low:
            aside.append({"item": name, "reason": "has no masks"})
            continue
        if code not in about:
            raise ZooError(f"{tables[0]}: has no line for {code}; expected one of every patient")
        _check_once(scans, name, code)
        line = about[code]
        mask = _mask_of(name, files)
        try:
            numbers = [int(float(line[phase])) for phase in ("ED", "ES")]
        except ValueError as error:
            raise ZooError(
                f"{tables[0]}: {code}: ED and ES are {line['ED']!r}, {line['ES']!r}; expected frames"
            ) from error
        scans.append(
            Scan(
                name,
                code,
                partial(_load, path, files, mask),
                mask,
                split,
                line["Pathology"],
                phases={numbers[0] + 1: "ED", numbers[1] + 1: "ES"},  # the table counts from 0
                columns={
                    "vendor": line["VendorName"],
                    "centre": line["Centre"],
                    "sex": line.get("Sex") or None,
                    **{name.lower(): _number(line.get(name)) for name in ("Age", "Height", "Weight")},
                },
            )
        )
    if not scans:
        raise ZooError(f"{source}: no M&Ms patients found; expected {LAYOUT}")
    rules = {"patient": "the folder", "class": tables[0].name, "phase": tables[0].name, "mask": "_sa_gt"}
    rules["split"] = "the challenge's folders"
    look = Look(64, center=center, segment=segment, phases=phases, mask_labels=LABELS)
    info = {"name": "M&Ms", "citation": MNMS.citation, "license": MNMS.license, "seed": seed}
    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    return _build(scans, info, look, preset, rules=rules, aside=aside, classes=classes, **how)


def build_mnms2(
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
    """Builds the M&Ms-2 short-axis slices of ED and ES; likewise, with `vendor`, `scanner` and `field` as columns.

    Patients 1 to 160 are `train`, 161 to 200 `validation`, 201 to 360 `test`, as in the challenge. Long-axis views and
    cine series are set aside. The arguments are those of `build_mnms`.

    Raises:
        ZooError: If the source is not M&Ms-2, or a patient's files are unusable.
    """
    files = find_files(open_source(source, LAYOUT_2))
    check_no_twins(files)
    table = next((path for name, path in files.items() if PurePosixPath(name).name == "dataset_information.csv"), None)
    if table is None:
        raise ZooError(f"{source}: no M&Ms-2; expected {LAYOUT_2}")
    lines = read_csv(table, ("SUBJECT_CODE", "DISEASE", "VENDOR"), LAYOUT_2)
    about = {line["SUBJECT_CODE"].lstrip("0"): line for line in lines if line["SUBJECT_CODE"]}
    scans, aside = [], []
    for name, path in files.items():
        found = re.fullmatch(r"(\d+)_(SA|LA)_(ED|ES|CINE)\.nii(\.gz)?", PurePosixPath(name).name, re.IGNORECASE)
        if found is None:
            continue
        code, view, phase = found.group(1), found.group(2).upper(), found.group(3).upper()
        if view == "LA" or phase == "CINE":
            aside.append(
                {"item": name, "reason": "a long-axis view" if view == "LA" else "a cine series without masks"}
            )
            continue
        if (line := about.get(code.lstrip("0"))) is None:
            raise ZooError(f"{table}: has no line for {code}; expected one of every patient")
        number = int(code)
        _check_once(scans, name, code, phase)
        mask = _mask_of(name, files)
        scans.append(
            Scan(
                name,
                code,
                partial(_load, path, files, mask),
                mask,
                "train" if number <= 160 else "validation" if number <= 200 else "test",
                line["DISEASE"],
                phase=phase,
                columns={name.lower(): line.get(name) or None for name in ("VENDOR", "SCANNER", "FIELD")},
            )
        )
    if not scans:
        raise ZooError(f"{source}: no M&Ms-2 patients found; expected {LAYOUT_2}")
    rules = {"patient": "the folder", "class": table.name, "phase": "ED and ES in the names", "mask": "_gt"}
    rules["split"] = "the challenge's numbers of patients"
    look = Look(64, center=center, segment=segment, phases=phases, mask_labels=LABELS)
    info = {"name": "M&Ms-2", "citation": MNMS2.citation, "license": MNMS2.license, "seed": seed}
    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    return _build(scans, info, look, preset, rules=rules, aside=aside, classes=classes, **how)


def _build(scans: list[Scan], info: dict, look: Look, preset: str, **how) -> BuiltDataset:
    preset = get_preset(preset, "acdc")
    title = f"{info['name']} to {preset.name}"
    return build_volumes(scans, info | {"preset": preset.name}, with_preset(look, preset), title=title, **how)


def _mask_of(name: str, files: dict) -> str:
    """The file of an image's mask, however it is spelled."""
    mask = re.sub(r"(\.nii(\.gz)?)$", r"_gt\1", name, flags=re.IGNORECASE)
    return next((other for other in files if other.lower() == mask.lower()), mask)


def _check_once(scans: list[Scan], name: str, code: str, phase: str | None = None) -> None:
    if other := next((scan.name for scan in scans if (scan.patient, scan.phase) == (code, phase)), None):
        raise ZooError(f"{name}: is of {code} as {other} is, a copy or another image; expected one of them")


def _load(path, masks: dict, mask: str):
    if mask not in masks:
        raise ZooError(f"{path}: its mask {mask} is not there; expected one of every patient")
    return read_nifti(path, (3, 4)), read_nifti(masks[mask], (3, 4))


def _number(text: str | None) -> float | None:
    """A cell as a number; `None` where it is empty or none."""
    try:
        return float(text or "")
    except ValueError:
        return None
