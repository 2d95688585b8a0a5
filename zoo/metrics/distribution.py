"""Does the sample set look like the data? Fréchet and kernel distances in the features of each extractor."""

from pathlib import Path

from zoo.errors import ZooError
from zoo.metrics.extractors import FeatureExtractor, extract
from zoo.metrics.functional import frechet_distance, kid
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import two_sample_figure

NUM_SAMPLES = 1000
MIN_REFERENCE = 100


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
    """`fd_<extractor>` and `kid_<extractor>` of 1,000 samples against all images of a split."""
    row = {}
    for extractor in extractors:
        ours, theirs = (
            extract(extractor, images, cache_dir=cache_dir, progress=progress).double()
            for images in (samples.images, reference.images)
        )
        for name, statistic in (("fd", frechet_distance), ("kid", kid)):
            row[f"{name}_{extractor.name}"] = two_sample_figure(statistic, ours, theirs, samples.ids, reference.ids)
    return row


def add_real(row: dict, real: dict) -> dict:
    """Puts each distance beside the one that real training images have: FD as a ratio, KID as a difference."""
    for key, entry in row.items():
        if key.startswith("fd_"):
            entry["ratio_to_real"] = entry["value"] / real[key]["value"]
        else:
            entry["difference_to_real"] = entry["value"] - real[key]["value"]
    return row
