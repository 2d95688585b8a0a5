"""Which classes a model, its samples and a dataset have in common, and the classifiers that learn them."""

import torch

from zoo.datasets import BuiltDataset
from zoo.metrics.image_set import ImageSet
from zoo.metrics.utility.classification import SCHEDULE, classification_figures
from zoo.metrics.utility.training import Schedule


def class_indices(rows, condition: str, names: list[str]) -> torch.Tensor | None:
    """The class of each row among those of a model, by name.

    Args:
        rows (`datasets.Dataset`): A split. The `label` of class folders stands in for a condition that it lacks.
        condition (`str`): Of the model.
        names (`list[str]`): Of its classes.

    Returns:
        `torch.Tensor` of shape `(n,)`, `len(names)` where the model does not know the class, or `None` where the rows
        have no classes.
    """
    column = condition if condition in rows.column_names else "label"
    own = getattr(rows.features.get(column), "names", None)
    if own is None:
        return None
    place = [names.index(name) if name in names else len(names) for name in own]
    return torch.tensor([len(names) if index is None or index < 0 else place[index] for index in rows[column][:]])


def shared_classes(names: list[str], *labels: torch.Tensor) -> list[int]:
    """Indices of the classes that all sets of labels have."""
    return [index for index in range(len(names)) if all((found == index).any() for found in labels)]


def why_no_classification(pipe, data: BuiltDataset, split: str) -> str | None:
    """Why samples cannot train a classifier for a dataset, in words; `None` if they can."""
    classes = getattr(pipe, "class_names", {})
    if not classes:
        return "the model has no classes"
    condition, names = next(iter(classes.items()))
    labels = [class_indices(data.dataset[name], condition, names) for name in ("train", split)]
    if any(found is None for found in labels):
        return f"the dataset has no classes in a column '{condition}' or 'label'"
    if len(shared_classes(names, *labels)) < 2:
        return f"train and {split} share fewer than two of the model's classes {', '.join(names)}"
    return None


def classification_group(
    data: BuiltDataset,
    split: str,
    train: ImageSet,
    samples: ImageSet,
    unseen: ImageSet,
    asked: dict[str, tuple[list[str], torch.Tensor]],
    seeds: list[int],
    schedule: Schedule = SCHEDULE,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict:
    """CAS and NAS of the classes that samples, `train` and the split all have; other images are left out.

    Args:
        data (`BuiltDataset`): The dataset.
        split (`str`): What the classifiers are tested on.
        train, unseen (`ImageSet`): The images of `train` and of the split.
        samples (`ImageSet`): The samples.
        asked (`dict`): As from `asked.asked_classes`; the first condition counts.
        seeds (`list[int]`): Of the trainings.
        schedule (`Schedule`): How the CNN is trained.
        device: Where it is trained.
        progress (`bool`): Whether to show a bar on stderr.

    Returns:
        `dict`: As from `classification_figures`; empty if fewer than two classes are left.
    """
    condition, (names, drawn) = next(iter(asked.items()))
    real, truth = (class_indices(data.dataset[name], condition, names) for name in ("train", split))
    chosen = shared_classes(names, real, drawn, truth)
    if len(chosen) < 2:
        return {}

    def known(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Which images are of the chosen classes, and their indices among these."""
        kept = torch.isin(labels, torch.tensor(chosen)).nonzero().flatten()
        return kept, torch.bucketize(labels[kept], torch.tensor(chosen))

    (in_train, real), (in_samples, drawn), (in_unseen, truth) = (known(labels) for labels in (real, drawn, truth))
    return classification_figures(
        (train.images[in_train], real),
        (samples.images[in_samples], drawn),
        unseen[in_unseen],
        truth,
        [names[index] for index in chosen],
        seeds,
        condition,
        schedule,
        device,
        progress,
    )
