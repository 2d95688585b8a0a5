"""What a table says of images, put where it belongs: classes, splits, phases and further columns."""

from pathlib import Path

from zoo.datasets.layouts import Layout
from zoo.datasets.scans import Scan
from zoo.datasets.schema import CARDIAC_FEATURES
from zoo.datasets.tables import labels_for, read_labels
from zoo.errors import ZooError

# Columns that a table may not name, since others come of the images themselves
OWN = {*CARDIAC_FEATURES, "label", "predicted"} - {"height", "weight"}


def label_pictures(layout: Layout, path) -> None:
    """The classes of pictures by a table of files or patients, in place."""
    table, of_files = read_labels(path)
    for name, picture in layout.entries.items():
        entry = labels_for(table, of_files, picture.patient, name)
        if entry is None or entry.pathology is None:
            raise ZooError(f"{path}: has no class of {name}; expected one of every picture")
        picture.label = entry.pathology
    layout.rules["class"] = f"the table {Path(path).name}"


def label_scans(scans: list[Scan], path, rules: dict[str, str], skip_bad: bool) -> list[dict]:
    """What a table says, in place; the scans that it does not name.

    Raises:
        ZooError: If it does not name a scan, or a column has the name of one of the dataset's own.
    """
    table, of_files = read_labels(path)
    skipped, used = [], set()
    for scan in scans:
        entry = labels_for(table, of_files, scan.patient, scan.name)
        if entry is None:
            what = scan.name if of_files else scan.patient
            if not skip_bad:
                raise ZooError(
                    f"{path}: has no line for {what}; expected one of every {'file' if of_files else 'patient'}"
                )
            skipped.append({"item": scan.name, "reason": f"{Path(path).name} has no line for it"})
            continue
        used.add(id(entry))
        if entry.split and scan.split not in (None, entry.split):
            raise ZooError(f"{path}: {scan.name} is in split {entry.split}; its folder says {scan.split}")
        scan.split = entry.split or scan.split
        scan.pathology = entry.pathology or scan.pathology
        if own := sorted(OWN & set(entry.columns)):
            raise ZooError(f"{path}: column {own[0]!r} has the name of one of the dataset's own; expected another")
        scan.columns |= entry.columns
        if entry.phases and scan.frame is not None:
            scan.phase = entry.phases.get(scan.frame, scan.phase)
        elif entry.phases:
            scan.phases = dict(sorted(entry.phases.items()))
        scan.phase = entry.phase or scan.phase
    if not used:
        example = scans[0].name if of_files else scans[0].patient
        raise ZooError(f"{path}: names none of the scans; expected lines such as of {example}")
    said = f"the table {Path(path).name}"
    if any(scan.pathology for scan in scans):
        rules["class"] = said
    if any(entry.split for entry in table.values()):
        rules["split"] = said
        left_out = {item["item"] for item in skipped}
        if lost := next((scan.name for scan in scans if scan.split is None and scan.name not in left_out), None):
            raise ZooError(f"{path}: says no split of {lost}; expected train, validation or test of all")
    return skipped
