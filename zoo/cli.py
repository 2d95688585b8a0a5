"""The command line, `cardiac-zoo`. What needs torch is imported inside the commands, so that `--help` is quick."""

import inspect
import os
import signal
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import zoo
from zoo.errors import ZooError

app = typer.Typer(
    help="Generators of cardiac short-axis MRI: data, evaluation, cards, tables and samples.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Source(StrEnum):
    """Where a dataset comes from."""

    acdc = "acdc"
    phantom = "phantom"
    mednist = "mednist"
    isic = "isic"
    folder = "folder"


class Split(StrEnum):
    """What samples are measured against."""

    validation = "validation"
    test = "test"


class RepoType(StrEnum):
    """What a repo on the Hub is."""

    model = "model"
    dataset = "dataset"
    space = "space"


class ImageFormat(StrEnum):
    """How samples are stored."""

    png = "png"
    npy = "npy"
    nifti = "nifti"


class TableFormat(StrEnum):
    """How the results table is written."""

    md = "md"
    csv = "csv"
    html = "html"
    text = "text"


Model = Annotated[str, typer.Argument(help="Folder of a model, or a repo id on the Hub.")]
ModelFolder = Annotated[Path, typer.Argument(help="Folder of a model.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier output.")]
Owner = Annotated[str, typer.Argument(metavar="ORG", help="User or organisation on the Hub.")]
RepoId = Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repo on the Hub, made if there is none.")]
Private = Annotated[
    bool | None,
    typer.Option("--private/--public", help="Who can read it from now on; as it is, or the account's default."),
]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of the repo on the Hub.")]
Tag = Annotated[str | None, typer.Option(help="Name of the tag; v and the version of the zoo by default.")]


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cardiac-zoo {zoo.__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """`--debug` is read by `main`, which lets it stand anywhere; it is declared here for the help."""


@app.command()
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


@app.command()
def evaluate(
    model: Model,
    dataset: Annotated[Path, typer.Option(help="Folder written by `cardiac-zoo data`.")],
    split: Annotated[Split, typer.Option(help="validation to choose anything; test once, at the end.")] = Split.test,
    samples: Annotated[int, typer.Option(min=1, help="Fréchet distances take exactly 1,000.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples at a time.")] = 50,
    groups: Annotated[
        str | None, typer.Option(help="Which, separated by commas; all but utility by default, which takes long.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Keeps samples and features, so that it can go on.")] = None,
    segmenter: Annotated[Path | None, typer.Option(help="Folder of another segmenter than the published one.")] = None,
    classifier: Annotated[Path | None, typer.Option(help="Folder of another classifier; likewise.")] = None,
    extractor: Annotated[
        list[str] | None, typer.Option(help="In whose features, such as inception_v3 for FID; may be repeated.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a picture of likely copies and real images.")] = None,
    output: Annotated[Path | None, typer.Option(help="Metrics file to add to, instead of the model's own.")] = None,
) -> None:
    """Measure a model under the protocol; adds to its metrics.json and renders its card.

    Figures of the validation split choose a model and are not published: they go to metrics-validation.json.
    """
    from zoo.hub import datasets as hub_datasets
    from zoo.metrics import evaluate as measure
    from zoo.metrics.extractors import load_extractor
    from zoo.metrics.judging import evaluate_judge
    from zoo.published import layout, metrics_file
    from zoo.published.loading import find_folder

    folder = find_folder(model)
    if output is None and folder != Path(model):
        raise ZooError("--output: expected a file, since a model on the Hub cannot be added to")
    own = metrics_file.METRICS_FILE if split is Split.test else "metrics-validation.json"
    target = output or folder / own
    if layout.is_network(folder):
        pipe, found = None, evaluate_judge(folder, hub_datasets.load(dataset), split.value)
    else:
        pipe = on_best_device(zoo.from_pretrained(folder))
        found = measure(
            pipe,
            hub_datasets.load(dataset),
            split=split.value,
            num_samples=samples,
            seed=seed,
            batch_size=batch_size,
            groups=groups.split(",") if groups else None,
            segmenter=segmenter,
            classifier=classifier,
            extractors=[load_extractor(name) for name in extractor or []],
            model_dir=folder,
            cache_dir=cache,
            report_dir=report,
        )
    metrics = metrics_file.merge_metrics(metrics_file.read(target), found)
    metrics_file.save(target, metrics)
    typer.echo(target)
    if target == folder / metrics_file.METRICS_FILE:
        write_card(folder, pipe)


@app.command()
def utility(
    model: Model,
    dataset: Annotated[Path, typer.Option(help="Your patients: a folder written by `cardiac-zoo data`.")],
    split: Annotated[Split, typer.Option(help="validation to choose anything; test once, at the end.")] = Split.test,
    num_samples: Annotated[int, typer.Option(min=2, help="How many synthetic images, or pairs with masks.")] = 1000,
    seeds: Annotated[int, typer.Option(help="Trainings of each network, at least 3.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the samples and of the first training.")] = 0,
    same_data: Annotated[
        list[str] | None,
        typer.Option(metavar="SHARE=MODEL", help="Model that saw this share of the patients alone; may be repeated."),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Keeps samples and trainings, so that it can go on.")] = None,
    output: Annotated[Path | None, typer.Option(help="Metrics file to add the figures to.")] = None,
) -> None:
    """Tell whether a model's samples help networks that are tested on your patients: a table and a sentence."""
    from zoo.cards.utility_text import utility_text
    from zoo.hub import datasets as hub_datasets
    from zoo.metrics import evaluate as measure
    from zoo.metrics.utility.segmentation import SameData
    from zoo.published import metrics_file
    from zoo.published.loading import find_folder

    generators = {}
    for entry in same_data or []:
        share, equals, name = entry.partition("=")
        if not equals:
            raise ZooError(f"--same-data: expected SHARE=MODEL, such as 0.1=FOLDER, got {entry}")
        folder = find_folder(name)
        trained_on = metrics_file.load_metrics(folder).get("training", {}).get("dataset", {})
        pipe = on_best_device(zoo.from_pretrained(folder))
        generators[numbers(share, "--same-data")[0]] = SameData(pipe, trained_on.get("fingerprint"))
    folder = find_folder(model)
    found = measure(
        on_best_device(zoo.from_pretrained(folder)),
        hub_datasets.load(dataset),
        split=split.value,
        num_samples=num_samples,
        seed=seed,
        groups=["utility"],
        utility_seeds=seeds,
        same_data=generators,
        model_dir=folder,
        cache_dir=cache,
    )
    if "utility" not in found:
        raise ZooError(f"{model}: cannot help with {dataset}, the reasons stand above")
    if output is not None:
        metrics_file.save(output, metrics_file.merge_metrics(metrics_file.read(output), found))
    typer.echo(utility_text(found["utility"]), nl=False)


@app.command()
def verify(
    model: Model,
    dataset: Annotated[Path, typer.Option(help="The one that the figures were measured on.")],
    groups: Annotated[
        str | None, typer.Option(help="Which, separated by commas; all published ones but utility by default.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Some samples and projections alone, in seconds.")] = False,
    segmenter: Annotated[Path | None, typer.Option(help="Folder of the segmenter, if not the published one.")] = None,
    classifier: Annotated[Path | None, typer.Option(help="Folder of the classifier; likewise.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples at a time.")] = 50,
    cache: Annotated[Path | None, typer.Option(help="A new folder, so that an interrupted one can go on.")] = None,
) -> None:
    """Compute a card's figures again and compare; exit code 1 and a table if some do not hold.

    Weights and dataset are checked first. Speed, memory and seconds depend on the machine and are not compared.
    """
    from zoo.cards.verification_text import verification_text
    from zoo.hub import datasets as hub_datasets
    from zoo.metrics.verify import verify as check
    from zoo.published.loading import find_folder
    from zoo.published.metrics_file import load_metrics

    folder = find_folder(model)
    metrics = load_metrics(folder)
    result = check(
        on_best_device(zoo.from_pretrained(folder)),
        hub_datasets.load(dataset),
        metrics,
        folder,
        groups=groups.split(",") if groups else None,
        quick=quick,
        segmenter=segmenter,
        classifier=classifier,
        batch_size=batch_size,
        cache_dir=cache,
    )
    typer.echo(verification_text(result), nl=False)
    if result.differences:
        raise typer.Exit(1)


@app.command()
def card(model: ModelFolder) -> None:
    """Render a model's card from its metrics.json; draws samples.png if the folder has none."""
    write_card(model)


@app.command()
def compare(
    models: Annotated[
        list[Path] | None, typer.Argument(help="Folders of models; all of model_cards by default.")
    ] = None,
    format: Annotated[TableFormat, typer.Option(help="How to write the table.")] = TableFormat.text,
    update: Annotated[Path | None, typer.Option(help="Markdown file whose results section is replaced.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Picture to draw: quality over speed and coverage.")] = None,
) -> None:
    """Print the results table of models, the reference rows beside them; csv and html have every figure."""
    from zoo.cards import tables
    from zoo.cards.trilemma import draw_trilemma

    models = models or tables.list_models("model_cards")
    if update is not None:
        tables.update_section(update, tables.results_table(models, "md"))
        typer.echo(update)
    if figure is not None:
        typer.echo(draw_trilemma(models, figure))
    if update is None and figure is None:
        typer.echo(tables.results_table(models, format.value), nl=False)


@app.command("list")
def list_zoo(
    root: Annotated[Path, typer.Argument(help="Folder that holds the models' folders.")] = Path("model_cards"),
    hub: Annotated[str | None, typer.Option(metavar="ORG", help="List those of this account on the Hub.")] = None,
    sort: Annotated[str | None, typer.Option(metavar="METRIC", help="Metric to rank by; for --hub.")] = None,
) -> None:
    """List the models of a folder, or those on the Hub, ranked by what their cards say."""
    if hub is not None:
        from zoo.hub.listing import hub_table

        typer.echo(hub_table(hub, sort), nl=False)
        return
    if sort is not None:
        raise ZooError("--sort: expected --hub too; `cardiac-zoo compare` has the figures of a folder")
    from zoo.cards.tables import models_table

    typer.echo(models_table(root), nl=False)


@app.command()
def generate(
    model: Model,
    output: Annotated[Path, typer.Option(help="Folder to write.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many images.")] = 16,
    pathology: Annotated[str | None, typer.Option("--class", help="Pathology or label, by name.")] = None,
    phase: Annotated[str | None, typer.Option(help="ED or ES.")] = None,
    slice_level: Annotated[str | None, typer.Option(help="basal, mid or apical.")] = None,
    seed: Annotated[int, typer.Option(help="Sample i depends on it and on i alone.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps of a diffusion model.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale of a conditional diffusion model.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time; changes the speed alone.")] = 16,
    format: Annotated[ImageFormat, typer.Option(help="NIfTI has the spacing in millimetres.")] = ImageFormat.png,
    with_masks: Annotated[bool, typer.Option("--with-masks", help="Each with its mask; of models of pairs.")] = False,
    revision: Revision = None,
    overwrite: Overwrite = False,
) -> None:
    """Generate images as files, with samples.csv that says what each of them is."""
    from zoo import samples

    check_output(output, samples.LIST_FILE, overwrite)
    pipe = on_best_device(zoo.from_pretrained(model, revision=revision))
    asked = {next(iter(pipe.class_names), "class"): pathology, "phase": phase, "slice_level": slice_level}
    settings = {"num_inference_steps": steps, "guidance_scale": guidance}
    samples.write_samples(
        pipe,
        output,
        count,
        classes={name: label for name, label in asked.items() if label is not None},
        seed=seed,
        batch_size=batch_size,
        format=format.value,
        with_masks=with_masks,
        **{name: value for name, value in settings.items() if value is not None},
    )
    typer.echo(f"{output}: {count} {'images with masks' if with_masks else 'images'} and {samples.LIST_FILE}")


@app.command()
def style_sweep(
    model: Model,
    output: Annotated[Path, typer.Option(help="Folder to write; a sweep that stopped there goes on.")],
    content: Annotated[str | None, typer.Option(help="Model whose images are styled; MODEL's own by default.")] = None,
    dataset: Annotated[Path | None, typer.Option(help="Its nearest train image is the style, not the mean.")] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many content images.")] = 8,
    seed: Annotated[int, typer.Option(help="Content image i depends on it and on i alone.")] = 0,
    feature_network: Annotated[str | None, typer.Option(help="cvae-encoder, efficientnet-lite0, vgg19.")] = None,
    style_weight: Annotated[str, typer.Option(help="Separated by commas, as all below.")] = "0.01,0.1,1,10,100",
    content_weight: Annotated[str, typer.Option(help="The ratio of the weights is what counts.")] = "1",
    learning_rate: Annotated[str, typer.Option(help="Of the model's own optimizer.")] = "0.05,0.01,0.005,0.001",
    iterations: Annotated[int, typer.Option(min=1, help="Steps; 1000 in the study.")] = 100,
    segmenter: Annotated[Path | None, typer.Option(help="Folder of a segmenter, to measure the harm.")] = None,
    store_style_images: Annotated[
        bool, typer.Option("--store-style-images", help="They may be patients'; not to be published then.")
    ] = False,
) -> None:
    """Style images with every combination of settings, into a dataset that a dashboard reads."""
    import torch

    from zoo import datasets, style
    from zoo.hub import datasets as hub_datasets
    from zoo.pipelines import StyleTransferPipeline, sample_generators
    from zoo.published.networks import load_judge

    pipe = on_best_device(zoo.from_pretrained(model))
    if not isinstance(pipe, StyleTransferPipeline):
        raise ZooError(f"{model}: expected a model of family style-transfer, got {pipe.family}")
    grid = style.Grid(
        feature_networks=(feature_network or pipe.config.feature_network).split(","),
        style_weights=numbers(style_weight, "--style-weight"),
        content_weights=numbers(content_weight, "--content-weight"),
        learning_rates=numbers(learning_rate, "--learning-rate"),
        num_iterations=iterations,
    )
    settings = {"generator": sample_generators(seed, range(count)), "output_type": "pt"}
    if content is None:
        images = pipe(count, num_iterations=1, **settings).content_images
    else:
        images = on_best_device(zoo.from_pretrained(content))(count, **settings).images
    styles = None
    if dataset is not None:
        built = hub_datasets.load(dataset)
        datasets.check_compatible(built, pipe.sample_size, pipe.num_channels)
        styles = torch.from_numpy(datasets.images(built.dataset["train"])).permute(0, 3, 1, 2) / 255
    style.style_sweep(
        pipe,
        images,
        output,
        grid,
        style_images=styles,
        store_style_images=store_style_images,
        segment=load_judge(segmenter, "segmenter").masks if segmenter else None,
        source={"model": model, "content": content or model, "seed": seed, "dataset": dataset and dataset.name},
    )
    typer.echo(f"{output}: {count * len(grid.feature_networks) * len(grid.combinations):,} styled images")


def numbers(text: str, option: str) -> list[float]:
    """Numbers separated by commas.

    Raises:
        ZooError: If one is none.
    """
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise ZooError(f"{option}: expected numbers separated by commas, got {text}") from error


@app.command()
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


@app.command()
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
) -> None:
    """Upload a dataset to the Hub, in one commit."""
    from zoo.hub import datasets as hub_datasets

    typer.echo(hub_datasets.push(folder, repo_id, private=private))


@app.command()
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


@app.command()
def push_metrics(owner: Owner, private: Private = None) -> None:
    """Publish the metrics as `evaluate` modules, for `evaluate.load("ORG/name")`."""
    from zoo.hub import push as hub_push

    for repo_id in hub_push.push_metrics(owner, private=private):
        typer.echo(repo_id)


@app.command()
def collection(
    owner: Owner,
    root: Annotated[Path, typer.Option(help="Folder that holds the models' folders.")] = Path("model_cards"),
    private: Private = None,
    tag: Tag = None,
) -> None:
    """Publish every model, the metrics and the Space, and gather them in a collection."""
    from zoo.hub import push as hub_push

    for line in hub_push.push_collection(owner, models=root, private=private, tag=tag):
        typer.echo(line)


@app.command()
def pull(
    repo_id: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Repo on the Hub.")],
    output: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write, new or empty.")],
    type: Annotated[RepoType, typer.Option(help="What the repo is.")] = RepoType.model,
    revision: Revision = None,
) -> None:
    """Download a whole repo from the Hub; the folder is whole or absent."""
    from zoo.hub.pull import pull as hub_pull

    typer.echo(hub_pull(repo_id, output, repo_type=type.value, revision=revision))


@app.command()
def space(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where it listens; a free one from 7860 on by default.")
    ] = None,
) -> None:
    """Open the Space on this machine, in a checkout of the project; ZOO_MODELS names other models than its own."""
    script = Path(zoo.__file__).resolve().parents[1] / "spaces" / "cardiac-mri-zoo" / "app.py"
    if not script.is_file():
        raise ZooError(f"{script}: not found; expected a checkout of the project, which holds the Space")
    if find_spec("gradio") is None:
        raise ZooError("gradio: not installed, run `pip install cardiac-mri-zoo[space]`")
    own = {} if port is None else {"GRADIO_SERVER_PORT": str(port)}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, str(script)], os.environ | own)


def write_card(folder: Path, pipe=None) -> None:
    """The card, and the sample picture where there is none yet."""
    from zoo import samples
    from zoo.cards import model_card, network_card
    from zoo.published import layout

    if layout.is_network(folder):
        typer.echo(network_card.render_network_card(folder))
        return
    if not (folder / model_card.SAMPLES_FILE).exists():
        pipe = pipe or on_best_device(zoo.from_pretrained(folder))
        samples.sample_grid(pipe).save(folder / model_card.SAMPLES_FILE)
    typer.echo(model_card.render_card(folder))


def check_output(folder: Path, marker: str, overwrite: bool) -> None:
    """Refuses to write over anything but an earlier output of the same kind, and over that only if asked to.

    Raises:
        ZooError: If the folder is not empty.
    """
    if folder.is_file():
        raise ZooError(f"{folder}: expected a folder, found a file")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / marker).is_file():
        raise ZooError(f"{folder}: expected a new or empty folder")
    if not overwrite:
        raise ZooError(f"{folder}: is not empty; name another folder or say --overwrite")


def on_best_device(pipe):
    """The pipeline on the GPU, if there is one."""
    import torch

    return pipe.to("cuda") if torch.cuda.is_available() else pipe


def main() -> None:
    """Runs the command line: bad input is one line on stderr and exit code 2, Ctrl-C is exit code 130."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # unwinds, so that temporary folders are removed
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns of parts that are not used here
    try:
        app(arguments)
    except (ZooError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        is_file_error = isinstance(error, OSError) and error.filename is not None
        message = f"{error.filename}: {error.strerror}" if is_file_error else str(error)
        print(f"cardiac-zoo: error: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(2)
