"""What was taken for what: printed before anything is written, and stored with the dataset."""

from collections import Counter

from zoo.datasets.schema import SPLITS


def make_report(rows: dict[str, list[dict]], rules: dict[str, str], aside: list[dict], notes: list[tuple]) -> dict:
    """Counts of a dataset's rows, and the rules that made them.

    Args:
        rows: Of each split.
        rules: How patients, masks, classes, phases and splits were told, by what they tell.
        aside: `{"item": name, "reason": sentence}` of what was in order and not taken.
        notes: `(name, sentence)` of what a reader had to say of an item.

    Returns:
        What `zoo_dataset.json` holds as `report`; of patients and notes the counts and one example, no list.
    """
    every = [row for split in SPLITS for row in rows.get(split, [])]
    report = {"rules": dict(rules), "images": len(every), "set_aside": list(aside)}
    if every and "patient_id" in every[0]:
        counts = Counter(row["patient_id"] for row in every).values()
        report |= {"patients": len(counts), "images_per_patient": [min(counts), max(counts)]}
    if any("mask" in row for row in every):
        report["images_with_mask"] = sum(row.get("mask") is not None for row in every)
    said = {}
    for name, sentence in notes:
        said.setdefault(sentence, []).append(name)
    report["notes"] = [{"note": note, "count": len(names), "example": names[0]} for note, names in said.items()]
    return report


def report_text(info: dict) -> str:
    """The report of a built dataset in lines, or `""` if it has none.

    Args:
        info: What `zoo_dataset.json` holds.
    """
    report = info.get("report")
    if report is None:
        return ""
    lines = [f"images: {report['images']:,}"]
    if "patients" in report:
        least, most = report["images_per_patient"]
        each = f"{least}" if least == most else f"{least} to {most}"
        lines.append(f"patients: {report['patients']}, of {each} images each")
    if "images_with_mask" in report:
        lines.append(f"masks: of {report['images_with_mask']:,} images")
    lines += [f"{what}: by {how}" for what, how in report["rules"].items()]
    for note in report["notes"]:
        others = f" and {note['count'] - 1} more" if note["count"] > 1 else ""
        lines.append(f"note: {note['example']}{others}: {note['note']}")
    reasons = {}
    for entry in report["set_aside"]:
        reasons.setdefault(entry["reason"], []).append(entry["item"])
    for reason, items in reasons.items():
        others = f" and {len(items) - 1} more" if len(items) > 1 else ""
        lines.append(f"set aside: {items[0]}{others}: {reason}")
    return "\n".join(lines)
