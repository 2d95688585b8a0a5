"""Segmenters trained on some of the real patients, with and without synthetic pairs of image and mask.

Two cases, never mixed: a *shared generator* saw all patients, like a model that was downloaded; one of the *same data*
saw the very patients that the segmenter is trained on, and no others. What a shared generator adds to few patients is
also what it knows of the others; only the other case says what generating alone adds.

Only generators of pairs are measured. The masks of another's images would have to come from a segmenter, and a network
trained on them learns from that one, whatever the images are like.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import torch
import torch.nn.functional as F
from torch import nn

from zoo.datasets import BuiltDataset, check_compatible
from zoo.errors import ZooError
from zoo.metrics.functional import volume_dice
from zoo.metrics.image_set import from_split
from zoo.metrics.intervals import within
from zoo.metrics.utility.figures import seeds_figure
from zoo.metrics.utility.training import Schedule, augment, fit

SHARES = (0.05, 0.1, 0.25, 1.0)  # of the real patients
SCHEDULE = Schedule(steps=1000, batch_size=8, learning_rate=5e-3, seconds=0.06)
WIDTHS = (8, 16, 32, 64)
SHARED, SAME = "shared_generator", "same_data"
SAME_DATA_SEED = 0  # draws the patients of a generator that is trained on a share; one training serves all seeds
DESCRIPTION = (
    f"U-Net of {', '.join(map(str, WIDTHS))} channels, {SCHEDULE.steps} steps of {SCHEDULE.batch_size} images with or "
    "without synthetic pairs, half of them synthetic where there are both"
)


def draw_patients(class_of: dict[str, int], share: float, seed: int) -> list[str]:
    """A share of the patients, at least one, in which the classes take turns; a larger share holds a smaller one.

    Args:
        class_of (`dict[str, int]`): The pathology of each patient; all the same where none are known.
        share (`float`): In (0, 1].
        seed (`int`): Of the order.

    Returns:
        `list[str]`: Sorted.
    """
    turn, order = Counter(), []
    for digest, patient in sorted((hashlib.sha256(f"{seed}:{name}".encode()).digest(), name) for name in class_of):
        order.append((turn[class_of[patient]], digest, patient))
        turn[class_of[patient]] += 1
    count = max(1, round(share * len(order)))
    return sorted(patient for _, _, patient in sorted(order)[:count])


def patient_classes(rows: datasets.Dataset, ids: Sequence[str]) -> dict[str, int]:
    """The pathology of each patient of some rows, the same for all where none are known."""
    known = rows["pathology"][:] if "pathology" in rows.column_names else [0] * len(rows)
    return {patient: -1 if value is None else value for patient, value in zip(ids, known, strict=True)}


def dataset_share(data: BuiltDataset, share: float) -> BuiltDataset:
    """The dataset with a share of its training patients: what a generator of the case *same data* is trained on.

    Args:
        data (`BuiltDataset`): With patients.
        share (`float`): In (0, 1].

    Returns:
        `BuiltDataset`: Of another fingerprint, which says which patients of which dataset are left.

    Example:
        ```py
        >>> import zoo.datasets, zoo.metrics
        >>> whole = zoo.datasets.load("outputs/data/acdc-64")
        >>> zoo.datasets.save(zoo.metrics.dataset_share(whole, 0.1), "outputs/data/acdc-64-10")
        ```
    """
    rows, ids = data.dataset["train"], from_split(data, "train").ids
    chosen = set(draw_patients(patient_classes(rows, ids), share, SAME_DATA_SEED))
    rows = rows.select([i for i, patient in enumerate(ids) if patient in chosen])
    patients = sorted(set(rows["patient_id"][:]))
    fingerprint = hashlib.sha256(f"{data.info['fingerprint']}:{','.join(patients)}".encode()).hexdigest()
    counts = data.info["splits"] | {"train": {"num_images": len(rows), "patient_ids": patients}}
    splits = datasets.DatasetDict({**data.dataset, "train": rows})
    return BuiltDataset(splits, data.info | {"fingerprint": fingerprint, "splits": counts})


@dataclass(frozen=True)
class SameData:
    """A generator of pairs that saw a share of the patients and no others.

    Args:
        pipe: The pipeline.
        fingerprint (`str`): Of the dataset that it was trained on, as its `metrics.json` has it.
    """

    pipe: Any
    fingerprint: str | None

    def check(self, data: BuiltDataset, share: float) -> None:
        """Raises `ZooError` if it makes no pairs or was trained on others than a share of the patients of `data`."""
        where = f"generator of {100 * share:g} % of the patients"
        if not 0 < share <= 1:
            raise ZooError(f"{where}: expected a share above 0 and up to 1, got {share:g}")
        if not hasattr(self.pipe, "num_labels"):
            raise ZooError(f"{where}: expected a model of images with masks, got one of family {self.pipe.family}")
        check_compatible(data, self.pipe.sample_size, self.pipe.num_channels)
        if "patient_ids" not in data.info["splits"]["train"]:
            raise ZooError(f"{where}: expected a dataset with patients, {data.info['name']} has none")
        if self.fingerprint != dataset_share(data, share).info["fingerprint"]:
            raise ZooError(f"{where}: was trained on other data than those of `zoo.metrics.dataset_share`")


def segmentation_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus one minus the soft Dice coefficient of the structures (Milletari et al., 2016, equation 3).

    Args:
        logits (`torch.Tensor` of shape `(batch_size, num_classes, height, width)`): Scores of the labels.
        masks (`torch.Tensor` of shape `(batch_size, height, width)`): int64 labels, 0 the background.
    """
    logits = logits.float()
    probability, truth = logits.softmax(1)[:, 1:], F.one_hot(masks, logits.shape[1]).movedim(-1, 1)[:, 1:]
    overlap, total = (probability * truth).sum((0, 2, 3)), (probability + truth).sum((0, 2, 3))
    return F.cross_entropy(logits, masks) + 1 - ((2 * overlap + 1) / (total + 1)).mean()


def train_segmenter(
    images: torch.Tensor,
    masks: torch.Tensor,
    weights: torch.Tensor,
    seed: int,
    device: torch.device | str = "cpu",
    schedule: Schedule = SCHEDULE,
) -> nn.Module:
    """A small U-Net that labels the heart.

    Args:
        images (`torch.Tensor` of shape `(n, channels, height, width)`): uint8.
        masks (`torch.Tensor` of shape `(n, height, width)`): uint8 labels, 0 to 3.
        weights (`torch.Tensor` of shape `(n,)`): How often each pair is drawn, as from `draw_weights`.
        seed (`int`): Of the training.
        device: Where it is trained.
        schedule (`Schedule`): How long.
    """
    from zoo.models import UNetSegmenter, UNetSegmenterConfig

    channels, size = images.shape[1:3]
    widths = [width for halvings, width in enumerate(WIDTHS) if size % 2**halvings == 0]

    def loss_of(network: nn.Module, chosen: torch.Tensor) -> torch.Tensor:
        pairs = augment(images[chosen].to(device).float() / 127.5 - 1, masks[chosen].to(device).long())
        return segmentation_loss(network(pairs[0]).logits, pairs[1])

    def build() -> nn.Module:
        return UNetSegmenter(UNetSegmenterConfig(size, channels, block_out_channels=widths))

    return fit(build, loss_of, weights, schedule, seed, device)


@torch.inference_mode()
def dice_scores(segmenter: nn.Module, images: torch.Tensor, truth: torch.Tensor, volumes: Sequence) -> torch.Tensor:
    """Dice of each volume, the mean over the structures: `(num_volumes,)`, volumes in sorted order.

    Where neither network nor truth find any structure in a volume, they agree: 1.

    Args:
        segmenter (`UNetSegmenter`): What labels the images.
        images (`torch.Tensor` of shape `(n, channels, height, width)`): uint8.
        truth (`torch.Tensor` of shape `(n, height, width)`): Labels.
        volumes (sequence of length `n`): The volume of each slice.
    """
    device = next(segmenter.parameters()).device
    found = [segmenter.segment(batch.to(device).float() / 127.5 - 1).cpu() for batch in images.split(256)]
    _, scores = volume_dice(torch.cat(found), truth, volumes)
    return scores.nanmean(1).nan_to_num(1.0)


def segmentation_figures(
    scores: dict[tuple[str, float], tuple[torch.Tensor, torch.Tensor]], ids: Sequence[str]
) -> dict:
    """Dice with and without synthetic pairs, for each case and share of the real patients.

    Args:
        scores (`dict[(str, float), (torch.Tensor, torch.Tensor)]`): By case and share, Dice of each volume for each
            seed, `(seeds, num_volumes)`, trained on the real patients alone and with pairs.
        ids (sequence of length `num_volumes`): The patient of each volume.

    Returns:
        `dict`: `dice_<case>_<per cent>`, the mean over volumes with pairs, its interval over patients and seeds; within
        it the same of the real patients alone as `real_alone`, and the difference, volume by volume and seed by seed,
        as `gain`.
    """
    group = {}
    for (case, share), (alone, both) in scores.items():
        entry = within(seeds_figure(both, ids), 0.0, 1.0) | {"real_alone": within(seeds_figure(alone, ids), 0.0, 1.0)}
        group[f"dice_{case}_{100 * share:g}"] = entry | {"gain": seeds_figure(both - alone, ids)}
    return group
