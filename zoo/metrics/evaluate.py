"""A pipeline and a dataset in, the groups of `metrics.json` out."""

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from zoo.datasets import BuiltDataset, check_compatible
from zoo.errors import ZooError
from zoo.files import sha256
from zoo.metrics import copying, distribution, diversity, projection, references
from zoo.metrics.cache import Cache
from zoo.metrics.cost import cost_group
from zoo.metrics.extractors import EfficientNetLite0Extractor, FeatureExtractor
from zoo.metrics.image_set import ImageSet, check_contrast, from_floats, from_split
from zoo.metrics.intervals import mean_figure
from zoo.pipelines import sample_generators

SCHEMA_VERSION = 1
GROUPS = ("cost", "copying", "diversity", "distribution", "projection")

# Measured on one core at 64x64: seconds an image through the extractor, and for its comparison with a training image.
SECONDS_PER_FEATURE = 0.02
SECONDS_PER_COMPARISON = 5e-6


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
    model_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    progress: bool = True,
) -> dict:
    """Measures a pipeline under the zoo's evaluation protocol.

    Sample `i` depends on the seed and `i` alone. Samples are rounded to 8 bits as PNG files would be, since the real
    images have no more. With `cache_dir` and `model_dir`, an evaluation that was interrupted goes on where it stopped.

    Args:
        pipe: A pipeline of the zoo. Its own progress bars are switched off.
        data (`BuiltDataset`): A dataset of the model's image size and channels, with `train`, `validation` and `split`.
        split (`str`): What the samples are measured against: `validation` to choose anything, `test` once.
        num_samples (`int`): How many samples; the distances of group `distribution` take 1,000.
        seed (`int`): The seed of the samples, the projections and of what is drawn from the dataset.
        batch_size (`int`): Samples a call of the pipeline.
        settings (`dict`, *optional*): Keywords of the call that differ from the pipeline's defaults.
        groups (sequence of `str`, *optional*): Which of `cost`, `copying`, `diversity`, `distribution` and
            `projection`; all by default. A pipeline without `project` has no group `projection`.
        extractors (sequence of `FeatureExtractor`, *optional*): The networks of group `distribution`;
            EfficientNet-Lite0 by default.
        model_dir (path, *optional*): The folder the pipeline was loaded from; gives name, hashes and checkpoint size.
        cache_dir (path, *optional*): Where samples, features and the reference rows are kept between evaluations.
        progress (`bool`): Whether to say on stderr what is being done.

    Returns:
        `dict`: `metrics.json` without `training`, and without `model` where no `model_dir` is given.

    Raises:
        ZooError: If the dataset does not fit the model, a count is too small for a group, or samples are NaN or
            constant.
    """
    run = _Evaluation(pipe, data, split, num_samples, seed, settings or {}, groups, extractors, cache_dir, progress)
    return run.measure(batch_size, model_dir)


class _Evaluation:
    """The steps of `evaluate` and what they share."""

    def __init__(self, pipe, data, split, num_samples, seed, settings, groups, extractors, cache_dir, progress):
        groups = GROUPS if groups is None else tuple(groups)
        for group in groups:
            if group not in GROUPS:
                raise ZooError(f"groups: unknown group {group!r}, expected some of {', '.join(GROUPS)}")
        if split not in ("validation", "test"):
            raise ZooError(f"split: expected 'validation' or 'test', got {split!r}")
        check_compatible(data, pipe.sample_size, pipe.num_channels)
        self.pipe, self.data, self.split, self.num_samples, self.seed = pipe, data, split, num_samples, seed
        self.settings = settings
        self.groups = [g for g in GROUPS if g in groups and (g != "projection" or hasattr(pipe, "project"))]
        self.train, self.reference = from_split(data, "train"), from_split(data, split)
        if "distribution" in groups:
            distribution.check_counts(num_samples, len(self.train), len(self.reference), split)
            self.extractors = list(extractors or [EfficientNetLite0Extractor()])
        else:
            self.extractors = []
        self.has_patients = "patient_ids" in data.info["splits"]["train"]
        self.cache, self.cache_dir, self.progress = Cache(cache_dir), cache_dir, progress
        self.console = Console(stderr=True, quiet=not progress)
        if hasattr(pipe, "set_progress_bar_config"):
            pipe.set_progress_bar_config(disable=True)

    def measure(self, batch_size: int, model_dir: str | Path | None) -> dict:
        weights = {}
        if model_dir is not None:
            folder = Path(model_dir)
            weights = {str(p.relative_to(folder)): sha256(p) for p in sorted(folder.rglob("*.safetensors"))}
        report = {"schema_version": SCHEMA_VERSION}
        if weights:
            report["model"] = {"name": folder.resolve().name, "family": self.pipe.family, "sha256": weights}
        report["dataset"] = self._dataset()
        if "cost" in self.groups:  # first, while the process is small
            self._announce("cost", "a few samples at batch 1 and 16")
            report["cost"] = cost_group(self.pipe, self.settings, model_dir)
        if {"copying", "diversity", "distribution"} & set(self.groups):
            samples = self._sample(batch_size, weights, report.get("cost"))
            report["samples"] = {"count": self.num_samples, "seed": self.seed, "settings": self._sampling_settings()}
        if self.extractors:
            report["extractors"] = {extractor.name: extractor.describe() for extractor in self.extractors}
        rows = {"real": {}, "mean_image": {}, "copy": {}}
        for group in self.groups:
            if group == "projection":
                report[group], found = self._projection(weights)
            elif group != "cost":
                report[group], found = getattr(self, f"_{group}")(samples)
            else:
                continue
            for row, figures in found.items():
                rows[row][group] = figures
        report["references"] = {row: figures for row, figures in rows.items() if figures}
        return report

    # What is measured

    def _sample(self, batch_size: int, weights: dict, cost: dict | None) -> ImageSet:
        """The samples, batch by batch; each batch is kept so that an interrupted evaluation can go on."""
        rate = (
            f", about {self._duration(self.num_samples / cost['samples_per_second_batch_16']['value'])}" if cost else ""
        )
        evaluations = self.pipe.network_evaluations(**self.settings)
        self._announce("samples", f"{self.num_samples:,} images, {evaluations} network evaluations each{rate}")
        cache = self.cache if weights else Cache(None)
        batches = [range(k, min(k + batch_size, self.num_samples)) for k in range(0, self.num_samples, batch_size)]
        images = []
        for batch in track(batches, "  sampling", disable=not self.progress):
            depends_on = [weights, self._sampling_settings(), self.seed, batch.start, batch.stop]
            images.append(cache.tensor("samples", depends_on, lambda batch=batch: self._sample_batch(batch)))
        images = torch.cat(images)
        check_contrast(images, "samples")
        return ImageSet(images, [str(i) for i in range(len(images))])

    def _sample_batch(self, batch: range) -> torch.Tensor:
        output = self.pipe(
            batch_size=len(batch), generator=sample_generators(self.seed, batch), output_type="pt", **self.settings
        )
        return from_floats(output.images, "samples")

    def _copying(self, samples: ImageSet) -> tuple[dict, dict]:
        comparisons = len(samples) * (len(self.train) + len(self.reference))
        details = f"{len(samples):,} samples with {len(self.train):,} training and {len(self.reference):,} other images"
        self._announce("copying", details, comparisons * SECONDS_PER_COMPARISON)
        found = self._references("copying", self._copying_references)
        rows = found.pop("rows")
        near = self._nearest(samples)
        near_split = copying.nearest_training(samples.images, self.reference, self.progress)
        group = copying.copying_row(near, samples.ids, found["threshold"]) | found
        group[f"nearest_ssim_{self.split}"] = mean_figure(near_split.ssim, samples.ids)
        if self.has_patients:
            copied = near.index[near.ratio <= found["threshold"]].tolist()
            group["copied_patients"] = sorted({self.train.ids[i] for i in copied})
        return group, rows

    def _copying_references(self) -> dict:
        """The rows, the threshold they calibrate, and its false alarms on patients that training has not seen."""
        sets = dict(self._rows()) | {"real": from_split(self.data, "validation")}
        found = {row: self._nearest(images) for row, images in sets.items()}
        limit = copying.threshold(found["copy"].ratio, found["real"].ratio)
        rows = {row: copying.copying_row(found[row], images.ids, limit) for row, images in sets.items()}
        result = {"rows": rows, "threshold": limit, "share_copies_real": rows["real"]["share_copies"]}
        if self.split == "test":  # the threshold knows nothing of these patients
            unseen = copying.copying_row(self._nearest(self.reference), self.reference.ids, limit)
            result["share_copies_real_test"] = unseen["share_copies"]
        return result

    def _diversity(self, samples: ImageSet) -> tuple[dict, dict]:
        self._announce("diversity", f"{diversity.NUM_PAIRS:,} pairs", 5)
        rows = self._references(
            "diversity", lambda: {row: diversity.diversity_row(images, self.seed) for row, images in self._rows()}
        )
        group = diversity.diversity_row(samples, self.seed)
        return group | {f"{name}_train": entry for name, entry in rows["real"].items()}, rows

    def _distribution(self, samples: ImageSet) -> tuple[dict, dict]:
        images = len(samples) * len(self.extractors)
        names = ", ".join(extractor.name for extractor in self.extractors)
        self._announce("distribution", f"{len(samples):,} samples through {names}", images * SECONDS_PER_FEATURE)

        def row(images: ImageSet) -> dict:
            return distribution.distribution_row(images, self.reference, self.extractors, self.cache_dir, self.progress)

        def reference_rows() -> dict:
            found = {name: row(images) for name, images in self._rows()}
            return {name: distribution.add_real(figures, found["real"]) for name, figures in found.items()}

        rows = self._references("distribution", reference_rows)
        return distribution.add_real(row(samples), rows["real"]), rows

    def _projection(self, weights: dict) -> tuple[dict, dict]:
        chosen = projection.choose_images(self.data.dataset[self.split], self.seed)
        targets = self.reference[chosen]
        settings = list(self.pipe.projection_settings)
        self._announce("projection", f"{len(targets)} {self.split} images, {len(settings)} setting(s)")

        def reference_rows() -> dict:
            answers = {
                "mean_image": references.mean_row(self.train, len(targets)).floats,
                "copy": projection.nearest_by_mse(targets.floats, self.train.floats),
            }
            return {row: projection.similarity(targets.floats, images, targets.ids) for row, images in answers.items()}

        cache = self.cache if weights else Cache(None)
        group = cache.json(
            "projection",
            [SCHEMA_VERSION, weights, self.data.info["fingerprint"], self.split, self.seed, settings],
            lambda: projection.projection_group(self.pipe, targets, self.seed, progress=self.progress),
        )
        return group, self._references("projection", reference_rows)

    # What the groups share

    def _rows(self):
        """The reference rows that stand for a sample set, by name."""
        yield "real", references.real_row(self.train, self.num_samples, self.seed)
        yield "mean_image", references.mean_row(self.train, self.num_samples)
        yield "copy", references.copy_row(self.train, self.num_samples, self.seed)

    def _references(self, group: str, compute) -> dict:
        """The reference rows of a group, which no model changes."""
        depends_on = [SCHEMA_VERSION, self.data.info["fingerprint"], self.split, self.num_samples, self.seed]
        if group == "distribution":
            depends_on += [extractor.describe() for extractor in self.extractors]

        def announced() -> dict:
            self._announce(f"{group}, reference rows", "once for this dataset")
            return compute()

        return self.cache.json(f"references-{group}", depends_on, announced)

    def _nearest(self, images: ImageSet) -> copying.Neighbours:
        return copying.nearest_training(images.images, self.train, self.progress)

    def _sampling_settings(self) -> dict:
        dtype = str(getattr(self.pipe, "dtype", torch.float32)).removeprefix("torch.")
        return {**self.pipe.default_settings, **self.settings, "dtype": dtype}

    def _dataset(self) -> dict:
        info = self.data.info
        entry = {key: info[key] for key in ("name", "preset", "fingerprint")} | {"split": self.split}
        if self.has_patients:
            ids = {name: split["patient_ids"] for name, split in info["splits"].items()}
            entry |= {"patient_ids": ids, "n_patients": len(ids[self.split])}
        return entry | {"n_images": len(self.reference)}

    def _announce(self, what: str, details: str, seconds: float | None = None) -> None:
        cost = f", about {self._duration(seconds)}" if seconds is not None else ""
        self.console.print(f"{what}: {details}{cost}", highlight=False)

    @staticmethod
    def _duration(seconds: float) -> str:
        return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
