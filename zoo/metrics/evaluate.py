"""A pipeline and a dataset in, the groups of `metrics.json` out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console

from zoo.datasets import BuiltDataset, check_compatible
from zoo.datasets import images as images_of
from zoo.errors import ZooError
from zoo.files import sha256
from zoo.metrics import (
    anatomy,
    conditioning,
    copy_report,
    copying,
    distribution,
    diversity,
    items,
    projection,
    references,
    unpaired,
    utility,
)
from zoo.metrics.cache import Cache
from zoo.metrics.copying import Neighbours
from zoo.metrics.cost import cost_group
from zoo.metrics.extractors import EfficientNetLite0Extractor, FeatureExtractor, TrainedExtractor
from zoo.metrics.feature_copying import FeatureCopies
from zoo.metrics.image_set import ImageSet, check_contrast, from_floats, from_split, of_samples
from zoo.metrics.intervals import mean_figure
from zoo.metrics.judges import find_judge
from zoo.metrics.judging import dice_figures
from zoo.metrics.utility_segmentation import SameData
from zoo.pipelines import sample_generators
from zoo.progress import track

SCHEMA_VERSION = 1
ROWS_VERSION = 4  # of the reference rows that a cache keeps; goes up when their figures or names change
GROUPS = (
    "cost",
    "copying",
    "diversity",
    "distribution",
    "projection",
    "unpaired",
    "anatomy",
    "conditioning",
    "items",
    "utility",
)
LONG_GROUPS = {"utility"}  # dozens of trainings, so only if asked for by name

# Measured on one core at 64x64: an image through the extractor, its comparison with a training image, 1,000 pairs.
SECONDS_PER_FEATURE = 0.02
SECONDS_PER_COMPARISON = 5e-6
SECONDS_OF_DIVERSITY = 4
SECONDS_PER_HEART = 0.015
SECONDS_PER_CLASS = 0.003


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
    same_data: dict[float, SameData] | None = None,
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
        groups (sequence of `str`, *optional*): Which of `cost`, `copying`, `diversity`, `distribution`,
            `projection`, `unpaired`, `anatomy`, `conditioning`, `items` and `utility`; all but the last by default,
            which takes dozens of trainings. A pipeline without `project` has no group `projection`, an unconditional
            one no `conditioning`, one without classes and masks no `utility`, and images that are not of hearts have no
            `anatomy`. Where no judge was trained on the dataset, `anatomy` and `conditioning` are measured only if they
            are asked for by name.
        extractors (sequence of `FeatureExtractor`, *optional*): The networks in whose features `distribution` and
            `copying` are measured, the latter in those alone that do not know the patients; by default
            EfficientNet-Lite0, and segmenter and classifier where these fit the dataset. Without group `distribution`
            there is no default, and `copying` is measured in pixels alone.
        segmenter (path, *optional*): The folder of the segmenter of group `anatomy`; the published one by default.
        classifier (path, *optional*): The folder of the classifier of group `conditioning`; likewise.
        model_dir (path, *optional*): The folder the pipeline was loaded from; gives name, hashes and checkpoint size.
        cache_dir (path, *optional*): Where samples, features and the reference rows are kept between evaluations.
        report_dir (path, *optional*): Where group `copying` puts a picture of the samples nearest to training images.
            It shows real images, and so cannot lie in a model's folder.
        utility_seeds (`int`): Trainings of each network of group `utility`, at least 3.
        same_data (`dict[float, SameData]`, *optional*): For group `utility`, generators of pairs that saw a share of
            the training patients and no others, by that share.
        progress (`bool`): Whether to say on stderr what is being done.

    Returns:
        `dict`: `metrics.json` without `training`, and without `model` where no `model_dir` is given.

    Raises:
        ZooError: If the dataset does not fit the model, a count is too small for a group, or samples are NaN or
            constant.
    """
    with TemporaryDirectory(prefix="zoo-features-") as scratch:  # no image goes twice through an extractor
        run = _Evaluation(
            pipe=pipe,
            data=data,
            split=split,
            num_samples=num_samples,
            seed=seed,
            batch_size=batch_size,
            settings=settings or {},
            groups=None if groups is None else tuple(groups),
            extractors=list(extractors or []),
            judges={"segmenter": segmenter, "classifier": classifier},
            model_dir=None if model_dir is None else Path(model_dir),
            cache_dir=cache_dir,
            feature_dir=cache_dir or scratch,
            report_dir=None if report_dir is None else copy_report.check_folder(report_dir, model_dir),
            utility_seeds=utility_seeds,
            same_data=same_data or {},
            progress=progress,
        )
        return run.report()


@dataclass
class _Evaluation:
    """The arguments of `evaluate`, checked, and a method for each group.

    `measure_<group>` returns the group's figures and, by reference row, those that stand beside them.
    """

    pipe: Any
    data: BuiltDataset
    split: str
    num_samples: int
    seed: int
    batch_size: int
    settings: dict
    groups: tuple[str, ...] | None
    extractors: list[FeatureExtractor]
    judges: dict[str, str | Path | None]
    model_dir: Path | None
    cache_dir: str | Path | None
    feature_dir: str | Path
    report_dir: Path | None
    utility_seeds: int
    same_data: dict[float, SameData]
    progress: bool

    def __post_init__(self):
        asked = self.groups or ()
        for group in asked:
            if group not in GROUPS:
                raise ZooError(f"groups: unknown group {group!r}, expected some of {', '.join(GROUPS)}")
        if self.split not in ("validation", "test"):
            raise ZooError(f"split: expected 'validation' or 'test', got {self.split!r}")
        if self.num_samples < 2 or self.batch_size < 1:
            raise ZooError(
                f"num_samples, batch_size: expected at least 2 and 1, got {self.num_samples} and {self.batch_size}"
            )
        check_compatible(self.data, self.pipe.sample_size, self.pipe.num_channels)
        self.segmenter = find_judge("segmenter", self.data, self.judges["segmenter"], "anatomy" in asked)
        self.classifier = find_judge("classifier", self.data, self.judges["classifier"], "conditioning" in asked)
        self.conditions = conditioning.shared_conditions(self.pipe, self.classifier)
        possible = {
            "projection": hasattr(self.pipe, "project"),
            "anatomy": self.segmenter is not None and anatomy.knows_hearts(self.segmenter),
            "conditioning": bool(self.conditions),
        }
        wanted = set(GROUPS) - LONG_GROUPS if self.groups is None else asked
        self.groups = tuple(group for group in GROUPS if group in wanted and possible.get(group, True))
        self.train, self.reference = from_split(self.data, "train"), from_split(self.data, self.split)
        if "copying" in self.groups:
            self.unseen = from_split(self.data, "validation")
        if "distribution" in self.groups:
            distribution.check_counts(self.num_samples, len(self.train), len(self.reference), self.split)
            trained = [TrainedExtractor(judge) for judge in (self.segmenter, self.classifier) if judge is not None]
            self.extractors = self.extractors or [EfficientNetLite0Extractor(), *trained]
        if "utility" in self.groups:
            utility.check(self.data, self.reference.ids, self.utility_seeds, self.same_data)
        self.has_patients = "patient_ids" in self.data.info["splits"]["train"]
        self.weights = {}
        if self.model_dir is not None:
            files = sorted(self.model_dir.rglob("*.safetensors"))
            self.weights = {path.relative_to(self.model_dir).as_posix(): sha256(path) for path in files}
        self.cache = Cache(self.cache_dir)
        self.model_cache = Cache(self.cache_dir if self.weights else None)  # without hashes no model is known again
        self.console = Console(stderr=True, quiet=not self.progress)
        if hasattr(self.pipe, "set_progress_bar_config"):
            self.pipe.set_progress_bar_config(disable=True)

    def report(self) -> dict:
        """Measures the groups one after the other."""
        report = {"schema_version": SCHEMA_VERSION}
        if self.weights:
            name = self.model_dir.resolve().name
            report["model"] = {"name": name, "family": self.pipe.family, "sha256": self.weights}
        report["dataset"] = self.data.describe(self.split)
        if set(self.groups) & set(GROUPS) - {"cost", "projection"}:
            report["samples"] = {"count": self.num_samples, "seed": self.seed, "settings": self._sampling_settings()}
        if self.extractors and {"copying", "distribution"} & set(self.groups):
            report["extractors"] = {extractor.name: extractor.describe() for extractor in self.extractors}
        report["references"] = {}
        for group in self.groups:  # in their order: memory is measured while the process is small
            found, rows = getattr(self, f"measure_{group}")()
            if found:
                report[group] = found
            for row, figures in rows.items():
                report["references"].setdefault(row, {})[group] = figures
        return report

    @cached_property
    def samples(self) -> ImageSet:
        """The samples, made when a group first needs them."""
        images = self.drawn[:, : self.pipe.num_channels]
        check_contrast(images, "samples")
        return of_samples(images)

    @cached_property
    def drawn(self) -> torch.Tensor:
        """The samples as from `_sample`, made batch by batch; each batch is kept for a later resume."""
        evaluations = self.pipe.network_evaluations(**self.settings)
        self._announce("samples", f"{self.num_samples:,} images, {evaluations} network evaluation(s) each")
        starts = range(0, self.num_samples, self.batch_size)
        images = []
        for start in track(starts, "  sampling", disable=not self.progress):
            batch = range(start, min(start + self.batch_size, self.num_samples))
            depends_on = [self.weights, self._sampling_settings(), self.seed, batch.start, batch.stop]
            images.append(self.model_cache.tensor("samples", depends_on, partial(self._sample, batch)))
        return torch.cat(images)

    def _sample(self, batch: range) -> torch.Tensor:
        """Samples `(n, channels, height, width)`, uint8; of a model of pairs with the mask as a last channel."""
        generators = sample_generators(self.seed, batch)
        output = self.pipe(batch_size=len(batch), generator=generators, output_type="pt", **self.settings)
        images, masks = from_floats(output.images, "samples"), getattr(output, "masks", None)
        return images if masks is None else torch.cat([images, masks[:, None].cpu()], dim=1)

    # The groups

    def measure_cost(self) -> tuple[dict, dict]:
        self._announce("cost", "a few samples at batch 1 and 16")
        return cost_group(self.pipe, self.settings, self.model_dir), {}

    def measure_copying(self) -> tuple[dict, dict]:
        samples = self.samples
        details = f"{len(samples):,} samples with {len(self.train):,} training and {len(self.reference):,} other images"
        comparisons = len(samples) * (len(self.train) + len(self.reference))
        self._announce("copying", details, comparisons * SECONDS_PER_COMPARISON)
        found = self._references("copying", self._copying_references)
        rows = found.pop("rows")
        near = self._nearest(samples), self._nearest(samples, self.reference)
        group = self._copying_row(samples, *near, found) | found
        if self.has_patients:
            copied = near[0].index[near[0].ratio <= found["threshold"]].tolist()
            group["copied_patients"] = sorted({self.train.ids[i] for i in copied})
        if self.report_dir is not None:
            copy_report.write_report(self.report_dir, samples, self.train, near[0], found["threshold"])
        return group, rows

    def _copying_row(self, images: ImageSet, train: Neighbours, split: Neighbours, limits: dict) -> dict:
        """The figures of a row from its nearest images in `train` and in the split, in pixels and in features."""
        row = copying.copying_row(train, images.ids, limits["threshold"], self.pathologies)
        row[f"nearest_ssim_{self.split}"] = mean_figure(split.ssim, images.ids)
        row["membership_auc"] = copying.membership_figure(train, split, self.train.ids, self.reference.ids)
        for check in self.feature_copies:
            row |= check.row(images, limits[f"threshold_{check.name}"])
            if len(images) == distribution.NUM_SAMPLES and len(self.reference) >= distribution.MIN_REFERENCE:
                row |= check.mifid(images, self.reference, limits[f"threshold_mifid_{check.name}"])
        return row

    def _copying_references(self) -> dict:
        """The rows, the thresholds they calibrate, and the false alarms on patients that training has not seen."""
        sets = dict(self._rows()) | {"real": self.unseen}
        near = {row: (self._nearest(images), self._nearest(images, self.reference)) for row, images in sets.items()}
        result = {"threshold": copying.threshold(*(near[row][0].ratio for row in ("copy", "real")))}
        for check in self.feature_copies:
            result[f"threshold_{check.name}"] = copying.threshold(*(check.ratio(sets[row]) for row in ("copy", "real")))
            result[f"threshold_mifid_{check.name}"] = check.mifid_threshold(self.unseen)
        rows = {row: self._copying_row(images, *near[row], result) for row, images in sets.items()}
        false_alarms = {"real": rows["real"]}
        if self.split == "test":  # the thresholds know nothing of these patients
            test = copying.copying_row(self._nearest(self.reference), self.reference.ids, result["threshold"])
            for check in self.feature_copies:
                test |= check.row(self.reference, result[f"threshold_{check.name}"])
            false_alarms["real_test"] = test
        for kind, row in false_alarms.items():
            for name in ("", *(f"_{check.name}" for check in self.feature_copies)):
                result[f"share_copies_{kind}{name}"] = row[f"share_copies{name}"]
        return result | {"rows": rows}

    @cached_property
    def feature_copies(self) -> list[FeatureCopies]:
        """The copy check of each extractor that does not know the training patients."""
        impartial = [extractor for extractor in self.extractors if not extractor.knows_patients]
        return [FeatureCopies(e, self.train, self.feature_dir, self.progress) for e in impartial]

    @cached_property
    def pathologies(self) -> list[str] | None:
        """The pathology of each training image, where the dataset says it of all."""
        rows = self.data.dataset["train"]
        if "pathology" not in rows.column_names or None in rows["pathology"][:]:
            return None
        return rows.features["pathology"].int2str(rows["pathology"][:])

    def measure_diversity(self) -> tuple[dict, dict]:
        samples = self.samples
        self._announce("diversity", f"{diversity.NUM_PAIRS:,} pairs", SECONDS_OF_DIVERSITY)
        row = partial(diversity.diversity_row, seed=self.seed)
        rows = self._references("diversity", lambda: {name: row(images) for name, images in self._rows()})
        return row(samples) | {f"{name}_train": entry for name, entry in rows["real"].items()}, rows

    def measure_distribution(self) -> tuple[dict, dict]:
        samples = self.samples
        names = ", ".join(extractor.name for extractor in self.extractors)
        seconds = len(samples) * len(self.extractors) * SECONDS_PER_FEATURE
        self._announce("distribution", f"{len(samples):,} samples through {names}", seconds)

        def row(images: ImageSet) -> dict:
            return distribution.distribution_row(
                images, self.reference, self.extractors, self.feature_dir, self.progress
            )

        def reference_rows() -> dict:
            found = {name: row(images) for name, images in self._rows()}
            return {name: distribution.add_real(figures, found["real"]) for name, figures in found.items()}

        rows = self._references("distribution", reference_rows)
        group = distribution.add_real(row(samples), rows["real"])
        return group | {"settings": distribution.neighbour_settings(len(samples), len(self.reference))}, rows

    def measure_projection(self) -> tuple[dict, dict]:
        targets = self.targets
        settings = list(self.pipe.projection_settings)
        self._announce("projection", f"{len(targets)} {self.split} images, {len(settings)} setting(s)")

        def reference_rows() -> dict:
            answers = {
                "mean_image": references.mean_row(self.train, len(targets)).floats,
                "copy": projection.nearest_by_mse(targets.floats, self.train.floats),
            }
            return {row: projection.similarity(targets.floats, images, targets.ids) for row, images in answers.items()}

        rows = self._references("projection", reference_rows)
        depends_on = [SCHEMA_VERSION, self.weights, self.data.info["fingerprint"], self.split, self.seed, settings]
        measure = partial(projection.projection_group, self.pipe, targets, self.seed, progress=self.progress)
        return self.model_cache.json("projection", depends_on, measure), rows

    def measure_unpaired(self) -> tuple[dict, dict]:
        samples = self.samples
        self._announce("unpaired", f"{len(samples):,} samples beside random and nearest {self.split} images")
        rows = self._references(
            "unpaired",
            lambda: {name: unpaired.unpaired_row(images, self.reference, self.seed) for name, images in self._rows()},
        )
        return unpaired.unpaired_row(samples, self.reference, self.seed), rows

    def measure_anatomy(self) -> tuple[dict, dict]:
        seconds = (len(self.samples) + len(self.reference)) * SECONDS_PER_HEART
        self._announce("anatomy", f"{len(self.samples):,} samples labelled by {self.segmenter}", seconds)
        found = self._references("anatomy", self._anatomy_references)
        row = anatomy.anatomy_row(self.hearts, self.real_hearts, by_class=True)
        group = anatomy.anatomy_group(anatomy.add_train_to_test(row, found["train"]), found["split"])
        return {"segmenter": str(self.segmenter), **found["dice"], **self._mask_agreement(), **group}, found["rows"]

    def _mask_agreement(self) -> dict:
        """Of a model of pairs: how far its masks are those of the segmenter, beside the same of real masks."""
        if self.drawn.shape[1] == self.pipe.num_channels:
            return {}
        sets = {"mask_agreement_dice": (self.samples, self.drawn[:, -1])}
        rows = self.data.dataset[self.split]
        if "mask" in rows.column_names:
            truth = torch.from_numpy(images_of(rows, "mask")[..., 0])
            sets["mask_agreement_dice_real"] = (self.reference, truth)
        found = {name: anatomy.agreement_figure(*pairs, self.segmenter) for name, pairs in sets.items()}
        return {name: figure for name, figure in found.items() if figure is not None}

    def _anatomy_references(self) -> dict:
        """The rows, the figures of training and real images by class, and how good the segmenter is."""
        rows, train = {}, {}
        for name, images in self._rows():
            hearts = self._real_hearts(images)
            rows[name] = anatomy.anatomy_row(hearts, self.real_hearts)
            if name == "real":
                train = anatomy.anatomy_row(hearts, self.real_hearts, by_class=True)
        rows = {name: anatomy.add_train_to_test(row, rows["real"]) for name, row in rows.items()}
        split = anatomy.anatomy_row(self.real_hearts, by_class=True)
        dataset = self.data.dataset[self.split]
        masked = {"mask", "patient_id", "frame"} <= set(dataset.column_names)
        dice = {"segmenter_dice": dice_figures(self.segmenter, self.reference, dataset)["dice"]} if masked else {}
        return {"rows": rows, "train": train, "split": split, "dice": dice}

    def measure_conditioning(self) -> tuple[dict, dict]:
        seconds = (len(self.samples) + len(self.reference)) * SECONDS_PER_CLASS
        self._announce("conditioning", f"{len(self.samples):,} samples classified by {self.classifier}", seconds)
        sets = (self.samples, self.reference, self.data.dataset[self.split])
        figures = conditioning.accuracy_figures(self.classifier, self.conditions, self._asked(), *sets)
        group = {"classifier": str(self.classifier), **figures}
        if self.segmenter is not None:
            group |= conditioning.ordering_figures(self.hearts, self.real_hearts)
        return group, {}

    def measure_items(self) -> tuple[dict, dict]:
        self._announce("items", f"{items.NUM_SAMPLES} samples and {items.NUM_PROJECTIONS} projections, value by value")
        images = self._sample(range(items.NUM_SAMPLES))[:, : self.pipe.num_channels]
        group = {"samples": items.sample_items(images, self.train)}
        if hasattr(self.pipe, "project"):
            group["projection"] = items.projection_items(self.pipe, self.targets, self.seed)
        return group, {}

    def measure_utility(self) -> tuple[dict, dict]:
        group = utility.UtilityGroup(
            pipe=self.pipe,
            data=self.data,
            split=self.split,
            train=self.train,
            unseen=self.reference,
            samples=lambda: (self.samples, self.drawn[:, -1]),
            num_samples=self.num_samples,
            asked=self._asked(),
            seed=self.seed,
            seeds=self.utility_seeds,
            same_data=self.same_data,
            cache=self.cache,
            model_cache=self.model_cache,
            made_by=[self.weights, self._sampling_settings()],
            announce=self._announce,
            progress=self.progress,
        )
        return group.measure(), {}

    # What the groups share

    def _rows(self) -> Iterator[tuple[str, ImageSet]]:
        """The reference rows that stand for a sample set, by name."""
        yield "real", references.real_row(self.train, self.num_samples, self.seed)
        yield "mean_image", references.mean_row(self.train, self.num_samples)
        yield "copy", references.copy_row(self.train, self.num_samples, self.seed)

    def _references(self, group: str, compute: Callable[[], dict]) -> dict:
        """The reference rows of a group, which no model changes."""
        depends_on = [ROWS_VERSION, self.data.info["fingerprint"], self.split, self.num_samples, self.seed]
        if group in ("copying", "distribution"):
            depends_on += [extractor.describe() for extractor in self.extractors]
        if group == "anatomy":
            depends_on += [judge.sha256 if judge else None for judge in (self.segmenter, self.classifier)]

        def announced() -> dict:
            self._announce(f"{group}, reference rows", "once for this dataset")
            return compute()

        return self.cache.json(f"references-{group}", depends_on, announced)

    @cached_property
    def targets(self) -> ImageSet:
        """The real images that are projected onto the model."""
        return self.reference[projection.choose_images(self.data.dataset[self.split], self.seed)]

    @cached_property
    def hearts(self) -> anatomy.Hearts:
        """The samples as the segmenter sees them; their pathology is the one that was asked for."""
        asked = self._asked().get("pathology")
        return anatomy.measure_hearts(self.samples, self.segmenter, self.classifier, asked)

    @cached_property
    def real_hearts(self) -> anatomy.Hearts:
        """The real images of the split as the segmenter sees them."""
        return self._real_hearts(self.reference)

    def _real_hearts(self, images: ImageSet) -> anatomy.Hearts:
        splits = [self.data.dataset[name] for name in ("train", self.split)]
        pathology = anatomy.patient_pathology(splits, images.ids)
        return anatomy.measure_hearts(images, self.segmenter, self.classifier, pathology)

    def _asked(self) -> dict[str, tuple[list[str], torch.Tensor]]:
        return conditioning.asked_classes(self.pipe, self.settings, self.seed, self.num_samples)

    def _nearest(self, images: ImageSet, among: ImageSet | None = None) -> copying.Neighbours:
        return copying.nearest_training(images.images, self.train if among is None else among, self.progress)

    def _sampling_settings(self) -> dict:
        dtype = str(getattr(self.pipe, "dtype", torch.float32)).removeprefix("torch.")
        return {**self.pipe.default_settings, **self.settings, "dtype": dtype}

    def _announce(self, what: str, details: str, seconds: float | None = None) -> None:
        about = "" if seconds is None else f", about {seconds:.0f} s"
        self.console.print(f"{what}: {details}{about}", highlight=False)
