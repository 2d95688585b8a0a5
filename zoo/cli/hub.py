"""To and from the Hub."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.shared import ModelFolder, Revision


class RepoType(StrEnum):
    """What a repo on the Hub is."""

    model = "model"
    dataset = "dataset"
    space = "space"


Owner = Annotated[str, typer.Argument(metavar="ORG", help="User or organisation on the Hub.")]
RepoId = Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repo on the Hub, made if there is none.")]
Private = Annotated[
    bool | None,
    typer.Option("--private/--public", help="Who can read it from now on; as it is, or the account's default."),
]
Tag = Annotated[str | None, typer.Option(help="Name of the tag; v and the version of the zoo by default.")]


def push(
    model: ModelFolder,
    repo_id: RepoId,
    private: Private = None,
    revision: Annotated[str | None, typer.Option(help="Branch, made if there is none; main by default.")] = None,
    tag: Tag = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and list the files; nothing is sent.")] = False,
) -> None:
    """Publish a model's folder on the Hub: checked, in one commit, with a tag."""
    from zoo.hub import push as hub_push
    from zoo.hub.checks import check_model

    if dry_run:
        files = check_model(model)
        for name, path in files.items():
            typer.echo(f"{path.stat().st_size:>12,} {name}")
        typer.echo(f"{repo_id}: {len(files)} files, one commit, tag {tag or hub_push.version_tag()}; nothing was sent")
        return
    typer.echo(hub_push.push_model(model, repo_id, private=private, revision=revision, tag=tag))


def code(
    models: Annotated[
        list[Path] | None, typer.Argument(help="Folders of models; all of the checkout by default.")
    ] = None,
) -> None:
    """Write the Python files of models anew, as this version of the library publishes them; names what has changed."""
    from zoo.hub.push import model_folders
    from zoo.pipelines.auto import write_code
    from zoo.published.places import CHECKOUT

    for folder in models or model_folders(CHECKOUT):
        for name in write_code(folder):
            typer.echo(folder / name)


def push_dataset(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder written by `cardiac-zoo data`.")],
    repo_id: RepoId,
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public",
            help="Private and gated, or open to everybody; by default the former unless the licence lets everybody "
            "pass the data on, which that of ACDC does not.",
        ),
    ] = None,
    with_ids: Annotated[
        bool, typer.Option("--with-ids", help="Even if it keeps the PatientIDs of DICOM files (--keep-ids).")
    ] = False,
) -> None:
    """Upload a dataset to the Hub, in one commit."""
    from zoo.hub import datasets as hub_datasets

    typer.echo(hub_datasets.push(folder, repo_id, private=private, with_ids=with_ids))


def push_space(
    repo_id: RepoId,
    folder: Annotated[Path, typer.Option(help="Of the Space.")] = Path("spaces/cardiac-mri-zoo"),
    models: Annotated[
        str | None, typer.Option(help="Hub ids that it offers, separated by commas; all public ones of ORG by default.")
    ] = None,
    private: Private = None,
) -> None:
    """Publish the Space with the library that it needs, in one commit."""
    from zoo.hub import push as hub_push

    chosen = models.split(",") if models else None
    typer.echo(hub_push.push_space(folder, repo_id, models=chosen, private=private))


def push_metrics(owner: Owner, private: Private = None) -> None:
    """Publish the metrics as `evaluate` modules, for `evaluate.load("ORG/name")`."""
    from zoo.hub import push as hub_push

    for repo_id in hub_push.push_metrics(owner, private=private):
        typer.echo(repo_id)


def collection(
    owner: Owner,
    root: Annotated[
        Path | None, typer.Option(help="Folder that holds the models' folders; that of the checkout by default.")
    ] = None,
    private: Private = None,
    tag: Tag = None,
) -> None:
    """Publish every model, the metrics and the Space, and gather them in a collection."""
    from zoo.hub import push as hub_push
    from zoo.published.places import CHECKOUT

    for line in hub_push.push_collection(owner, models=root or CHECKOUT, private=private, tag=tag):
        typer.echo(line)


def pull(
    repo_id: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repo on the Hub.")],
    output: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write, new or empty.")],
    type: Annotated[RepoType, typer.Option(help="What the repo is.")] = RepoType.model,
    revision: Revision = None,
) -> None:
    """Download a whole repo from the Hub; the folder is whole or absent."""
    from zoo.hub.pull import pull as hub_pull

    typer.echo(hub_pull(repo_id, output, repo_type=type.value, revision=revision))
