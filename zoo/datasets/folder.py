"""The user's own folder: pictures, NIfTI, MetaImage or NRRD volumes, or DICOM series."""

import os
import re
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from zoo.datasets.acdc_files import INFO_FILE, read_info
from zoo.datasets.built import BuiltDataset
from zoo.datasets.class_folders import build_pictures
from zoo.datasets.dicom_folder import dicom_scans, hash_ids
from zoo.datasets.itk import read_itk
from zoo.datasets.kinds import DICOM, ITK, NIFTI, PICTURES, VOLUMES, companion, is_data, kind_of
from zoo.datasets.label_maps import is_label_map
from zoo.datasets.labelling import label_pictures, label_scans
from zoo.datasets.layouts import Layout, read_layout
from zoo.datasets.names import says_something
from zoo.datasets.nifti import read_nifti
from zoo.datasets.placement import CENTERS, Segmenter
from zoo.datasets.presets import PRESETS
from zoo.datasets.scans import Look, Scan
from zoo.datasets.schema import PHASES
from zoo.datasets.sources import find_files, open_source
from zoo.datasets.volumes import build_volumes, with_preset
from zoo.errors import ZooError

LAYOUT = "pictures (.png, .jpg, …), volumes (.nii, .nii.gz, .mha, .nrrd) or DICOM series (.dcm), one kind only"


def build_folder(
    source: str | os.PathLike,
    *,
    preset: str | None = None,
    size: int | None = None,
    channels: int = 1,
    spacing: float | None = None,
    center: str | None = None,
    classes: list[str] | None = None,
    phases: list[str] | None = None,
    labels: str | os.PathLike | None = None,
    mask_labels: dict[int, int] | None = None,
    frames: str | list[int] | None = None,
    folders: str | None = None,
    segment: Segmenter | None = None,
    predict_masks: bool = False,
    keep_ids: bool = False,
    skip_bad: bool = False,
    num_proc: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> BuiltDataset:
    """Builds a dataset from any folder or zip file of pictures, volumes (2D, 3D or cine) or DICOM series.

    Files are known by their content, their roles by their names (`zoo.datasets.layouts`); `info["report"]` says what
    was taken for what. Pictures in class folders get a `label`, and identical ones share a split. Volumes become their
    slices, turned to the patient's axes, windowed between the volume's 0.5 and 99.5 percentiles and divided by patient.
    A patient of DICOM is a PatientID, of which a salted hash is stored, or a folder where it is blank.

    Args:
        source: The folder or zip file.
        preset: `acdc-64`, `acdc-128` or `acdc-180`: size, spacing, window and centre as models of it were trained on.
        size: Side of the stored images in pixels; 64 if neither it nor a preset is given.
        channels: 1 for grey, 3 for colour, which only pictures have.
        spacing: Pixel side of the stored grid in mm, for volumes; `None` fits the largest central square into `size`.
        center: Of the grid, `"masks"`, `"segmenter"`, `"motion"` or `"image"`; `None` takes the first of them that a
            patient's data allow where a spacing is given, else the image's.
        classes: The pathologies, or labels of pictures, to take; `None` takes all.
        phases: `["ED"]` or `["ES"]`; `None` takes all frames.
        labels: A CSV file: a column of patients or files; pathology, phase and frame (from 1); further columns.
        mask_labels: The label (0 background, 1 right ventricle, 2 myocardium, 3 left ventricle) of each value of the
            masks; several values may become one.
        frames: Of cine series: `"all"`, `"ed-es"` (by the largest and smallest cavity), or numbers from 1.
        folders: What folders are whose names may mean either: `"patients"` or `"classes"`.
        segment: Labels slices, see `zoo.datasets.placement`; finds hearts and phases where there are no masks.
        predict_masks: Stores the segmenter's masks where there are none.
        keep_ids: Stores DICOM's PatientIDs as they are.
        skip_bad: Leaves unusable files out and lists them in `info["skipped"]`, instead of raising.
        num_proc: Files read at the same time.
        seed: Of the division 80/10/10 into `train`, `validation` and `test`, where folders do not divide.
        progress: Shows a progress bar.

    Raises:
        ZooError: If the source holds no or several kinds of files, names may mean two things, masks of some images
            alone, or an unusable file.
    """
    asked = {"size": size, "spacing": spacing}
    size = 64 if size is None else size
    _check(size, channels, spacing, center, phases, folders, predict_masks, segment)
    kinds, files, aside = _sorted_by_kind(source)
    kind = _one_kind(kinds, source)
    info = {
        "name": Path(source).resolve().stem or "folder",
        "preset": preset or f"folder-{size}",
        "seed": seed,
        "license": "unknown",
        "citation": "",
    }
    how = {"source": source, "num_proc": num_proc, "skip_bad": skip_bad, "progress": progress}
    how["title"] = f"{kind} to {size} pixels"
    if kind == PICTURES:
        if spacing is not None or preset is not None:
            raise ZooError(f"{source}: pictures have no millimetres; expected no spacing")
        if frames is not None or phases is not None or segment is not None or mask_labels is not None:
            raise ZooError(f"{source}: pictures have no frames, phases and heart; expected none of those options")
        layout = read_layout(list(kinds), PICTURES, folders)
        layout.aside += aside
        if labels is not None:
            label_pictures(layout, labels)
        masks = _complete_masks(layout)
        return build_pictures(
            files, info, size=size, channels=channels, layout=layout, masks=masks, classes=classes, **how
        )
    if channels != 1:
        raise ZooError(f"{source}: {kind} is grey; expected 1 channel")
    look = Look(
        size=size,
        spacing=spacing,
        center=center,
        segment=segment,
        predict=predict_masks,
        frames=frames,
        phases=phases,
        mask_labels=mask_labels,
    )
    if preset is not None:
        if preset not in PRESETS or PRESETS[preset].source != "acdc":
            raise ZooError(f"preset {preset!r}: expected acdc-64, acdc-128 or acdc-180 for a folder of volumes")
        _check_preset(PRESETS[preset], asked)
        look = with_preset(look, PRESETS[preset])
    if kind == DICOM:
        scans, rules, skipped, together, uids = dicom_scans(kinds, files, aside, how)
        info["ids"] = "kept" if keep_ids else "hashed"
    else:
        layout = read_layout(list(kinds), NIFTI, folders)
        aside = layout.aside + aside
        _complete_masks(layout)
        scans, rules, skipped, together = _volume_scans(layout, kinds, files), layout.rules, [], []
        _add_info_files(scans, files, rules)
    if labels is not None:
        skipped += label_scans(scans, labels, rules, skip_bad)
        scans = [scan for scan in scans if scan.name not in {entry["item"] for entry in skipped}]
    if mask_labels is not None and not any(scan.mask for scan in scans):
        raise ZooError(f"{source}: has no masks; expected no --mask-labels")
    if kind == DICOM and not keep_ids:
        hash_ids(scans, together, uids)
    how["title"] = f"{kind} to {look.size} pixels"
    rest = {"rules": rules, "aside": aside, "skipped": skipped, "classes": classes, "together": together}
    return build_volumes(scans, info, look, **rest, **how)


def _check(size, channels, spacing, center, phases, folders, predict_masks, segment) -> None:
    if size < 1 or channels not in (1, 3) or (spacing is not None and not 0 < spacing < float("inf")):
        raise ZooError(f"size {size}, channels {channels}, spacing {spacing}: expected size > 0, 1 or 3, mm > 0")
    if center not in (None, *CENTERS):
        raise ZooError(f"center {center!r}: expected one of {', '.join(CENTERS)}")
    if folders not in (None, "patients", "classes"):
        raise ZooError(f"folders {folders!r}: expected patients or classes")
    if unknown := set(phases or []) - set(PHASES):
        raise ZooError(f"phases: {min(unknown)!r} is none; expected ED or ES")
    if (predict_masks or center == "segmenter") and segment is None:
        raise ZooError("segment: expected a segmenter, which finds the heart and makes the masks")


def _check_preset(preset, asked: dict) -> None:
    """Raises a `ZooError` if something else is asked for than a preset has."""
    for name, value in asked.items():
        if value not in (None, own := getattr(preset, name)):
            raise ZooError(f"{name} {value}: the preset {preset.name} has {own}; expected one of the two, or no preset")


def _sorted_by_kind(source) -> tuple[dict[str, str], dict, list[dict]]:
    """The kind of each image, all files, and what is set aside."""
    files = find_files(open_source(source, LAYOUT), says_something=says_something)
    kinds, aside = {}, []
    for name, path in files.items():
        if (kind := kind_of(path)) is not None:
            kinds[name] = kind
        elif not is_data(name) and PurePosixPath(name).name.lower() != INFO_FILE.lower():
            aside.append({"item": name, "reason": "no image"})
    return kinds, files, aside


def _one_kind(kinds: dict[str, str], source) -> str:
    found = set(kinds.values())
    if found and found <= set(VOLUMES):
        return NIFTI if NIFTI in found else ITK
    if len(found) != 1:
        raise ZooError(f"{source}: holds {' and '.join(sorted(found)) or 'nothing usable'}; expected {LAYOUT}")
    return found.pop()


def _complete_masks(layout: Layout) -> dict[str, str]:
    """The masks of all images; an official split may be without, as test images often are.

    Raises:
        ZooError: If some images of a split have masks and some have none.
    """
    masks = {name: entry.mask for name, entry in layout.entries.items() if entry.mask}
    with_masks = {layout.entries[name].split for name in masks}
    without = [name for name, entry in layout.entries.items() if not entry.mask and entry.split in with_masks]
    if without:
        path = PurePosixPath(without[0])
        name = str(path.with_name(re.sub(r"(\.nii)?(\.\w+)$", r"_gt\1\2", path.name)))
        raise ZooError(f"{without[0]}: has no {name}; expected masks of all images or of none")
    return masks


def read_volume(path, kind: str, files: dict | None = None, name: str = "", limit: int | None = None):
    """Reads one NIfTI, MetaImage or NRRD file, of 2 to 4 dimensions, turned to the patient's axes."""
    if kind == ITK:
        return read_itk(path, (2, 3, 4), files=files, limit=limit)
    second = (files or {}).get(companion(name, files or {}))
    return read_nifti(
        path, (2, 3, 4), second=second if name.lower().endswith((".hdr", ".hdr.gz")) else None, limit=limit
    )


def _volume_scans(layout: Layout, kinds: dict[str, str], files: dict) -> list[Scan]:
    def load(name, mask):
        def read(each):
            beside = {
                other: path
                for other, path in files.items()
                if PurePosixPath(other).parent == PurePosixPath(each).parent
            }
            return read_volume(files[each], kinds[each], beside, each)

        image = read(name)
        if is_label_map(image.voxels):
            count = len(np.unique(image.voxels))
            raise ZooError(
                f"{name}: has {count} different values, as a mask has; expected an image, and a mask named after its "
                "image, such as p1.nii.gz and p1_gt.nii.gz"
            )
        return image, None if mask is None else read(mask)

    return [
        Scan(
            name,
            entry.patient,
            partial(load, name, entry.mask),
            mask=entry.mask,
            split=entry.split,
            pathology=entry.label,
            phase=entry.phase,
            frame=entry.frame,
        )
        for name, entry in layout.entries.items()
    ]


def _add_info_files(scans: list[Scan], files: dict, rules: dict[str, str]) -> None:
    """What ACDC's `Info.cfg` beside images says: group, phases, height and weight, in place."""
    infos = {
        str(PurePosixPath(name).parent): path
        for name, path in files.items()
        if PurePosixPath(name).name.lower() == INFO_FILE.lower()
    }
    for scan in scans:
        if (path := infos.get(str(PurePosixPath(scan.name).parent))) is None:
            continue
        about = read_info(path.parent)
        scan.pathology = about.pathology
        scan.columns = {"height": about.height, "weight": about.weight}
        phases = {about.ed: "ED", about.es: "ES"}
        if scan.frame is None:
            scan.phases = phases
        else:
            scan.phase = phases.get(scan.frame)
        rules |= {"class": INFO_FILE, "phase": INFO_FILE}
