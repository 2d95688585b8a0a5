"""Do a card's figures hold? Computed again from the published weights and the dataset, and compared one by one.

How far a figure may be off: 1e-3 relative on the machine that `cost.hardware` names, 2 % on any other, bounds included.
Relative to what is computed here, never to what is published, so that no number of the file changes what is allowed.
Near zero a relative tolerance means nothing, so three kinds of numbers have an absolute one:

- value, bounds and distances to real of one figure share a unit. They are allowed the same: the relative tolerance of
  the largest of value and bounds. A KID of 0.0002 between -0.01 and 0.01 is no more exact than that interval.
- what counts images moves in steps of one image: a sample at the threshold is a copy or not by its last digit. Shares
  may move by 0.002 on the same machine and 0.01 on another; the bounds of one image in 1,000 move by nearly two.
- everything may be off by 1e-6, the rounding of float32.

Speed, memory and seconds are not compared: they are facts about a machine and its load. Group `utility` is computed
again only if it is asked for by name, since it takes dozens of trainings, and only on the same machine and without a
GPU: elsewhere the roundings differ, and trainings part ways by them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.files import sha256
from zoo.hardware import describe_hardware, same_machine
from zoo.metrics.cost import size_figures
from zoo.metrics.evaluate import GROUPS, evaluate
from zoo.metrics.extractors import EXTRACTORS, FeatureExtractor

SAME_MACHINE, OTHER_MACHINE = 1e-3, 2e-2
SHARE_STEP = {SAME_MACHINE: 0.002, OTHER_MACHINE: 0.01}
ROUNDING = 1e-6
SHARES = ("share_", "precision_", "recall_", "density_", "coverage_", "ring_closed", "empty", "class_accuracy")
SHARES += ("baseline_", "cas_", "nas_")
NAMES = [group.name for group in GROUPS]
LONG_GROUPS = {group.name for group in GROUPS if group.is_long}
SAME_DATA = "dice_same_data_"  # figures of group `utility` that take further models
ONE_UNIT = {"value", "low", "high", "difference_to_real", "wasserstein_to_real", "wasserstein_train_to_test"}
MACHINE_BOUND = {
    "samples_per_second_batch_1",
    "samples_per_second_batch_16",
    "peak_memory_mb",
    "hardware",
    "seconds_per_image",
}


@dataclass(frozen=True)
class Difference:
    """A number of the file that did not come out again.

    Args:
        figure (`str`): Where it stands in `metrics.json`, such as `distribution.fd_efficientnet_lite0.low`.
        published, recomputed: What the file says and what came out; `None` where there is nothing.
        allowed (`float`, *optional*): How far apart they may be; `None` for what must be equal.
    """

    figure: str
    published: Any
    recomputed: Any
    allowed: float | None = None


@dataclass
class Verification:
    """What `verify` found; the figures hold if `differences` is empty.

    Args:
        same_machine (`bool`): Whether this is the machine that the card names.
        hardware (`str`): The machine that this was computed on.
        compared (`int`): Numbers that were compared.
        differences (`list[Difference]`): Those that do not agree.
        not_verified (`list[str]`): What could not be compared, each with the reason.
    """

    same_machine: bool
    hardware: str
    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    not_verified: list[str] = field(default_factory=list)

    @property
    def tolerance(self) -> float:
        """The relative one."""
        return SAME_MACHINE if self.same_machine else OTHER_MACHINE


def verify(
    pipe,
    data: BuiltDataset,
    metrics: dict,
    model_dir: str | Path,
    *,
    groups: Sequence[str] | None = None,
    quick: bool = False,
    extractors: Sequence[FeatureExtractor] | None = None,
    segmenter: str | Path | None = None,
    classifier: str | Path | None = None,
    batch_size: int = 50,
    cache_dir: str | Path | None = None,
    progress: bool = True,
) -> Verification:
    """Computes the published figures of a model again, with the split, seed, count and settings that stand beside them.

    The weights' hashes and the dataset's fingerprint come first: where these differ, nothing else is computed.

    Args:
        pipe: The pipeline of `model_dir`.
        data (`BuiltDataset`): The dataset that the figures were measured on.
        metrics (`dict`): The model's `metrics.json`.
        model_dir (path): The model's folder.
        groups (sequence of `str`, *optional*): Which of the published groups; all but `utility` by default.
        quick (`bool`): Only group `items`: some samples and projections value by value, in seconds. It shows that the
            weights still make the same images, not that the figures over all of them are right.
        extractors (sequence of `FeatureExtractor`, *optional*): Those of the file by default.
        segmenter, classifier (path, *optional*): The folders of the judges, if they were not the published ones.
        batch_size (`int`): Samples a call of the pipeline; changes no figure.
        cache_dir (path, *optional*): Where what is computed is kept, so that it can go on after an interruption. What
            an evaluation left in its cache is not computed again.
        progress (`bool`): Whether to say on stderr what is being done.

    Raises:
        ZooError: If a group asked for is not published, the file lacks a field, or the dataset does not fit the model.
    """
    chosen = _chosen_groups(metrics, ("items",) if quick else groups)
    hardware = describe_hardware(torch.device(pipe.device))
    result = Verification(same_machine(hardware, metrics.get("cost", {}).get("hardware", "")), hardware)

    # 1. Is it the same model and the same dataset, sampled by settings that it knows?
    weights = {p.relative_to(model_dir).as_posix(): sha256(p) for p in sorted(Path(model_dir).rglob("*.safetensors"))}
    own = {**pipe.default_settings, "dtype": str(getattr(pipe, "dtype", torch.float32)).removeprefix("torch.")}
    asked = metrics.get("samples", {}).get("settings", own)
    settings = {key: value for key, value in asked.items() if own.get(key) != value}
    fixed = {key: value for key, value in settings.items() if key not in signature(pipe.__call__).parameters}
    published = {
        "model": {"sha256": _field(metrics, "model", "sha256", dict)},
        "dataset": {"fingerprint": _field(metrics, "dataset", "fingerprint", str)},
        "samples": {"settings": fixed},
    }
    recomputed = {
        "model": {"sha256": weights},
        "dataset": {"fingerprint": data.info["fingerprint"]},
        "samples": {"settings": {key: own[key] for key in fixed if key in own}},
    }
    _compare(published, recomputed, result)
    if missing := sorted(set(weights) - set(published["model"]["sha256"])):
        result.differences += [Difference(f"model.sha256.{name}", None, weights[name]) for name in missing]
    if result.differences:
        result.not_verified.append("figures: another model, dataset or sampler, so nothing was computed")
        return result

    # 2. The figures
    if "utility" in chosen and not (result.same_machine and torch.device(pipe.device).type == "cpu"):
        chosen.remove("utility")
    measured = [group for group in chosen if group != "cost"]
    names = metrics.get("extractors", {}) if {"distribution", "copying"} & set(measured) else {}
    how = _field(metrics, "utility", "settings", dict) if "utility" in chosen else {}
    report = evaluate(
        pipe,
        data,
        split=_field(metrics, "dataset", "split", str),
        num_samples=_field(metrics, "samples", "count", int) if "samples" in metrics else 1000,
        seed=_field(metrics, "samples", "seed", int) if "samples" in metrics else 0,
        batch_size=batch_size,
        settings=settings,
        groups=measured,
        extractors=extractors or [_extractor(name) for name in names],
        segmenter=segmenter,
        classifier=classifier,
        model_dir=model_dir,
        cache_dir=cache_dir,
        **({"utility_seeds": how.get("seeds", 0), "utility_shares": how.get("shares")} if how else {}),
        progress=progress,
    )
    if "cost" in chosen:
        report["cost"] = size_figures(pipe, settings, model_dir)
    _compare(_figures(metrics, chosen, report), _figures(report, chosen, report), result)
    result.not_verified += _not_verified(metrics, chosen)
    return result


def _chosen_groups(metrics: dict, groups: Sequence[str] | None) -> list[str]:
    """The groups to compute, in the order of an evaluation."""
    published = [group for group in NAMES if group in metrics]
    for group in groups or ():
        if group not in published:
            raise ZooError(f"metrics.json: no group {group!r} that can be verified, it has {', '.join(published)}")
    if not published:
        raise ZooError("metrics.json: no figures; run `cardiac-zoo evaluate` first")
    return [group for group in published if (group not in LONG_GROUPS if groups is None else group in groups)]


def _field(metrics: dict, group: str, key: str, kind: type):
    value = metrics.get(group, {}).get(key)
    if not isinstance(value, kind):
        raise ZooError(f"metrics.json: {group}.{key}: expected {kind.__name__}, got {value!r}")
    return value


def _extractor(name: str) -> FeatureExtractor:
    if name not in EXTRACTORS:
        raise ZooError(f"metrics.json: extractors: unknown {name!r}, expected one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]()


def _figures(metrics: dict, groups: list[str], report: dict) -> dict:
    """The part of a metrics file that `report` computes again: groups, their reference rows, what they are about."""
    about = {key: metrics.get(key, {}) for key in ("dataset", "samples", "extractors") if key in report}
    about["model"] = {"family": metrics.get("model", {}).get("family")}
    rows = {
        row: {group: figures[group] for group in groups if group in figures}
        for row, figures in metrics.get("references", {}).items()
    }
    figures = {group: metrics[group] for group in groups if group in metrics}
    if "utility" in figures:
        kept = {key: figure for key, figure in figures["utility"].items() if not key.startswith(SAME_DATA)}
        figures["utility"] = kept
    return about | figures | {"references": rows}


def _not_verified(metrics: dict, groups: list[str]) -> list[str]:
    """What stands in the file and was not compared, with reasons."""
    reasons = []
    if "cost" in groups or "projection" in groups:
        reasons.append("speed, memory and seconds: facts about a machine and its load")
    if others := [group for group in NAMES if group in metrics and group not in LONG_GROUPS.union(groups)]:
        reasons.append(f"{', '.join(others)}: not asked for")
    if "utility" in metrics and "utility" not in groups:
        reasons.append("utility: trained again only if asked for by name, on the same machine and without a GPU")
    if any(key.startswith(SAME_DATA) for key in metrics.get("utility", {})):
        reasons.append(f"{SAME_DATA}…: further models made their pairs")
    if "training" in metrics:
        reasons.append("training: not measured by `cardiac-zoo evaluate`")
    return reasons


def _compare(published: dict, recomputed: dict, result: Verification) -> None:
    """Adds to `result` what differs between two nested dicts of figures, as far as the first goes.

    A figure that only the second has is no claim; a part of a published figure that is left out, such as a bound, is.
    """
    theirs, ours = dict(_leaves(published)), dict(_leaves(recomputed))
    for path in [*theirs, *(path for path in ours if path not in theirs and _is_part(path, theirs))]:
        allowed = _allowed(path, ours, result.tolerance)
        if path[-1] == "copied_patients" and not result.same_machine:
            continue  # one sample at the threshold adds or removes a patient; the share says how many there are
        result.compared += 1
        if not _agree(theirs.get(path), ours.get(path), allowed):
            name = ".".join(map(str, path))
            result.differences.append(Difference(name, theirs.get(path), ours.get(path), allowed))


def _leaves(content: dict | list, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """What can be compared, with its path: numbers, texts and lists of texts."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        if key in MACHINE_BOUND:
            continue
        numbers = isinstance(value, list) and value and not any(isinstance(item, str) for item in value)
        if numbers or isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _is_part(path: tuple, published: dict) -> bool:
    """Whether a path belongs to a figure, or a list of numbers, that is published without it."""
    return (*path[:-1], 0 if isinstance(path[-1], int) else "value") in published


def _allowed(path: tuple, ours: dict, tolerance: float) -> float | None:
    """How far a number may be from what is computed here; `None` where it must be equal, as counts and texts must."""
    value = ours.get(path)
    if not isinstance(value, float):
        return None
    scale = abs(value)
    if path[-1] in ONE_UNIT:
        parts = [ours.get((*path[:-1], part)) for part in ("value", "low", "high")]
        scale = max(abs(part) for part in [value, *parts] if isinstance(part, float))
    is_share = any(str(part).startswith(SHARES) for part in path)
    return max(tolerance * scale, SHARE_STEP[tolerance] if is_share else ROUNDING)


def _agree(published, recomputed, allowed: float | None) -> bool:
    if allowed is None:
        return type(published) is type(recomputed) and published == recomputed
    if isinstance(published, bool) or not isinstance(published, int | float):
        return False
    return abs(published - recomputed) <= allowed  # false for NaN, too
