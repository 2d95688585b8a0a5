"""Patients' scans, wherever they come from, as a dataset of slices divided by patient."""

from collections import defaultdict
from dataclasses import replace

import datasets
import numpy as np

from zoo.datasets.built import BuiltDataset, assemble
from zoo.datasets.classes import chosen, class_names, class_of, respelled
from zoo.datasets.placement import HOW
from zoo.datasets.report import make_report
from zoo.datasets.scans import Look, Scan, check_spellings, read_patient
from zoo.datasets.schema import LEVELS, PHASES, SPACING, SPLITS
from zoo.datasets.sources import read_all, without_source
from zoo.datasets.splits import divide, find_duplicates
from zoo.errors import ZooError


def build_volumes(
    scans: list[Scan],
    info: dict,
    look: Look,
    *,
    rules: dict[str, str] | None = None,
    aside: list[dict] = (),
    skipped: list[dict] = (),
    classes: list[str] | None = None,
    together: list[list[str]] = (),
    **how,
) -> BuiltDataset:
    """Builds a dataset of slices. Patients who share a slice share a split.

    Args:
        scans: Of all patients.
        info: Name, preset, seed, license and citation.
        look: How slices are stored.
        rules: By which patients, masks, classes, phases and splits were told, for the report.
        aside: What is set aside, and why.
        skipped: What is skipped already.
        classes: The pathologies to take; `None` takes all.
        together: Groups of patients who must share a split, such as those of one folder.
        **how: Source, title, num_proc, skip_bad and progress, for `read_all`.

    Raises:
        ZooError: If a scan is unusable, a class is unknown, or a patient lies in two official splits.
    """
    source = how["source"]
    words = {scan.pathology for scan in scans if scan.pathology}
    names, name_of = class_names(words)
    if classes is not None:
        classes = chosen([class_of(word) or word for word in classes], names, source)
        names = classes
        scans = [scan for scan in scans if name_of.get(scan.pathology) in classes]
    patients = defaultdict(list)
    for scan in scans:
        patients[scan.patient].append(scan)
    check_spellings(scans)
    official = {name: _one(members, "split", name) for name, members in patients.items()}
    labels = {name: _one(members, "pathology", name, name_of) for name, members in patients.items()}
    items = {(members[0].name if len(members) == 1 else name): members for name, members in patients.items()}
    results, bad = read_all(lambda members: read_patient(members, look, how["skip_bad"]), items, **how)
    found = {items[item][0].patient: patient for item, patient in results.items()}
    bad = [*skipped, *bad]
    for patient in found.values():
        bad += [{"item": item, "reason": without_source(reason, source)} for item, reason in patient.skipped]

    duplicates = find_duplicates({name: patient.hashes for name, patient in found.items()})
    for group in duplicates:
        if tested := [name for name in group if official[name] == "test"]:
            for name in set(group) - set(tested):
                del found[name]
                bad.append({"item": name, "reason": f"same images as {', '.join(tested)} of the test patients"})
    groups = _merged([*duplicates, *together], found)
    split_of = divide({name: (official[name], labels[name]) for name in sorted(found)}, groups, info["seed"])

    rows = {split: [] for split in SPLITS}
    for name in sorted(found):
        for row in found[name].rows:
            row |= {"patient_id": name, "pathology": names.index(labels[name]) if labels[name] else -1}
            row["phase"] = PHASES.index(row["phase"]) if row["phase"] in PHASES else -1
            rows[split_of[name]].append(row)
    every = [row for split in rows.values() for row in split]
    features = _features(every, names)
    predicted = any(row["predicted"] for row in every)
    rows = {split: [{key: row[key] for key in features} for row in members] for split, members in rows.items()}
    rules = dict(rules or {})
    centers = defaultdict(list)
    for patient in found.values():
        centers[patient.center[0]].append(patient.center[1])
    rules["centre"] = "; ".join(
        f"{HOW[way]}, {np.median(apart):.0f} mm from the image's (median of {len(apart)} patients)"
        if way != "image"
        else f"{HOW[way]} ({len(apart)} patients)"
        for way, apart in centers.items()
    )
    has_masks = "mask" in features
    info = info | {
        "duplicates": duplicates,
        "skipped": bad,
        "preprocessing": {
            "size": look.size,
            "spacing_mm": look.spacing or "largest central square",
            "percentiles": list(look.percentiles),
            "center": ", ".join(HOW[way] for way in HOW if way in centers),
            "images": "bilinear with Gaussian prefilter",
            **({"masks": "nearest neighbour"} if has_masks else {}),
            **({"mask_labels": {str(k): v for k, v in look.mask_labels.items()}} if look.mask_labels else {}),
        },
    }
    if predicted:
        rules["mask"] = "a segmenter's prediction where there was none"
        info["preprocessing"]["masks"] += ", predicted by a segmenter where the source has none"
    notes = [note for name in sorted(found) for note in found[name].notes]
    notes += [("class", sentence) for sentence in respelled(word for word in words if class_of(word) is None)]
    info["report"] = make_report(rows, rules, list(aside), notes)
    return assemble(rows, features, info)


def _one(scans: list[Scan], what: str, name: str, names: dict | None = None):
    """What all scans of a patient agree on, by the names of the values if there are any."""
    values = {value if names is None else names.get(value) for value in (getattr(scan, what) for scan in scans)}
    if len(values) > 1:
        told = " and ".join(sorted(map(str, values)))
        raise ZooError(f"patient {name}: has the {what}s {told}; expected one ({scans[0].name}, {scans[-1].name})")
    return values.pop()


def _merged(groups: list[list[str]], known) -> list[list[str]]:
    """Disjoint groups of the patients that are left, made of overlapping ones."""
    contents = defaultdict(list)
    for index, group in enumerate(groups):
        for name in group:
            if name in known:
                contents[name].append(index)
    return find_duplicates(contents)


def _features(rows: list[dict], names: list[str]) -> datasets.Features:
    """The columns that some row knows, in the order of the schema, and then those of the source."""
    labelled = any(row["mask"] is not None for row in rows)
    phased = any(row["phase"] >= 0 for row in rows)
    features = {"image": datasets.Image()}
    if labelled:
        features["mask"] = datasets.Image()
    features["patient_id"] = datasets.Value("string")
    if any(row["frame"] is not None for row in rows):
        features["frame"] = datasets.Value("int32")
    if phased:
        features["phase"] = datasets.ClassLabel(names=PHASES)
    if names:
        features["pathology"] = datasets.ClassLabel(names=names)
    features |= {"slice_index": datasets.Value("int32"), "num_slices": datasets.Value("int32")}
    if labelled or phased:  # of hearts; what else a folder may hold has no base
        features["slice_level"] = datasets.ClassLabel(names=LEVELS)
    features |= {"pixel_spacing": SPACING, "original_spacing": SPACING, "slice_thickness": datasets.Value("float32")}
    own = {"image", "mask", "patient_id", "frame", "phase", "pathology", "slice_level", "predicted", *features}
    further = {key: None for row in rows for key in row if key not in own}
    for key in further:
        values = [row.setdefault(key, None) for row in rows]
        numbers = all(value is None or isinstance(value, int | float) for value in values)
        features[key] = datasets.Value("float32" if numbers else "string")
    for row in rows:
        row.setdefault("frame", None)
    return datasets.Features(features)


def with_preset(look: Look, preset) -> Look:
    """The look of a preset: its size, spacing, intensity window and, where it is centred on hearts, the best centre."""
    center = look.center or (None if preset.heart_centred else "image")
    return replace(look, size=preset.size, spacing=preset.spacing, percentiles=preset.percentiles, center=center)
