"""A pipeline and a dataset in, the groups of `metrics.json` out."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo.datasets import BuiltDataset, check_compatible
from zoo.errors import ZooError
from zoo.files import sha256
from zoo.metrics import (
    anatomy,
    conditioning,
    control,
    copy_report,
    copying,
    cost,
    distribution,
    diversity,
    items,
    projection,
    unpaired,
)
from zoo.metrics.cache import Cache
from zoo.metrics.context import Context, Group
from zoo.metrics.extractors import EfficientNetLite0Extractor, FeatureExtractor, TrainedExtractor
from zoo.metrics.judges import find_judge
from zoo.metrics.utility import group as utility
from zoo.metrics.utility.segmentation import SHARES, SameData
from zoo.published.loading import name_of
from zoo.published.metrics_file import HAD_A_PART, SCHEMA_VERSION
from zoo.samples.processes import Processes

GROUPS = (
    cost.GROUP,
    copying.GROUP,
    diversity.GROUP,
    distribution.GROUP,
    projection.GROUP,
    unpaired.GROUP,
    anatomy.GROUP,
    conditioning.GROUP,
    control.GROUP,
    items.GROUP,
    utility.GROUP,
)
"""The groups in the order in which they are measured."""
JUDGED = {"anatomy", "conditioning", "control"}  # groups that networks measure
NO_SAMPLES = {"cost", "projection"}  # groups that no sample set stands behind


def evaluate(
    pipe,
    data: BuiltDataset,
    *,
    split: str = "test",
    num_samples: int = 1000,
    seed: int = 0,
    batch_size: int = 50,
    settings: dict | None = None,
    groups: Sequence[str] | None = None,
    extractors: Sequence[FeatureExtractor] | None = None,
    segmenter: str | Path | None = None,
    classifier: str | Path | None = None,
    model_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    report_dir: str | Path | None = None,
    utility_seeds: int = utility.SEEDS,
    utility_shares: Sequence[float] | None = None,
    same_data: dict[float, SameData] | None = None,
    progress: bool = True,
) -> dict:
    """Measures a pipeline under the zoo's evaluation protocol.

    Sample `i` depends on the seed and `i` alone. Samples are rounded to 8 bits as PNG files would be, since the real
    images have no more. With `cache_dir` and `model_dir`, an evaluation that was interrupted goes on where it stopped.
    Processes of `accelerate launch` draw the samples together; the first then measures.

    Args:
        pipe: A pipeline of the zoo. Its own progress bars are switched off.
        data (`BuiltDataset`): A dataset of the model's image size and channels, with `train`, `validation` and `split`.
        split (`str`): What the samples are measured against: `validation` to choose anything, `test` once.
        num_samples (`int`): How many samples; the distances of group `distribution` take 1,000.
        seed (`int`): The seed of the samples, the projections and of what is drawn from the dataset.
        batch_size (`int`): Samples a call of the pipeline.
        settings (`dict`, *optional*): Keywords of the call that differ from the pipeline's defaults.
        groups (sequence of `str`, *optional*): Which of `cost`, `copying`, `diversity`, `distribution`,
            `projection`, `unpaired`, `anatomy`, `conditioning`, `control`, `items` and `utility`; all but the last by
            default, which takes dozens of trainings. A pipeline without `project` has no group `projection`, an
            unconditional one no `conditioning`, one that takes no masks no `control`, one without classes and masks no
            `utility`, and images that are not of hearts have no `anatomy`. Where no judge was trained on the dataset,
            `anatomy` and `conditioning` are measured only if they are asked for by name.
        extractors (sequence of `FeatureExtractor`, *optional*): The networks in whose features `distribution` and
            `copying` are measured, the latter in those alone that do not know the patients; by default
            EfficientNet-Lite0, and segmenter and classifier where these fit the dataset; never a segmenter of hearts.
            Without group `distribution` there is no default, and `copying` is measured in pixels alone.
        segmenter (path, *optional*): Folder, Hub id or name of the segmenter of group `anatomy`; by default the
            published one that was trained on the dataset and fits, as from `find_judge`.
        classifier (path, *optional*): That of group `conditioning`; likewise.
        model_dir (path, *optional*): The folder the pipeline was loaded from; gives name, hashes and checkpoint size.
        cache_dir (path, *optional*): Where samples, features and the reference rows are kept between evaluations.
        report_dir (path, *optional*): Where group `copying` puts a picture of the samples nearest to training images.
            It shows real images, and so cannot lie in a model's folder.
        utility_seeds (`int`): Trainings of each network of group `utility`, at least 3.
        utility_shares (sequence of `float`, *optional*): The shares of the real patients, in (0, 1], whose segmenters
            group `utility` trains with and without pairs; 5, 10, 25 and 100 % by default.
        same_data (`dict[float, SameData]`, *optional*): For group `utility`, generators of pairs that saw a share of
            the training patients and no others, by that share.
        progress (`bool`): Whether to say on stderr what is being done: which networks judge, and which groups are left
            out and why.

    Returns:
        `dict`: `metrics.json` without `training`, and without `model` where no `model_dir` is given. Nothing in all
        processes but the first.

    Raises:
        ZooError: If the dataset does not fit the model, a count is too small for a group, or samples are NaN or
            constant.
    """
    if split not in ("validation", "test"):
        raise ZooError(f"split: expected 'validation' or 'test', got {split!r}")
    if num_samples < 2 or batch_size < 1:
        raise ZooError(f"num_samples, batch_size: expected at least 2 and 1, got {num_samples} and {batch_size}")
    names = [group.name for group in GROUPS]
    if unknown := [name for name in groups or () if name not in names]:
        raise ZooError(f"groups: unknown group {unknown[0]!r}, expected some of {', '.join(names)}")
    report_dir = None if report_dir is None else copy_report.check_folder(report_dir, model_dir)
    check_compatible(data, pipe.sample_size, pipe.num_channels)
    model_dir = None if model_dir is None else Path(model_dir)
    files = [] if model_dir is None else sorted(model_dir.rglob("*.safetensors"))
    weights = {path.relative_to(model_dir).as_posix(): sha256(path) for path in files}
    with TemporaryDirectory(prefix="zoo-features-") as scratch:  # no image goes twice through an extractor
        run = Context(
            pipe=pipe,
            data=data,
            split=split,
            num_samples=num_samples,
            seed=seed,
            batch_size=batch_size,
            settings=settings or {},
            extractors=list(extractors or []),
            segmenter=find_judge("segmenter", data, segmenter, "anatomy" in (groups or ())),
            classifier=find_judge("classifier", data, classifier, "conditioning" in (groups or ())),
            model_dir=model_dir,
            weights=weights,
            cache=Cache(cache_dir),
            model_cache=Cache(cache_dir if weights else None),  # without hashes no model is known again
            feature_dir=cache_dir or scratch,
            report_dir=report_dir,
            utility_seeds=utility_seeds,
            utility_shares=tuple(utility_shares or SHARES),
            same_data=same_data or {},
            progress=progress and Processes().is_first,
        )
        return _report(run, groups)


def _measurable(run: Context, asked: Sequence[str] | None) -> list[Group]:
    """The groups to measure. What is left out of those that are asked for, or belong to the default, is said."""
    fitting, chosen = getattr(run.pipe, "measured_by", [group.name for group in GROUPS]), []
    for group in GROUPS:
        if group.is_long if asked is None else group.name not in asked:
            continue
        reason = group.why_not(run) if group.name in fitting else f"not for models of the family {run.pipe.family}"
        if reason is None:
            chosen.append(group)
        else:
            run.announce(group.name, f"left out: {reason}")
    if JUDGED & {group.name for group in chosen}:
        run.announce("judges", ", ".join(str(judge) for judge in (run.segmenter, run.classifier) if judge))
    return chosen


def _described(extractor: FeatureExtractor, pipe) -> dict:
    """What is written down of an extractor, and whether the model's images were made with its help."""
    guide = getattr(pipe, "config", {}).get("feature_network", "").replace("-", "_")
    return extractor.describe() | ({HAD_A_PART: True} if guide == extractor.name else {})


def _report(run: Context, asked: Sequence[str] | None) -> dict:
    """Measures the groups one after the other."""
    chosen = _measurable(run, asked)
    names = {group.name for group in chosen}
    if "distribution" in names and not run.extractors:
        judges = [judge for judge in (run.segmenter, run.classifier) if judge and not anatomy.knows_hearts(judge)]
        run.extractors = [EfficientNetLite0Extractor(), *map(TrainedExtractor, judges)]
    for group in chosen:
        group.check(run)
    if hasattr(run.pipe, "set_progress_bar_config"):
        run.pipe.set_progress_bar_config(disable=True)
    if (processes := Processes()).count > 1 and names - NO_SAMPLES:
        _ = run.drawn  # by all of them; what follows is for one, and must not be timed beside others
        if not processes.is_first:
            return {}

    report = {"schema_version": SCHEMA_VERSION}
    if run.weights:
        report["model"] = {"name": name_of(run.model_dir), "family": run.pipe.family, "sha256": run.weights}
    report["dataset"] = run.data.describe(run.split)
    if names - NO_SAMPLES:
        report["samples"] = {"count": run.num_samples, "seed": run.seed, "settings": run.sampling_settings}
    if run.extractors and {"copying", "distribution"} & names:
        report["extractors"] = {extractor.name: _described(extractor, run.pipe) for extractor in run.extractors}
    report["references"] = {}
    for group in chosen:
        found, rows = group.measure(run)
        if found:
            report[group.name] = found
        for row, figures in rows.items():
            report["references"].setdefault(row, {})[group.name] = figures
    return report
