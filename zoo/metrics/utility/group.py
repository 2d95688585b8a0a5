"""Is it useful? What networks gain from samples when they are tested on real patients: group `utility`.

CAS and NAS of a conditional model come from `classification`, Dice of a model of pairs from
`segmentation`. One rule holds for both: with and without samples a network is trained for the same number of
steps, and of one seed from the same first weights; nothing is chosen by what is measured.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import torch

from zoo.datasets import BuiltDataset
from zoo.datasets import images as images_of
from zoo.errors import ZooError
from zoo.metrics.cache import Cache
from zoo.metrics.context import Context, Group
from zoo.metrics.image_set import ImageSet, from_floats, of_samples, volumes_of
from zoo.metrics.intervals import folds
from zoo.metrics.utility import classification, segmentation
from zoo.metrics.utility.classes import classification_group, why_no_classification
from zoo.metrics.utility.segmentation import SAME, SAME_DATA_SEED, SHARED, SameData
from zoo.metrics.utility.training import Schedule, draw_weights
from zoo.pipelines import sample_generators
from zoo.progress import track

VERSION = 1  # of the figures that a cache keeps; goes up when they or the trainings change
SEEDS = 3  # the fewest
BATCH_SIZE = 50  # pairs of another generator


def check(
    data: BuiltDataset, ids: Sequence[str], seeds: int, shares: Sequence[float], same_data: dict[float, SameData]
) -> None:
    """Makes sure that the group can be measured, before anything is sampled.

    Raises:
        ZooError: If there are fewer than three seeds or two patients, a share is out of range, or a generator was not
            trained on the share of the patients that it is said to be.
    """
    if seeds < SEEDS:
        raise ZooError(f"seeds: expected at least {SEEDS}, got {seeds}")
    for share in shares:
        if not 0 < share <= 1:
            raise ZooError(f"shares: expected numbers above 0 and up to 1, got {share:g}")
    folds(ids)
    for share, generator in same_data.items():
        generator.check(data, share)


def why_no_segmentation(pipe, data: BuiltDataset, split: str) -> str | None:
    """Why samples cannot train a segmenter for a dataset, in words; `None` if they can."""
    if not hasattr(pipe, "num_labels"):
        return "the model makes no masks"
    if any("mask" not in data.dataset[name].column_names for name in ("train", split)):
        return "the dataset has no masks"
    return None


@dataclass
class UtilityGroup:
    """The group of one evaluation. Each training is kept in a cache, those on real images alone for all models.

    Args:
        run (`Context`): The evaluation.
    """

    run: Context

    def measure(self) -> dict:
        """The group; empty if the model can help with neither classes nor masks, for reasons that are announced."""
        group, not_measured = {}, []
        parts = {
            "classification": (why_no_classification, self.classification),
            "segmentation": (why_no_segmentation, self.segmentation),
        }
        for part, (why_not, measure) in parts.items():
            reason = why_not(self.run.pipe, self.run.data, self.run.split)
            found = {} if reason else measure()
            if not found:
                reason = reason or f"train, {self.run.split} and the samples share fewer than two classes"
                self.run.announce(f"utility, {part}", f"not measured: {reason}")
                not_measured.append(f"{part} ({reason})")
            group |= found
        if not group:
            return {}
        notes = {"not_measured": not_measured} if not_measured else {}
        settings = {"seeds": self.run.utility_seeds, "shares": list(self.run.utility_shares)}
        return group | notes | {"settings": settings}

    @property
    def trainings(self) -> list[int]:
        """A seed each."""
        return list(range(self.run.seed, self.run.seed + self.run.utility_seeds))

    def classification(self) -> dict:
        """CAS and NAS."""
        schedule = classification.SCHEDULE
        count = len(classification.ARMS) * self.run.utility_seeds
        images = self.run.utility_seeds * (len(self.run.train) + self.run.num_samples + len(self.run.reference))
        seconds = count * schedule.steps * schedule.seconds + images * classification.SVM_SECONDS
        self.run.announce("utility, classification", f"two classifiers, {count} trainings each", seconds)

        def compute() -> dict:
            sets = (self.run.train, self.run.samples, self.run.reference)
            how = (self.trainings, schedule, self.run.pipe.device, self.run.progress)
            return classification_group(self.run.data, self.run.split, *sets, self.run.asked, *how)

        depends_on = [*self._depends_on(schedule), *self._sampled(), self.trainings]
        found = self.run.model_cache.json("utility-classification", depends_on, compute)
        return found | classification.DESCRIPTIONS if found else {}

    def segmentation(self) -> dict:
        """Dice of segmenters trained with and without pairs."""
        schedule = segmentation.SCHEDULE
        shares = {SHARED: self.run.utility_shares, SAME: sorted(self.run.same_data)}
        cases = [(case, share) for case in (SHARED, SAME) for share in shares[case]]
        jobs = [(*case, pairs, seed) for case in cases for pairs in (False, True) for seed in self.trainings]
        seconds = len(jobs) * schedule.steps * schedule.seconds
        self.run.announce("utility, segmentation", f"{len(jobs)} trainings of a segmenter", seconds)
        found = {job: self._dice(*job) for job in track(jobs, "  segmenters", disable=not self.run.progress)}
        scores = {
            case: tuple(torch.stack([found[*case, pairs, seed] for seed in self.trainings]) for pairs in (False, True))
            for case in cases
        }
        ids = [volume[0] for volume in sorted(set(self._volumes))]
        return segmentation.segmentation_figures(scores, ids) | {"segmenter": segmentation.DESCRIPTION}

    def _dice(self, case: str, share: float, pairs: bool, seed: int) -> torch.Tensor:
        """Dice of each volume, of a segmenter trained on a share of the patients, with synthetic pairs or without."""
        schedule = segmentation.SCHEDULE
        draw = SAME_DATA_SEED if case == SAME else seed
        patients = segmentation.draw_patients(self._pathologies, share, draw)

        def compute() -> dict:
            chosen = torch.tensor([patient in patients for patient in self.run.train.ids])
            images, masks = self.run.train.images[chosen], self._masks["train"][chosen]
            synthetic = torch.zeros(len(images), dtype=torch.bool)
            if pairs:
                more, their_masks = self._samples if case == SHARED else self._draw(self.run.same_data[share].pipe)
                images, masks = torch.cat([images, more.images]), torch.cat([masks, their_masks])
                synthetic = torch.cat([synthetic, torch.ones(len(more), dtype=torch.bool)])
            weights = draw_weights(synthetic)
            segmenter = segmentation.train_segmenter(images, masks, weights, seed, self.run.pipe.device, schedule)
            unseen = (self.run.reference.images, self._masks[self.run.split], self._volumes)
            return {"dice": segmentation.dice_scores(segmenter, *unseen).tolist()}

        cache, depends_on = self.run.cache, [*self._depends_on(schedule), patients, seed]
        if pairs and case == SHARED:
            cache, depends_on = self.run.model_cache, [*depends_on, *self._sampled()]
        elif pairs:
            cache = Cache(None)  # a pipeline without hashes cannot be known again
        return torch.tensor(cache.json("utility-dice", depends_on, compute)["dice"], dtype=torch.float64)

    def _draw(self, pipe) -> tuple[ImageSet, torch.Tensor]:
        """As many pairs of another generator, of the same seed."""
        outputs = [
            pipe(batch_size=len(batch), generator=sample_generators(self.run.seed, batch.tolist()), output_type="pt")
            for batch in torch.arange(self.run.num_samples).split(BATCH_SIZE)
        ]
        images = from_floats(torch.cat([output.images for output in outputs]), "samples")
        masks = torch.cat([output.masks for output in outputs])
        return of_samples(images), masks.cpu()

    @property
    def _samples(self) -> tuple[ImageSet, torch.Tensor]:
        """The samples and their masks, of a model of pairs."""
        return self.run.samples, self.run.drawn[:, -1]

    @cached_property
    def _pathologies(self) -> dict[str, int]:
        return segmentation.patient_classes(self.run.data.dataset["train"], self.run.train.ids)

    @cached_property
    def _masks(self) -> dict[str, torch.Tensor]:
        """Of `train` and of the split: uint8 `(n, height, width)`."""
        splits = ("train", self.run.split)
        return {name: torch.from_numpy(images_of(self.run.data.dataset[name], "mask")[..., 0]) for name in splits}

    @cached_property
    def _volumes(self) -> list[tuple]:
        return volumes_of(self.run.reference, self.run.data.dataset[self.run.split])

    def _depends_on(self, schedule: Schedule) -> list:
        return [VERSION, self.run.data.info["fingerprint"], self.run.split, asdict(schedule)]

    def _sampled(self) -> list:
        return [[self.run.weights, self.run.sampling_settings], self.run.seed, self.run.num_samples]


GROUP = Group(
    "utility",
    lambda run: (UtilityGroup(run).measure(), {}),
    check=lambda run: check(run.data, run.reference.ids, run.utility_seeds, run.utility_shares, run.same_data),
    is_long=True,
)
