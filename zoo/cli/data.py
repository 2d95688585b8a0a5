"""Building datasets."""

import inspect
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.shared import Overwrite, check_output
from zoo.errors import ZooError


class Source(StrEnum):
    """Where a dataset comes from."""

    acdc = "acdc"
    phantom = "phantom"
    mednist = "mednist"
    isic = "isic"
    folder = "folder"


def data(
    kind: Annotated[Source, typer.Argument(help="What the source is.")],
    output: Annotated[Path, typer.Option(help="Folder to write.")],
    source: Annotated[Path | None, typer.Option(help="Folder or zip of the download; the phantom needs none.")] = None,
    preset: Annotated[str | None, typer.Option(help="acdc-64, acdc-128, acdc-180; the others have one each.")] = None,
    size: Annotated[int | None, typer.Option(help="Height and width in pixels; for folder.")] = None,
    channels: Annotated[int | None, typer.Option(help="1 for grey, 3 for colour; for folder.")] = None,
    spacing: Annotated[float | None, typer.Option(help="Side of a pixel in mm; for a folder of volumes.")] = None,
    classes: Annotated[str | None, typer.Option(help="Which, separated by commas; for mednist and isic.")] = None,
    num_patients: Annotated[int | None, typer.Option(min=1, help="How many to draw; for phantom.")] = None,
    all_frames: Annotated[bool, typer.Option("--all-frames", help="Every cine frame; for acdc.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unusable files out and list them.")] = False,
    num_proc: Annotated[int | None, typer.Option(min=1, help="Files read at the same time.")] = None,
    seed: Annotated[int, typer.Option(help="Of the division into splits.")] = 0,
    push_to_hub: Annotated[str | None, typer.Option(metavar="ID", help="Also do what push-dataset does.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Build a dataset: splits by patient, images and masks on one grid."""
    check_output(output, "zoo_dataset.json", overwrite)
    from zoo import datasets
    from zoo.hub import datasets as hub_datasets

    build = getattr(datasets, f"build_{kind.value}")
    asked = {
        "source": source,
        "preset": preset,
        "size": size,
        "channels": channels,
        "spacing": spacing,
        "classes": classes.split(",") if classes else None,
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
        raise ZooError(f"--{min(unknown).replace('_', '-')}: not an option of {kind.value}")
    built = build(**asked)
    datasets.save(built, output)
    counts = ", ".join(f"{split['num_images']:,} {name}" for name, split in built.info["splits"].items())
    typer.echo(f"{output}: {counts} images")
    for group in built.info.get("duplicates", []):
        typer.echo(f"identical images, kept in one split: {', '.join(group)}")
    for skipped in built.info.get("skipped", []):
        typer.echo(f"skipped {skipped.get('patient_id') or skipped.get('item')}: {skipped['reason']}")
    if push_to_hub:
        typer.echo(hub_datasets.push(output, push_to_hub))
