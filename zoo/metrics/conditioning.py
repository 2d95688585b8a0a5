"""Is the asked-for pathology there? A classifier trained on real images, and the order of the classes' anatomy."""

import math

import torch

from zoo.metrics.anatomy import LEVEL, Hearts, real_hearts, sample_hearts
from zoo.metrics.asked import shared_conditions
from zoo.metrics.context import Context, Group
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import share_figure
from zoo.metrics.judges import none_of
from zoo.published.networks import Judge

ORDERING = "HCM has the thickest walls and DCM the widest cavity of NOR, HCM and DCM, on slices judged to be mid"
# The measure, and the class that leads
LEADERS = (("wall_thickness_mm", "HCM"), ("cavity_area_mm2", "DCM"))
ORDERED = ("NOR", "HCM", "DCM")
SECONDS_PER_CLASS = 0.003  # on one core at 64x64
NEEDED = {"pathology": ORDERED, LEVEL: ("mid",)}


def accuracy_figures(
    classifier: Judge, conditions: list[str], asked: dict, samples: ImageSet, reference: ImageSet, rows
) -> dict:
    """Accuracy on samples by what was asked for, and on real images by what they are.

    Args:
        classifier (`Judge`): What classifies both.
        conditions (`list[str]`): As from `shared_conditions`.
        asked (`dict`): As from `asked_classes`.
        samples (`ImageSet`): The samples.
        reference (`ImageSet`): The real images of the split.
        rows (`datasets.Dataset`): Their rows.

    Returns:
        `dict`: `class_accuracy` of the first condition and `<condition>_accuracy` of each further one, with those of
        single classes within them, each followed by the one on real images under `…_real`.
    """
    ours, theirs = (classifier.probabilities(images.images) for images in (samples, reference))
    group = {}
    for condition in conditions:
        names, labels = asked[condition]
        key = "class_accuracy" if condition == conditions[0] else f"{condition}_accuracy"
        group[key] = accuracy(ours[condition].argmax(1), labels, names, condition, samples.ids)
        if condition in rows.column_names:
            truth = torch.tensor(rows[condition][:])
            group[f"{key}_real"] = accuracy(theirs[condition].argmax(1), truth, names, condition, reference.ids)
    return group


def accuracy(predicted: torch.Tensor, asked: torch.Tensor, names: list[str], condition: str, ids: list[str]) -> dict:
    """The share of images that the classifier gives the class that was asked for, and the same by class.

    Args:
        predicted (`torch.Tensor` of shape `(n,)`): Class indices.
        asked (`torch.Tensor` of shape `(n,)`): Those asked for; an index beyond the names was left open and says
            nothing. At least one is not.
        names (`list[str]`): Of the classes.
        condition (`str`): What they are classes of; the figures of single classes stand under this name.
        ids (`list[str]` of length `n`): The patient of each image, or the image itself.
    """

    def share(which: torch.Tensor) -> dict:
        chosen = which.nonzero().flatten().tolist()
        return share_figure(predicted[which] == asked[which], [ids[i] for i in chosen])

    figure = share(asked < len(names))
    figure[condition] = {name: share(asked == index) for index, name in enumerate(names) if (asked == index).any()}
    return figure


def ordering_figures(hearts: Hearts, real: Hearts) -> dict:
    """`ordering_kept` of samples, `ordering_kept_real` of real images, and in words what `ordering` is meant."""
    answers = {"ordering_kept": ordering_kept(hearts), "ordering_kept_real": ordering_kept(real)}
    found = {name: answer for name, answer in answers.items() if answer is not None}
    return found | {"ordering": ORDERING} if found else {}


def ordering_kept(hearts: Hearts) -> bool | None:
    """Whether mid slices keep the order of `ORDERING`, by the means of the classes; `None` if one cannot be measured.

    Args:
        hearts (`Hearts`): With the pathology (asked for, or real) and the slice level (judged).
    """
    if not all(set(wanted) <= set(hearts.classes.get(name, ([], None))[0]) for name, wanted in NEEDED.items()):
        return None
    mid, means = hearts.of_class(LEVEL, "mid"), {}
    for measure, _ in LEADERS:
        for name in ORDERED:
            means[measure, name] = hearts.measures[measure][mid & hearts.of_class("pathology", name)].nanmean().item()
    if any(math.isnan(mean) for mean in means.values()):
        return None
    return all(max(ORDERED, key=lambda name: means[measure, name]) == leader for measure, leader in LEADERS)


def measure(run: Context) -> tuple[dict, dict]:
    """Group `conditioning`: classes of samples and real images, and the order of the classes' anatomy."""
    seconds = (len(run.samples) + len(run.reference)) * SECONDS_PER_CLASS
    run.announce("conditioning", f"{len(run.samples):,} samples classified by {run.classifier}", seconds)
    conditions = shared_conditions(run.pipe, run.classifier)
    sets = (run.samples, run.reference, run.data.dataset[run.split])
    figures = accuracy_figures(run.classifier, conditions, run.asked, *sets)
    group = {"classifier": str(run.classifier), **figures}
    if run.segmenter is not None:
        group |= ordering_figures(sample_hearts(run), real_hearts(run))
    return group, {}


def why_not(run: Context) -> str | None:
    if not getattr(run.pipe, "class_names", {}):
        return "the model has no classes"
    if run.classifier is None:
        return none_of("classifier", run.data)
    known = shared_conditions(run.pipe, run.classifier)
    return None if known else f"{run.classifier.name} does not know the model's classes"


GROUP = Group("conditioning", measure, why_not)
