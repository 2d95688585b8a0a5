"""Making images."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.shared import Model, Overwrite, Revision, check_output, load_model, numbers
from zoo.errors import ZooError
from zoo.files import partial_folder


class ImageFormat(StrEnum):
    """How samples are stored."""

    png = "png"
    npy = "npy"
    nifti = "nifti"
    parquet = "parquet"


class ExportFormat(StrEnum):
    """What other runtimes read."""

    onnx = "onnx"


def generate(
    model: Model,
    output: Annotated[Path, typer.Option(help="Folder to write.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many images.")] = 16,
    pathology: Annotated[str | None, typer.Option("--class", help="Pathology or label, by name.")] = None,
    phase: Annotated[str | None, typer.Option(help="ED or ES.")] = None,
    slice_level: Annotated[str | None, typer.Option(help="basal, mid or apical.")] = None,
    wall_thickness: Annotated[float | None, typer.Option(help="Mean wall in mm, of models of hearts to order.")] = None,
    septal_wall: Annotated[float | None, typer.Option(help="Septum in mm; likewise.")] = None,
    lateral_wall: Annotated[float | None, typer.Option(help="Lateral wall in mm; likewise.")] = None,
    cavity_area: Annotated[float | None, typer.Option(help="Left ventricle in mm²; likewise.")] = None,
    rv_area: Annotated[float | None, typer.Option(help="Right ventricle in mm²; likewise.")] = None,
    seed: Annotated[int, typer.Option(help="Sample i depends on it and on i alone.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps of a diffusion model.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale of a conditional diffusion model.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time; changes the speed alone.")] = 16,
    format: Annotated[ImageFormat, typer.Option(help="NIfTI has the spacing in mm.")] = ImageFormat.png,
    with_masks: Annotated[bool, typer.Option("--with-masks", help="Each with its mask; of models of pairs.")] = False,
    revision: Revision = None,
    overwrite: Overwrite = False,
) -> None:
    """Generate images as files, with samples.csv that says what each of them is; what was stopped goes on."""
    from zoo import samples
    from zoo.samples.processes import Processes

    check_output(output, samples.LIST_FILE, overwrite)
    pipe = load_model(model, revision)
    asked = {next(iter(pipe.class_names), "class"): pathology, "phase": phase, "slice_level": slice_level}
    settings = {"num_inference_steps": steps, "guidance_scale": guidance}
    quantities = {
        "wall_thickness_mm": wall_thickness,
        "septal_wall_mm": septal_wall,
        "lateral_wall_mm": lateral_wall,
        "cavity_area_mm2": cavity_area,
        "rv_area_mm2": rv_area,
    }
    try:
        samples.write_samples(
            pipe,
            output,
            count,
            classes={name: label for name, label in asked.items() if label is not None},
            seed=seed,
            batch_size=batch_size,
            format=format.value,
            with_masks=with_masks,
            quantities={name: value for name, value in quantities.items() if value is not None},
            anew=overwrite,
            **{name: value for name, value in settings.items() if value is not None},
        )
    except (SystemExit, KeyboardInterrupt):
        if (done := partial_folder(output)).is_dir():
            typer.echo(f"{done}: what is done; the same command goes on", err=True)
        raise
    if Processes().is_first:
        typer.echo(f"{output}: {count} {'images with masks' if with_masks else 'images'} and {samples.LIST_FILE}")


def style_sweep(
    model: Model,
    output: Annotated[Path, typer.Option(help="Folder to write; a sweep that stopped there goes on.")],
    content: Annotated[str | None, typer.Option(help="Model whose images are styled; MODEL's own by default.")] = None,
    dataset: Annotated[Path | None, typer.Option(help="Its nearest train image is the style, not the mean.")] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many content images.")] = 8,
    seed: Annotated[int, typer.Option(help="Content image i depends on it and on i alone.")] = 0,
    feature_network: Annotated[str | None, typer.Option(help="cvae-encoder, efficientnet-lite0, vgg19.")] = None,
    style_weight: Annotated[str, typer.Option(help="Separated by commas, as all below.")] = "0.01,0.1,1,10,100",
    content_weight: Annotated[str, typer.Option(help="Of a relative loss their ratio is what counts.")] = "1",
    learning_rate: Annotated[str, typer.Option(help="Of the model's own optimizer.")] = "0.05,0.01,0.005,0.001",
    iterations: Annotated[int, typer.Option(min=1, help="Steps; 1000 in the study.")] = 100,
    style_loss: Annotated[
        str, typer.Option(help="relative; gram or maps, whose weights are absolute, as in study B.")
    ] = "relative",
    study_b: Annotated[
        bool, typer.Option("--study-b", help="Study B's own grid, 8,192 combinations of 1,000 steps, by maps.")
    ] = False,
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

    pipe = load_model(model)
    if not isinstance(pipe, StyleTransferPipeline):
        raise ZooError(f"{model}: expected a model of family style-transfer, got {pipe.family}")
    networks = (feature_network or pipe.config.feature_network).split(",")
    grid = style.Grid(
        feature_networks=networks,
        style_weights=numbers(style_weight, "--style-weight"),
        content_weights=numbers(content_weight, "--content-weight"),
        learning_rates=numbers(learning_rate, "--learning-rate"),
        num_iterations=iterations,
        style_loss=style_loss,
    )
    if study_b:
        grid = style.Grid.of_study_b(networks)
    settings = {"generator": sample_generators(seed, range(count)), "output_type": "pt"}
    if content is None:
        images = pipe(count, num_iterations=1, **settings).content_images
    else:
        images = load_model(content)(count, **settings).images
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


def export(
    model: Model,
    output: Annotated[Path, typer.Option(help="Folder to write.")],
    format: Annotated[ExportFormat, typer.Option(help="For onnxruntime and other runtimes of ONNX.")],
    revision: Revision = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the networks that a model draws with for another runtime, each checked against torch."""
    from zoo import exports
    from zoo.exports.onnx_files import ABOUT_FILE
    from zoo.published.loading import find_folder

    check_output(output, ABOUT_FILE, overwrite)
    about = exports.export_onnx(find_folder(model, revision), output)
    for name, network in about["networks"].items():
        typer.echo(f"{output / name}.{format.value}: differs from torch by {network['largest_difference']:.1e}")
