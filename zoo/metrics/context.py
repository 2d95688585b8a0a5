"""One evaluation: what every group of the protocol shares, and what a group is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from zoo.datasets import BuiltDataset
from zoo.metrics import references
from zoo.metrics.asked import asked_classes
from zoo.metrics.cache import Cache
from zoo.metrics.extractors import FeatureExtractor
from zoo.metrics.image_set import ImageSet, check_contrast, from_floats, from_split, of_samples
from zoo.pipelines import sample_generators
from zoo.progress import track
from zoo.published.networks import Judge
from zoo.samples.processes import Processes

ROWS_VERSION = 4  # of the reference rows that a cache keeps; goes up when their figures or names change


@dataclass
class Context:
    """The arguments of `evaluate`, and what more than one group needs, each made when a group first asks for it.

    Args:
        pipe: A pipeline of the zoo.
        data (`BuiltDataset`): A dataset of its image size and channels.
        split (`str`): What the samples are measured against.
        num_samples, seed, batch_size (`int`): How many samples, their seed, and how many at a time.
        settings (`dict`): Keywords of the pipeline's call that differ from its defaults.
        extractors (`list[FeatureExtractor]`): In whose features samples are compared.
        segmenter, classifier (`Judge`, *optional*): What judges samples.
        model_dir (`Path`, *optional*): The model's folder.
        weights (`dict[str, str]`): Hashes of the files in it.
        cache, model_cache (`Cache`): Where what depends on the dataset is kept, and what depends on the model too.
        feature_dir (path): Where features are kept, at least until the end.
        report_dir (`Path`, *optional*): Where a picture of likely copies goes.
        utility_seeds (`int`): Trainings of each network of group `utility`.
        utility_shares (`tuple[float, ...]`): Of the real patients, for the segmenters of that group.
        same_data (`dict[float, SameData]`): Generators that saw a share of the patients, by that share.
        progress (`bool`): Whether to say on stderr what is being done.

    Attributes:
        train, reference (`ImageSet`): The training images, and the real images of the split.
    """

    pipe: Any
    data: BuiltDataset
    split: str
    num_samples: int
    seed: int
    batch_size: int
    settings: dict
    extractors: list[FeatureExtractor]
    segmenter: Judge | None
    classifier: Judge | None
    model_dir: Path | None
    weights: dict[str, str]
    cache: Cache
    model_cache: Cache
    feature_dir: str | Path
    report_dir: Path | None
    utility_seeds: int
    utility_shares: tuple[float, ...]
    same_data: dict[float, Any]
    progress: bool
    _shared: dict = field(default_factory=dict)

    def __post_init__(self):
        self.train, self.reference = from_split(self.data, "train"), from_split(self.data, self.split)

    @cached_property
    def samples(self) -> ImageSet:
        """The samples."""
        images = self.drawn[:, : self.pipe.num_channels]
        check_contrast(images, "samples")
        return of_samples(images)

    @cached_property
    def drawn(self) -> torch.Tensor:
        """The samples as from `sample`, made batch by batch; each batch is kept for a later resume.

        Several processes share the batches, and each has all samples in the end.
        """
        evaluations = self.pipe.network_evaluations(**self.settings)
        self.announce("samples", f"{self.num_samples:,} images, {evaluations} network evaluation(s) each")
        processes = Processes()
        starts = range(0, self.num_samples, self.batch_size)[processes.rank :: processes.count]
        images = []
        for start in track(starts, "  sampling", disable=not self.progress):
            batch = range(start, min(start + self.batch_size, self.num_samples))
            depends_on = [self.weights, self.sampling_settings, self.seed, batch.start, batch.stop]
            images.append(self.model_cache.tensor("samples", depends_on, partial(self.sample, batch)))
        return torch.cat(processes.gathered(images))

    def sample(self, batch: range) -> torch.Tensor:
        """Samples `(n, channels, height, width)`, uint8; of a model of pairs with the mask as a last channel."""
        generators = sample_generators(self.seed, batch)
        output = self.pipe(batch_size=len(batch), generator=generators, output_type="pt", **self.settings)
        images, masks = from_floats(output.images, "samples"), getattr(output, "masks", None)
        return images if masks is None else torch.cat([images, masks[:, None].cpu()], dim=1)

    @cached_property
    def sampling_settings(self) -> dict:
        """All settings of the pipeline's call, and the type of its weights."""
        dtype = str(getattr(self.pipe, "dtype", torch.float32)).removeprefix("torch.")
        return {**self.pipe.default_settings, **self.settings, "dtype": dtype}

    @cached_property
    def asked(self) -> dict[str, tuple[list[str], torch.Tensor]]:
        """The classes that the samples were asked for, as from `asked_classes`."""
        return asked_classes(self.pipe, self.settings, self.seed, self.num_samples)

    def rows(self) -> Iterator[tuple[str, ImageSet]]:
        """The reference rows that stand for a sample set, by name."""
        yield "real", references.real_row(self.train, self.num_samples, self.seed)
        yield "mean_image", references.mean_row(self.train, self.num_samples)
        yield "copy", references.copy_row(self.train, self.num_samples, self.seed)

    def references(self, group: str, compute: Callable[[], dict], depends_on: list = ()) -> dict:
        """The reference rows of a group, which no model changes: computed once for a dataset and what else they need.

        Args:
            group (`str`): Its name.
            compute (callable): Makes them.
            depends_on (`list`): What they depend on besides dataset, split, count and seed.
        """
        subject = [ROWS_VERSION, self.data.info["fingerprint"], self.split, self.num_samples, self.seed]

        def announced() -> dict:
            self.announce(f"{group}, reference rows", "once for this dataset")
            return compute()

        return self.cache.json(f"references-{group}", [*subject, *depends_on], announced)

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """What several groups need, computed for the first."""
        if name not in self._shared:
            self._shared[name] = compute()
        return self._shared[name]

    def announce(self, what: str, details: str, seconds: float | None = None) -> None:
        """Says what comes next on stderr, and about how many seconds it takes."""
        about = "" if seconds is None else f", about {seconds:.0f} s"
        Console(stderr=True, quiet=not self.progress).print(f"{what}: {details}{about}", highlight=False)


@dataclass(frozen=True)
class Group:
    """One group of `metrics.json`.

    Args:
        name (`str`): Of the group.
        measure (`Callable[[Context], (dict, dict)]`): The figures of the group, none if it is empty, and those beside
            them by reference row.
        why_not (`Callable[[Context], str | None]`): Why it cannot be measured, in words.
        check (`Callable[[Context], None]`): Raises `ZooError` before anything is sampled, if it is to be measured and
            something is too few.
        is_long (`bool`): Whether it takes dozens of trainings, and so is measured only if it is asked for by name.
    """

    name: str
    measure: Callable[[Context], tuple[dict, dict]]
    why_not: Callable[[Context], str | None] = lambda run: None
    check: Callable[[Context], None] = lambda run: None
    is_long: bool = False
