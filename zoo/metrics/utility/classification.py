"""Classifiers trained on real images, on samples and on both: CAS and NAS.

The classification accuracy score of a generator (CAS; Ravuri & Vinyals, 2019, arXiv 1905.10887) is what a classifier
scores on real images that was trained on samples alone; the naive augmentation score (NAS, the same paper) is that of
one trained on real images and samples. The baseline beside them is trained on the real images alone.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from zoo.errors import ZooError
from zoo.metrics.functional.classification import binary_scores, confusion_matrix
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import folds, one_sample_figure, share_figure, within
from zoo.metrics.utility.figures import seeds_figure
from zoo.metrics.utility.training import Schedule, augment, draw_weights, fit
from zoo.progress import track

ARMS = ("baseline", "cas", "nas")
SCHEDULE = Schedule(steps=600, batch_size=32, learning_rate=2e-3, seconds=0.04)
WIDTHS, HIDDEN, DROPOUT = (8, 16, 32, 64), 64, 0.2  # of the CNN
HOG_CELLS = 8  # along each side of an image
SVM_C = 0.01
SVM_SECONDS = 0.005  # an image, its copy and its part of three trainings
# A pathology that is also told from all the others together
SINGLED_OUT = "HCM"
DESCRIPTIONS = {
    "hog_svm": f"histograms of oriented gradients ({HOG_CELLS}x{HOG_CELLS} cells, 9 directions) of each image and of a "
    f"moved copy of it, linear SVM (C {SVM_C}), real and synthetic images of equal weight",
    "cnn": f"SkinLesNet of {', '.join(map(str, WIDTHS))} channels, {SCHEDULE.steps} steps of {SCHEDULE.batch_size} "
    "images with or without samples, half of them synthetic where there are both",
}


def hog_features(images: torch.Tensor) -> np.ndarray:
    """Histograms of oriented gradients (Dalal & Triggs, 2005): `(n, features)`, float32.

    Args:
        images (`torch.Tensor` of shape `(n, channels, height, width)`): uint8.
    """
    from skimage.feature import hog

    side = max(2, images.shape[-1] // HOG_CELLS)
    how = {"orientations": 9, "pixels_per_cell": (side, side), "cells_per_block": (2, 2), "channel_axis": -1}
    return np.stack([hog(image, **how) for image in images.permute(0, 2, 3, 1).numpy()]).astype("float32")


def hog_svm(
    images: torch.Tensor, tasks: list[torch.Tensor], arms: dict[str, torch.Tensor], unseen: torch.Tensor, seed: int
) -> dict[str, list[torch.Tensor]]:
    """A linear SVM on HOG features, each class against the rest, for each arm and task.

    Args:
        images (`torch.Tensor` of shape `(n, channels, height, width)`): uint8, real and synthetic.
        tasks (list of `torch.Tensor` of shape `(n,)`): Class indices, for each question that is asked.
        arms (`dict[str, torch.Tensor of shape (n,)]`): How much each image counts; those of weight 0 are left out.
        unseen (`torch.Tensor` of shape `(m, channels, height, width)`): uint8, what is classified.
        seed (`int`): Moves the copies.

    Returns:
        `dict[str, list[torch.Tensor of shape (m, num_classes)]]`: By arm, a score of each class for each task.

    Raises:
        ZooError: If scikit-learn is absent.
    """
    try:
        from sklearn.svm import LinearSVC
    except ModuleNotFoundError as error:
        raise ZooError("utility: scikit-learn is absent, run `pip install cardiac-mri-zoo[eval]`") from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        moved, _ = augment(images.float() / 127.5 - 1)
    copies = ((moved + 1) * 127.5).round().to(torch.uint8)
    features, asked = hog_features(torch.cat([images, copies])), hog_features(unseen)
    found = {}
    for arm, weights in arms.items():
        scores = []
        for labels in tasks:
            labels, balanced = labels.repeat(2), _balanced(weights, labels).repeat(2)
            kept = (balanced > 0).numpy()
            svm = LinearSVC(C=SVM_C, random_state=seed)
            own = balanced.numpy()[kept]
            svm.fit(features[kept], labels.numpy()[kept], sample_weight=own / own.mean())
            margins = torch.from_numpy(svm.decision_function(asked))
            scores.append(margins if margins.ndim == 2 else torch.stack([-margins, margins], 1))
        found[arm] = scores
    return found


def cnn(
    images: torch.Tensor,
    tasks: list[torch.Tensor],
    arms: dict[str, torch.Tensor],
    unseen: torch.Tensor,
    seed: int,
    schedule: Schedule = SCHEDULE,
    device: torch.device | str = "cpu",
) -> dict[str, list[torch.Tensor]]:
    """A small SkinLesNet that answers all tasks at once, trained for each arm; for the rest see `hog_svm`."""
    from zoo.models import SkinLesNet, SkinLesNetConfig

    channels, size = images.shape[1:3]
    names = {str(i): [str(c) for c in range(int(labels.max()) + 1)] for i, labels in enumerate(tasks)}
    widths = [width for halvings, width in enumerate(WIDTHS, 1) if size % 2**halvings == 0]

    def build() -> nn.Module:
        return SkinLesNet(SkinLesNetConfig(list(names), names, size, channels, widths, HIDDEN, DROPOUT))

    found = {}
    for arm, weights in arms.items():
        shares = [_class_shares(weights, labels) for labels in tasks]

        def loss_of(network: nn.Module, chosen: torch.Tensor, shares=shares) -> torch.Tensor:
            moved, _ = augment(images[chosen].to(device).float() / 127.5 - 1)
            return sum(
                F.cross_entropy(scores, labels[chosen].to(device), weight=(1 / share).float().to(device))
                for scores, labels, share in zip(network(moved).by_condition.values(), tasks, shares, strict=True)
            )

        network = fit(build, loss_of, weights, schedule, seed, device)
        with torch.inference_mode():
            batches = [network(batch.to(device).float() / 127.5 - 1).by_condition for batch in unseen.split(256)]
        found[arm] = [torch.cat([batch[name] for batch in batches]).softmax(1).double().cpu() for name in names]
    return found


def _class_shares(weights: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The share of each class among what is drawn by some weights: `(num_classes,)`, one in sum."""
    return torch.zeros(int(labels.max()) + 1, dtype=torch.float64).index_add(0, labels, weights) / weights.sum()


def _balanced(weights: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The weights, changed so that all classes weigh the same in sum."""
    return weights / _class_shares(weights, labels)[labels]


def classification_figures(
    real: tuple[torch.Tensor, torch.Tensor],
    synthetic: tuple[torch.Tensor, torch.Tensor],
    unseen: ImageSet,
    truth: torch.Tensor,
    names: list[str],
    seeds: list[int],
    condition: str = "pathology",
    schedule: Schedule = SCHEDULE,
    device: torch.device | str = "cpu",
    progress: bool = False,
    classifiers: dict[str, Callable] | None = None,
    positive: str | None = None,
) -> dict:
    """CAS, NAS and the baseline of both classifiers, for telling all classes apart and for HCM against the rest.

    Args:
        real, synthetic (`(torch.Tensor of shape (n, channels, height, width), torch.Tensor of shape (n,))`): uint8
            images and class indices, of which each has all classes.
        unseen (`ImageSet`): Real images of other patients.
        truth (`torch.Tensor` of shape `(len(unseen),)`): Their class indices.
        names (`list[str]`): Of the classes, at least two.
        seeds (`list[int]`): Of the trainings. One seed gives every arm the same first weights.
        condition (`str`): What the classes are classes of.
        schedule (`Schedule`): How the CNN is trained.
        device: Where it is trained.
        progress (`bool`): Whether to show a bar on stderr.
        classifiers (`dict[str, Callable]`, *optional*): What is trained, by name, each called like `hog_svm`; that and
            `cnn` by default.
        positive (`str`, *optional*): The class whose `precision`, `recall` and `f1` are told too, and the `confusion`
            matrix, a row a true class, in the mean over seeds.

    Returns:
        `dict`: `baseline_<classifier>`, `cas_…`, `nas_…`, and the same with `_hcm` behind them: the accuracy by slice
        in which each class weighs the same, its interval over patients and seeds. Within each figure: `accuracy`, in
        which each slice weighs the same; `patient_vote`, the first one by patient (of mean scores), where classes are
        those of patients; `gain` of CAS and NAS, the difference to the baseline, slice by slice and seed by seed; and
        the share of hits in each class, under `condition`.

    Raises:
        ZooError: If there are fewer than two patients, or scikit-learn is absent.
    """
    folds(unseen.ids)  # told before anything is trained
    images, labels = torch.cat([real[0], synthetic[0]]), torch.cat([real[1], synthetic[1]])
    source = torch.arange(len(images)) >= len(real[0])
    weights = draw_weights(source, labels)
    arms = dict(zip(ARMS, (weights * ~source, weights * source, weights), strict=True))
    tasks = {"": (labels, truth)}
    if SINGLED_OUT in names and len(names) > 2:
        single = names.index(SINGLED_OUT)
        tasks[f"_{SINGLED_OUT.lower()}"] = ((labels == single).long(), (truth == single).long())
    classifiers = classifiers or {
        "hog_svm": hog_svm,
        "cnn": lambda *inputs: cnn(*inputs, schedule=schedule, device=device),
    }
    group = {}
    for name, classifier in classifiers.items():
        runs = [
            classifier(images, [task for task, _ in tasks.values()], arms, unseen.images, seed)
            for seed in track(seeds, f"  {name}", disable=not progress)
        ]
        for index, (ending, (_, right)) in enumerate(tasks.items()):
            scores = {arm: torch.stack([run[arm][index] for run in runs]) for arm in ARMS}
            baseline = (scores["baseline"].argmax(-1) == right).double()
            for arm in ARMS:
                entry = _accuracies(scores[arm], right, unseen.ids)
                hits = (scores[arm].argmax(-1) == right).double()
                if arm != "baseline":
                    entry["gain"] = seeds_figure(hits - baseline, unseen.ids, right)
                if not ending and positive is not None:
                    entry |= _of_class(scores[arm], right, names.index(positive), unseen.ids)
                if not ending:
                    entry[condition] = _by_class(hits.mean(0), right, names, unseen.ids)
                group[f"{arm}_{name}{ending}"] = entry
    return group


def _accuracies(scores: torch.Tensor, right: torch.Tensor, ids: list[str]) -> dict:
    """The balanced accuracy by slice, within it the plain one, and the balanced one by patient if classes are theirs.

    Args:
        scores (`torch.Tensor` of shape `(seeds, n, num_classes)`): Of the classes.
        right (`torch.Tensor` of shape `(n,)`): Class indices.
        ids (`list[str]` of length `n`): Patients.
    """

    def share(scores: torch.Tensor, right: torch.Tensor, ids: list[str], balanced: bool = True) -> dict:
        hits = (scores.argmax(-1) == right).double()
        return within(seeds_figure(hits, ids, right if balanced else None), 0.0, 1.0)

    entry = share(scores, right, ids) | {"accuracy": share(scores, right, ids, balanced=False)}
    patients = sorted(set(ids))
    place = torch.tensor([patients.index(item) for item in ids])
    first = torch.stack([right[place == index][0] for index in range(len(patients))])
    if len(patients) < len(ids) and (first[place] == right).all():
        totals = torch.zeros(len(scores), len(patients), scores.shape[-1], dtype=scores.dtype)
        entry["patient_vote"] = share(totals.index_add(1, place, scores), first, patients)
    return entry


def _of_class(scores: torch.Tensor, right: torch.Tensor, positive: int, ids: list[str]) -> dict:
    """Precision, recall and F1 of one class in the mean over seeds, and the confusion matrix; arguments as above."""
    predicted, kinds = scores.argmax(-1), scores.shape[-1]
    matrices = torch.stack([confusion_matrix(row, right, kinds) for row in predicted])
    per_seed = [binary_scores(matrix, positive) for matrix in matrices]
    found = {}
    for name in ("precision", "recall", "f1"):
        values = torch.tensor([scored[name] for scored in per_seed], dtype=torch.float64)

        def mean(items: torch.Tensor, name: str = name) -> float:
            rows = [binary_scores(confusion_matrix(row[items], right[items], kinds), positive) for row in predicted]
            return sum(scored[name] for scored in rows) / len(rows)

        entry = within(one_sample_figure(mean, torch.arange(len(right)), ids), 0.0, 1.0)
        found[name] = entry | {"std": values.std().item(), "per_seed": values.tolist()}
    return found | {"confusion": matrices.double().mean(0).tolist()}


def _by_class(hits: torch.Tensor, right: torch.Tensor, names: list[str], ids: list[str]) -> dict:
    """The share of hits among the images of each class, of all seeds together."""
    found = {}
    for index, name in enumerate(names):
        chosen = (right == index).nonzero().flatten()
        found[name] = share_figure(hits[chosen], [ids[i] for i in chosen.tolist()])
    return found
