"""Measuring models, and showing what was measured: figures, cards and tables."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.shared import Model, ModelFolder, load_model, numbers
from zoo.errors import ZooError


class Split(StrEnum):
    """What samples are measured against."""

    validation = "validation"
    test = "test"


class TableFormat(StrEnum):
    """How the results table is written."""

    md = "md"
    csv = "csv"
    html = "html"
    text = "text"


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
    segmenter: Annotated[str | None, typer.Option(help="Folder, Hub id or name of another segmenter.")] = None,
    classifier: Annotated[str | None, typer.Option(help="Of another classifier; likewise.")] = None,
    extractor: Annotated[
        list[str] | None, typer.Option(help="In whose features, such as inception_v3 for FID; may be repeated.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of the one extractor: file for inception_v3, folder or Hub id for dinov2, clip.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a picture of likely copies and real images.")] = None,
    output: Annotated[Path | None, typer.Option(help="Metrics file to add to, instead of the model's own.")] = None,
) -> None:
    """Measure a model under the protocol; adds to its metrics.json and renders its card.

    Figures of the validation split choose a model and are not published: they go to metrics-validation.json. Under
    `accelerate launch --num_processes N -m zoo.cli evaluate …` N processes draw the samples; the first measures them.
    """
    from zoo.hub import datasets as hub_datasets
    from zoo.metrics import evaluate as measure
    from zoo.metrics.extractors import load_extractor
    from zoo.metrics.judging import evaluate_judge
    from zoo.published import layout, metrics_file
    from zoo.published.loading import find_folder
    from zoo.published.places import resolve
    from zoo.samples.processes import Processes

    if weights is not None and len(extractor or []) != 1:
        raise ZooError(f"--weights: expected one --extractor that they are of, got {len(extractor or [])}")
    folder = find_folder(model)
    if output is None and isinstance(resolve(model), str):
        raise ZooError("--output: expected a file, since a model on the Hub cannot be added to")
    own = metrics_file.METRICS_FILE if split is Split.test else "metrics-validation.json"
    target = output or folder / own
    if layout.is_network(folder):
        pipe, found = None, evaluate_judge(folder, hub_datasets.load(dataset), split.value)
    else:
        pipe = load_model(folder)
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
            extractors=[load_extractor(name, weights) for name in extractor or []],
            model_dir=folder,
            cache_dir=cache,
            report_dir=report,
        )
    if not Processes().is_first:
        return
    metrics = metrics_file.merge_metrics(metrics_file.read(target), found)
    metrics_file.save(target, metrics)
    typer.echo(target)
    if target == folder / metrics_file.METRICS_FILE:
        write_card(folder, pipe)


def utility(
    models: Annotated[list[str], typer.Argument(help="Folder or repo id of a model; or of one for each class.")],
    dataset: Annotated[Path, typer.Option(help="Your patients: a folder written by `cardiac-zoo data`.")],
    split: Annotated[Split, typer.Option(help="validation to choose anything; test once, at the end.")] = Split.test,
    num_samples: Annotated[int, typer.Option(min=2, help="How many synthetic images, or pairs with masks.")] = 1000,
    seeds: Annotated[int, typer.Option(help="Trainings of each network, at least 3.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the samples and of the first training.")] = 0,
    classes: Annotated[
        str | None, typer.Option(help="The class of each model, separated by commas, if each makes only one.")
    ] = None,
    study_c: Annotated[
        bool, typer.Option("--study-c", help="By study C's classifiers: a grid of SVMs, SkinLesNet for 75 epochs.")
    ] = False,
    shares: Annotated[
        str | None,
        typer.Option(help="Of your patients, for segmenters, separated by commas; 0.05,0.1,0.25,1 by default."),
    ] = None,
    same_data: Annotated[
        list[str] | None,
        typer.Option(metavar="SHARE=MODEL", help="Model that saw this share of the patients alone; may be repeated."),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Keeps samples and trainings, so that it can go on.")] = None,
    output: Annotated[Path | None, typer.Option(help="Metrics file to add the figures to.")] = None,
) -> None:
    """Tell whether samples help networks that are tested on your patients: a table and a sentence.

    They are of one model, or of one model a class: `utility MALIGNANT BENIGN --classes malignant,benign`.
    """
    from zoo.hub import datasets as hub_datasets
    from zoo.metrics import evaluate as measure
    from zoo.metrics.utility import study_c as study_c_module
    from zoo.metrics.utility.one_class import utility_of_classes
    from zoo.metrics.utility.segmentation import SameData
    from zoo.published import metrics_file
    from zoo.published.loading import find_folder

    if classes is not None or len(models) > 1 or study_c:
        names = classes.split(",") if classes else []
        if same_data or shares or len(set(names)) != len(models):
            raise ZooError(
                f"--classes: expected one for each of {len(models)} models, no --shares and no --same-data, got {names}"
            )
        options = {}
        if study_c:
            options = {"classifiers": study_c_module.CLASSIFIERS, "descriptions": study_c_module.DESCRIPTIONS}
        found = utility_of_classes(
            {name: (load_model(model), find_folder(model)) for name, model in zip(names, models, strict=True)},
            hub_datasets.load(dataset),
            split.value,
            num_samples=num_samples,
            seed=seed,
            seeds=seeds,
            cache_dir=cache,
            **options,
        )
        _show_utility(found, output)
        return
    (model,) = models
    generators = {}
    for entry in same_data or []:
        share, equals, name = entry.partition("=")
        if not equals:
            raise ZooError(f"--same-data: expected SHARE=MODEL, such as 0.1=FOLDER, got {entry}")
        folder = find_folder(name)
        trained_on = metrics_file.load_metrics(folder).get("training", {}).get("dataset", {})
        pipe = load_model(folder)
        generators[numbers(share, "--same-data")[0]] = SameData(pipe, trained_on.get("fingerprint"))
    folder = find_folder(model)
    found = measure(
        load_model(folder),
        hub_datasets.load(dataset),
        split=split.value,
        num_samples=num_samples,
        seed=seed,
        groups=["utility"],
        utility_seeds=seeds,
        utility_shares=numbers(shares, "--shares") if shares else None,
        same_data=generators,
        model_dir=folder,
        cache_dir=cache,
    )
    if "utility" not in found:
        raise ZooError(f"{model}: cannot help with {dataset}, the reasons stand above")
    _show_utility(found, output)


def _show_utility(found: dict, output: Path | None) -> None:
    """The figures for a terminal, and into a file."""
    from zoo.cards.utility_text import utility_text
    from zoo.published import metrics_file

    if output is not None:
        metrics_file.save(output, metrics_file.merge_metrics(metrics_file.read(output), found))
    typer.echo(utility_text(found["utility"]), nl=False)


def verify(
    model: Model,
    dataset: Annotated[Path, typer.Option(help="The one that the figures were measured on.")],
    groups: Annotated[
        str | None, typer.Option(help="Which, separated by commas; all published ones but utility by default.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Some samples and projections alone, in seconds.")] = False,
    segmenter: Annotated[str | None, typer.Option(help="The segmenter, if not the published one.")] = None,
    classifier: Annotated[str | None, typer.Option(help="The classifier; likewise.")] = None,
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
        load_model(folder),
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


def card(model: ModelFolder) -> None:
    """Render a model's card from its metrics.json; draws samples.png if the folder has none."""
    write_card(model)


def compare(
    models: Annotated[
        list[str] | None, typer.Argument(help="Folders, Hub ids or names of models; all published by default.")
    ] = None,
    format: Annotated[TableFormat, typer.Option(help="How to write the table.")] = TableFormat.text,
    update: Annotated[Path | None, typer.Option(help="Markdown file whose results section is replaced.")] = None,
    front: Annotated[bool, typer.Option("--front", help="With --update: the best of each kind alone.")] = False,
    figure: Annotated[Path | None, typer.Option(help="Picture to draw: quality over speed and coverage.")] = None,
) -> None:
    """Print the results table of models, the reference rows beside them; csv and html have every figure."""
    from zoo.cards import tables
    from zoo.cards.trilemma import draw_trilemma
    from zoo.published.loading import DESCRIPTION, find_folder

    folders = [find_folder(model, files=DESCRIPTION) for model in models or published_models().values()]
    if update is not None:
        tables.update_section(update, tables.front_table(folders) if front else tables.results_table(folders, "md"))
        typer.echo(update)
    if figure is not None:
        typer.echo(draw_trilemma(folders, figure))
    if update is None and figure is None:
        typer.echo(tables.results_table(folders, format.value), nl=False)


def list_models(
    root: Annotated[
        Path | None, typer.Argument(help="Folder that holds the models' folders; all published ones by default.")
    ] = None,
    hub: Annotated[str | None, typer.Option(metavar="ORG", help="List those of this account on the Hub.")] = None,
    sort: Annotated[str | None, typer.Option(metavar="METRIC", help="Metric to rank by; for --hub.")] = None,
) -> None:
    """List the published models, those of a folder, or those on the Hub, ranked by what their cards say.

    Published are those that ZOO_MODELS names, or without it those of the checkout.
    """
    if hub is not None:
        from zoo.hub.listing import hub_table

        typer.echo(hub_table(hub, sort), nl=False)
        return
    if sort is not None:
        raise ZooError("--sort: expected --hub too; `cardiac-zoo compare` has the figures of a folder")
    from zoo.cards.tables import models_table
    from zoo.published.loading import DESCRIPTION, find_folder

    found = {name: find_folder(source, files=DESCRIPTION) for name, source in published_models(root).items()}
    typer.echo(models_table(found), nl=False)


def published_models(root: Path | None = None) -> dict[str, Path | str]:
    """The generators in a folder, or all that are published, by name.

    Raises:
        ZooError: If there are none.
    """
    from zoo.published import places

    found = {path.name: path for path in places.list_models(root)} if root else places.generators()
    if not found:
        raise ZooError(f"{root or places.looked_in()}: no models, expected folders with model_index.json")
    return found


def write_card(folder: Path, pipe=None) -> None:
    """The card, and the sample picture where there is none yet."""
    from zoo import samples
    from zoo.cards import model_card, network_card
    from zoo.published import layout

    if layout.is_network(folder):
        typer.echo(network_card.render_network_card(folder))
        return
    if not (folder / model_card.SAMPLES_FILE).exists():
        pipe = pipe or load_model(folder)
        samples.sample_grid(pipe).save(folder / model_card.SAMPLES_FILE)
    typer.echo(model_card.render_card(folder))
