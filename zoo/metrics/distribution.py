"""Does the sample set look like the data? Distances and neighbourhoods in the features of each extractor."""

from functools import partial
from pathlib import Path

import torch

from zoo.errors import ZooError
from zoo.metrics.context import Context, Group
from zoo.metrics.extractors import FeatureExtractor, extract
from zoo.metrics.functional import cmmd, frechet_distance, inception_score, kid
from zoo.metrics.functional.manifold import K_DENSITY, K_PRECISION, Distances
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import one_sample_figure, two_sample_figure, within

NUM_SAMPLES = 1000
MIN_REFERENCE = 100
SECONDS_PER_FEATURE = 0.02  # an image through an extractor, on one core at 64x64


def check_counts(num_samples: int, num_train: int, num_reference: int, split: str) -> None:
    """Refuses counts at which the distances would not be comparable with those of the table.

    Raises:
        ZooError: If there are not exactly 1,000 samples, fewer than 1,000 training images or fewer than 100 reference
            images.
    """
    if num_samples != NUM_SAMPLES:
        raise ZooError(
            f"num_samples: group 'distribution' takes exactly {NUM_SAMPLES:,} samples, got {num_samples:,}; "
            "a Fréchet distance depends on the count (leave the group out to measure the others)"
        )
    for name, count, least in (("train", num_train, NUM_SAMPLES), (split, num_reference, MIN_REFERENCE)):
        if count < least:
            raise ZooError(
                f"split {name}: group 'distribution' needs at least {least:,} images of it, got {count:,} "
                "(leave the group out to measure the others)"
            )


def distribution_row(
    samples: ImageSet,
    reference: ImageSet,
    extractors: list[FeatureExtractor],
    cache_dir: str | Path | None = None,
    progress: bool = False,
) -> dict:
    """The figures of 1,000 samples against all images of a split, each with the extractor's name.

    `fd` (or `fid`), `kid` and `cmmd` are of all images. `precision`, `recall`, `density` and `coverage` are of equal
    counts on both sides. `inception_score` is there where the extractor classifies.
    """
    row = {}
    for extractor in extractors:
        ours, theirs = (
            extract(extractor, images, cache_dir=cache_dir, progress=progress).double()
            for images in (samples.images, reference.images)
        )
        figures = {
            name: two_sample_figure(distance, ours, theirs, samples.ids, reference.ids)
            for name, distance in ((extractor.frechet_name, frechet_distance), ("kid", kid), ("cmmd", cmmd))
        }
        figures |= neighbour_figures(ours, theirs, samples.ids, reference.ids)
        probabilities = extractor.probabilities(ours)
        if probabilities is not None:
            figures["inception_score"] = one_sample_figure(inception_score, probabilities, samples.ids)
        row |= {key if key == extractor.frechet_name else f"{key}_{extractor.name}": f for key, f in figures.items()}
    return row


def neighbour_settings(num_samples: int, num_real: int) -> dict:
    """What `neighbour_figures` depend on: the neighbour that a ball reaches to, and the images on either side."""
    count = min(num_samples, num_real)
    return {"k_precision_recall": K_PRECISION, "k_density_coverage": K_DENSITY, "images_a_side": count}


def neighbour_figures(
    samples: torch.Tensor, real: torch.Tensor, sample_ids: list[str], real_ids: list[str], seed: int = 0
) -> dict:
    """Precision, recall, density and coverage, at the count of the smaller set, drawn from the larger one.

    Args:
        samples (`torch.Tensor` of shape `(n, dimensions)`): Features of the samples.
        real (`torch.Tensor` of shape `(m, dimensions)`): Features of the real images.
        sample_ids (`list[str]` of length `n`): What is independent on the sample side.
        real_ids (`list[str]` of length `m`): The patient of each real image.
        seed (`int`): Of the draw, without replacement.
    """
    generator, count = torch.Generator().manual_seed(seed), min(len(samples), len(real))
    ours, theirs = (torch.randperm(len(side), generator=generator)[:count] for side in (samples, real))
    distances = Distances.between(samples[ours], real[theirs])
    ids = [sample_ids[i] for i in ours.tolist()], [real_ids[i] for i in theirs.tolist()]

    def score(name: str, of_samples: torch.Tensor, of_real: torch.Tensor) -> float:
        equal = min(len(of_samples), len(of_real))  # a round that leaves patients out does not leave equal counts
        return getattr(distances.subset(of_samples[:equal], of_real[:equal]), name)()

    highest = {"precision": 1.0, "recall": 1.0, "density": float("inf"), "coverage": 1.0}
    places = torch.arange(count)
    return {
        name: within(two_sample_figure(partial(score, name), places, places, *ids), high=high)
        for name, high in highest.items()
    }


def add_real(row: dict, real: dict) -> dict:
    """Puts each figure beside that of real training images: a Fréchet distance as a ratio, others as a difference."""
    for key, entry in row.items():
        if key.startswith(("fd_", "fid_")):
            entry["ratio_to_real"] = entry["value"] / real[key]["value"]
        else:
            entry["difference_to_real"] = entry["value"] - real[key]["value"]
    return row


def measure(run: Context) -> tuple[dict, dict]:
    """Group `distribution`, in the features of each extractor."""
    samples = run.samples
    names = ", ".join(extractor.name for extractor in run.extractors)
    seconds = len(samples) * len(run.extractors) * SECONDS_PER_FEATURE
    run.announce("distribution", f"{len(samples):,} samples through {names}", seconds)

    def row(images: ImageSet) -> dict:
        return distribution_row(images, run.reference, run.extractors, run.feature_dir, run.progress)

    def reference_rows() -> dict:
        found = {name: row(images) for name, images in run.rows()}
        return {name: add_real(figures, found["real"]) for name, figures in found.items()}

    described = [extractor.describe() for extractor in run.extractors]
    rows = run.references("distribution", reference_rows, described)
    group = add_real(row(samples), rows["real"])
    return group | {"settings": neighbour_settings(len(samples), len(run.reference))}, rows


GROUP = Group(
    "distribution",
    measure,
    check=lambda run: check_counts(run.num_samples, len(run.train), len(run.reference), run.split),
)
