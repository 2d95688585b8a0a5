"""Which sampling settings suit a model: KID and FD on validation patients, variety, closed rings, classes as asked.

    python training/compare_sampling.py outputs/runs/ddpm-acdc-64/pipeline --num_inference_steps 6 8 10 25

Every combination of the values that are given is tried with the same seeds, so that differences are of the settings
alone. It prints a Markdown table, the best KID first, with the Fréchet distance, which is lower the more samples there
are, the MS-SSIM of pairs beside that of the training images, and of hearts the share of closed rings and their mean
wall beside those of the validation images; recipes and `publish.py` take what was chosen by it.

    python training/compare_sampling.py ddpm-acdc-64 --turbo turbo-acdc-64 --curve outputs/curve

With `--curve` it is KID and seconds of six schedulers by their steps, as `curve.csv` and `curve.png`.
"""

import argparse
import itertools
import time
from pathlib import Path
from typing import get_args

import torch
from rich.progress import track

import zoo
import zoo.hub.datasets
from common.errors import told_in_one_line
from common.recipe import AlgorithmType
from common.samples import draw_samples
from common.sampling_curve import measure, points, write_curve
from common.schedulers import set_scheduler
from zoo.errors import ZooError
from zoo.files import check_folder
from zoo.metrics.anatomy import knows_hearts, measure_hearts
from zoo.metrics.asked import asked_classes, shared_conditions
from zoo.metrics.diversity import diversity_row
from zoo.metrics.extractors import EfficientNetLite0Extractor, FeatureExtractor, extract
from zoo.metrics.functional import frechet_distance, kid
from zoo.metrics.image_set import ImageSet, from_split, of_samples
from zoo.metrics.judges import find_judge
from zoo.pipelines import ScorePipeline
from zoo.published.networks import Judge

SETTINGS = (
    "scheduler",
    "algorithm_type",
    "last_ratio",
    "last_steps",
    "sampler",
    "num_inference_steps",
    "guidance_scale",
    "temperature",
)
OF_THE_PIPELINE = ("last_ratio", "last_steps")  # of these, what is no keyword of a call


def grid(values: dict[str, list | None]) -> list[dict]:
    """Every combination of the settings that were given values, as keywords."""
    given = {name: values[name] for name in SETTINGS if values[name]}
    return [dict(zip(given, combination, strict=True)) for combination in itertools.product(*given.values())]


def ms_ssim_of_pairs(images: ImageSet, seed: int) -> float:
    """Mean over random pairs: below that of training images is noise, above collapse."""
    return diversity_row(images, seed)["ms_ssim"]["value"]


def rings_and_walls(images: ImageSet, segmenter: Judge) -> tuple[float, float]:
    """Share of the images in which the segmenter finds one closed ring of myocardium, and their mean wall in mm."""
    measures = measure_hearts(images, segmenter).measures
    return measures["ring_closed"].float().mean().item(), measures["wall_thickness_mm"].nanmean().item()


def draw_curve(models: list, options: argparse.Namespace, real: torch.Tensor, extractor: FeatureExtractor) -> None:
    """Measures every point of the curve, and writes table and figure anew after each.

    Raises:
        ZooError: If a model takes no steps, or a scheduler does not take so many.
    """
    check_folder(options.curve)
    todo, rows = [], []
    for pipe in models:
        if "scheduler" not in pipe.components:
            raise ZooError(f"--curve: a {type(pipe).__name__} has no scheduler")
        pipe.set_progress_bar_config(disable=True)
        todo += [(pipe, *point) for point in points(pipe, options.num_inference_steps)]
    for pipe, sampler, steps in track(todo, "points", transient=True):
        try:
            rows.append(measure(pipe, sampler, steps, real, extractor, options.samples, options.seed))
        except ValueError as error:
            raise ZooError(f"{sampler}, {steps} steps: {error}") from error
        write_curve(rows, options.curve)
    print(f"{options.curve}: curve.csv and curve.png, {len(rows)} points")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder or name of a model")
    parser.add_argument("--curve", type=Path, help="folder of a table and a figure of all schedulers by steps")
    parser.add_argument("--turbo", help="a model tuned for few steps, beside them")
    parser.add_argument("--dataset", type=Path, default=Path("outputs/data/acdc-64"))
    parser.add_argument("--samples", type=int, default=200, help="of each combination")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scheduler", nargs="+", help="scheduler classes of diffusers")
    parser.add_argument("--algorithm_type", nargs="+", choices=get_args(AlgorithmType), help="of the scheduler")
    parser.add_argument("--sampler", nargs="+", choices=ScorePipeline.samplers, help="of a score model")
    parser.add_argument("--num_inference_steps", nargs="+", type=int)
    parser.add_argument("--guidance_scale", nargs="+", type=float)
    parser.add_argument("--temperature", nargs="+", type=float, help="of a one-pass generator")
    parser.add_argument("--last_ratio", nargs="+", type=float, help="of hearts")
    parser.add_argument("--last_steps", nargs="+", type=int, help="likewise")
    options = parser.parse_args(arguments)
    if options.samples < 2:
        raise ZooError(f"--samples: expected at least 2, got {options.samples}")

    built = zoo.hub.datasets.load(options.dataset)
    pipe = zoo.from_pretrained(options.model)
    pipe.set_progress_bar_config(disable=True)
    extractor = EfficientNetLite0Extractor()
    validation = from_split(built, "validation")
    real = extract(extractor, validation.images)
    if options.curve:
        models = [pipe, *([zoo.from_pretrained(options.turbo)] if options.turbo else [])]
        draw_curve(models, options, real, extractor)
        return
    train_ms_ssim = ms_ssim_of_pairs(from_split(built, "train"), options.seed)
    classifier = find_judge("classifier", built)
    segmenter = find_judge("segmenter", built)
    hearts = segmenter is not None and knows_hearts(segmenter)
    conditions = shared_conditions(pipe, classifier)

    combinations, rows = grid(vars(options)), []
    for settings in track(combinations, "settings", transient=True):
        call = dict(settings)
        if options.scheduler or options.algorithm_type:
            set_scheduler(pipe, call.pop("scheduler", None), call.pop("algorithm_type", None))
        pipe.register_to_config(**{name: call.pop(name) for name in OF_THE_PIPELINE if name in call})
        start = time.perf_counter()
        try:
            samples = draw_samples(pipe, options.samples, options.seed, **call)
        except (ValueError, TypeError) as error:
            raise ZooError(f"{options.model}: {error}") from error
        drawn, features = of_samples(samples), extract(extractor, samples)
        cells = [*settings.values(), kid(features, real), frechet_distance(features, real)]
        cells.append(ms_ssim_of_pairs(drawn, options.seed))
        if hearts:
            cells += rings_and_walls(drawn, segmenter)
        if conditions:
            found = classifier.probabilities(samples)
            asked = asked_classes(pipe, call, options.seed, options.samples)
            cells += [(found[name].argmax(1) == asked[name][1]).float().mean().item() for name in conditions]
        rows.append([*cells, options.samples / (time.perf_counter() - start)])

    if hearts:
        rings, wall = rings_and_walls(validation, segmenter)
    names = list(combinations[0])
    rows.sort(key=lambda cells: cells[len(names)])
    heads = [
        *names,
        "KID",
        "FD",
        f"MS-SSIM of pairs (training {train_ms_ssim:.3f})",
        *([f"closed rings (validation {rings:.3f})", f"wall in mm (validation {wall:.2f})"] if hearts else []),
        *(f"{condition} as asked" for condition in conditions),
        "samples/s",
    ]
    for cells in (heads, ["---"] * len(heads), *rows):
        print(f"| {' | '.join(f'{cell:.4g}' if isinstance(cell, float) else str(cell) for cell in cells)} |")


if __name__ == "__main__":
    with told_in_one_line():
        main()
