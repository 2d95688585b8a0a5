"""Building datasets."""

import inspect
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.shared import Overwrite, check_output
from zoo.errors import ZooError

SEGMENTER = "segmenter-acdc-64"  # the published one, for hearts on whole slices


class Source(StrEnum):
    """Where a dataset comes from."""

    acdc = "acdc"
    mnms = "mnms"
    mnms2 = "mnms2"
    sunnybrook = "sunnybrook"
    phantom = "phantom"
    mednist = "mednist"
    isic = "isic"
    folder = "folder"


class Center(StrEnum):
    """By what the heart is found."""

    masks = "masks"
    segmenter = "segmenter"
    motion = "motion"
    image = "image"


class Folders(StrEnum):
    """What folders are whose names do not say."""

    patients = "patients"
    classes = "classes"


LARGEST = 65535  # value of a mask
LABELS = {"BG": 0, "RV": 1, "MYO": 2, "LV": 3}


def data(
    kind: Annotated[Source, typer.Argument(help="What the source is.")],
    output: Annotated[Path, typer.Option(help="Folder to write.")],
    more_labels: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    source: Annotated[Path | None, typer.Option(help="Folder or zip of the download; the phantom needs none.")] = None,
    preset: Annotated[str | None, typer.Option(help="acdc-64, acdc-128, acdc-180; the others have one each.")] = None,
    size: Annotated[int | None, typer.Option(help="Height and width in pixels; for folder.")] = None,
    channels: Annotated[int | None, typer.Option(help="1 for grey, 3 for colour; for folder.")] = None,
    spacing: Annotated[float | None, typer.Option(help="Side of a pixel in mm; for a folder of volumes.")] = None,
    classes: Annotated[str | None, typer.Option(help="Which, separated by commas, such as HCM.")] = None,
    phases: Annotated[str | None, typer.Option(help="ED or ES; of hearts, both by default.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV of patients or files: pathology, phase, frame, any other; for folder.")
    ] = None,
    mask_labels: Annotated[
        str | None,
        typer.Option(metavar="1=LV 2=MYO …", help="What values of masks are: BG, RV, MYO, LV; for folder."),
    ] = None,
    frames: Annotated[
        str | None, typer.Option(help="Of cine series: all, ed-es, or numbers from 1 separated by commas; for folder.")
    ] = None,
    folders: Annotated[Folders | None, typer.Option(help="What folders are that may be either; for folder.")] = None,
    center: Annotated[
        Center | None, typer.Option(help="What finds the heart, the best that there is by default; of hearts.")
    ] = None,
    segment: Annotated[
        bool, typer.Option("--segment", help="Add a segmenter's masks where there are none; for folder.")
    ] = False,
    segmenter: Annotated[Path | None, typer.Option(help="Folder of another segmenter than the published one.")] = None,
    keep_ids: Annotated[bool, typer.Option("--keep-ids", help="Store DICOM's PatientIDs; for folder.")] = False,
    undersample: Annotated[
        bool, typer.Option("--undersample", help="As many benign images as malignant ones; for isic.")
    ] = False,
    num_patients: Annotated[int | None, typer.Option(min=1, help="How many to draw; for phantom.")] = None,
    all_frames: Annotated[bool, typer.Option("--all-frames", help="Every cine frame; for acdc.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unusable files out and list them.")] = False,
    num_proc: Annotated[int | None, typer.Option(min=1, help="Files read at the same time.")] = None,
    seed: Annotated[int, typer.Option(help="Of the division into splits.")] = 0,
    push_to_hub: Annotated[str | None, typer.Option(metavar="ID", help="Also do what push-dataset does.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Build a dataset: splits by patient, images and masks on one grid.

    What was taken for a patient, a mask, a class and a split is printed before anything is written.
    """
    check_output(output, "zoo_dataset.json", overwrite)
    from zoo import datasets
    from zoo.hub import datasets as hub_datasets

    build = getattr(datasets, f"build_{kind.value}")
    if more_labels and mask_labels is None:
        raise ZooError(f"{more_labels[0]}: unexpected; expected one source")
    needs_segmenter = segment or segmenter is not None or center is Center.segmenter
    asked = {
        "source": source,
        "preset": preset,
        "size": size,
        "channels": channels,
        "spacing": spacing,
        "classes": classes.split(",") if classes else None,
        "phases": phases.split(",") if phases else None,
        "labels": labels,
        "mask_labels": read_mask_labels([mask_labels, *(more_labels or [])]) if mask_labels else None,
        "frames": read_frames(frames) if frames else None,
        "folders": folders and folders.value,
        "center": center and center.value,
        "segment": load_segmenter(segmenter) if needs_segmenter else None,
        "predict_masks": segment or None,
        "keep_ids": keep_ids or None,
        "undersample": undersample or None,
        "num_patients": num_patients,
        "all_frames": all_frames or None,
        "skip_bad": skip_bad or None,
        "num_proc": num_proc,
        "seed": seed,
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    known = inspect.signature(build).parameters
    if "source" in known and source is None:
        raise ZooError(f"--source: expected the folder or zip of the {kind.value} download")
    if unknown := asked.keys() - known:
        option = {"predict_masks": "segment"}.get(min(unknown), min(unknown))
        raise ZooError(f"--{option.replace('_', '-')}: not an option of {kind.value}")
    built = build(**asked)
    if report := datasets.report_text(built.info):
        typer.echo(report)
    datasets.save(built, output)
    counts = ", ".join(f"{split['num_images']:,} {name}" for name, split in built.info["splits"].items())
    typer.echo(f"{output}: {counts} images")
    if grouped := built.info.get("split_by"):
        typer.echo(f"split by {', '.join(f'{kind}: {count:,} images' for kind, count in grouped.items())}")
    for group in built.info.get("duplicates", []):
        typer.echo(f"identical images, kept in one split: {', '.join(group)}")
    for skipped in built.info.get("skipped", []):
        typer.echo(f"skipped {skipped.get('patient_id') or skipped.get('item')}: {skipped['reason']}")
    if push_to_hub:
        typer.echo(hub_datasets.push(output, push_to_hub))


def read_mask_labels(words: list[str]) -> dict[int, int]:
    """`1=LV 2=MYO`, separated by spaces or commas, as labels of the zoo by values of masks.

    Raises:
        ZooError: If a word is no such pair, or a value is named twice.
    """
    found = {}
    for word in " ".join(words).replace(",", " ").split():
        value, _, name = word.partition("=")
        label = LABELS.get(name.upper(), int(name) if name in ("0", "1", "2", "3") else None)
        if not (value.isascii() and value.isdigit()) or int(value) > LARGEST or label is None or int(value) in found:
            raise ZooError(f"--mask-labels: expected pairs such as 1=LV 2=MYO of {', '.join(LABELS)}, got {word!r}")
        found[int(value)] = label
    return found


def read_frames(text: str) -> str | list[int]:
    """`all`, `ed-es`, or numbers separated by commas.

    Raises:
        ZooError: If it is none of them.
    """
    if text in ("all", "ed-es"):
        return text
    words = text.split(",")
    if not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise ZooError(f"--frames: expected all, ed-es or numbers from 1 separated by commas, got {text!r}")
    return [int(word) for word in words]


def load_segmenter(folder: Path | None):
    """The segmenter of hearts, the published one or another, for whole slices."""
    from zoo.metrics.whole_slices import segment_whole_slices
    from zoo.published.networks import load_judge

    return segment_whole_slices(load_judge(folder or SEGMENTER, "segmenter"))
