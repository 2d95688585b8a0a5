"""The classifiers of study C's CAS: HOG with a grid of support vector machines, and SkinLesNet for 75 epochs.

Unlike those of group `utility` they are not trained for the same number of steps with samples as without: an epoch is
as long as its set.
"""

import numpy as np
import torch
import torch.nn.functional as F

from zoo.errors import ZooError
from zoo.metrics.utility.training import single_threaded

BLOCK, CELL, STRIDE = 8, 4, 2  # pixels; the study's "block, window, block stride"
GRID = {"C": [0.1, 1.0, 10.0], "kernel": ["linear", "rbf", "poly"]}  # the study names no values
FOLDS = 3
EPOCHS, BATCH_SIZE, LEARNING_RATE = 75, 32, 1e-3
PLATEAU = {"factor": 0.5, "patience": 2}  # of the training loss; the study names neither
DESCRIPTIONS = {
    "hog_svm_study_c": f"histograms of oriented gradients (blocks of {BLOCK} pixels, cells of {CELL}, step {STRIDE}), "
    f"SVM of the best C of {GRID['C']} and kernel of {', '.join(GRID['kernel'])} in {FOLDS} folds of the training set",
    "skinlesnet_study_c": f"SkinLesNet, {EPOCHS} epochs of its own set, Adam {LEARNING_RATE}, reduced on plateau",
}


def hog_features(images: torch.Tensor) -> np.ndarray:
    """Histograms of oriented gradients in overlapping blocks: `(n, features)`, float32.

    scikit-image moves its blocks by whole cells. To move them by `STRIDE` pixels, the blocks of the image are followed
    by those of its shifted views.

    Args:
        images (`torch.Tensor` of shape `(n, channels, height, width)`): uint8.
    """
    from skimage.feature import hog

    cells = BLOCK // CELL
    how = {"orientations": 9, "pixels_per_cell": (CELL, CELL), "cells_per_block": (cells, cells), "channel_axis": -1}
    rows = []
    for image in images.permute(0, 2, 3, 1).numpy():
        views = [image[down:, right:] for down in range(0, CELL, STRIDE) for right in range(0, CELL, STRIDE)]
        rows.append(np.concatenate([hog(view, **how) for view in views]).astype("float32"))
    return np.stack(rows)


def hog_svm(
    images: torch.Tensor, tasks: list[torch.Tensor], arms: dict[str, torch.Tensor], unseen: torch.Tensor, seed: int
) -> dict[str, list[torch.Tensor]]:
    """The best SVM of the grid, by the accuracy in folds of its training set, for each arm and task.

    Args:
        images (`torch.Tensor` of shape `(n, channels, height, width)`): uint8, real and synthetic.
        tasks (list of `torch.Tensor` of shape `(n,)`): Class indices, for each question that is asked.
        arms (`dict[str, torch.Tensor of shape (n,)]`): An arm is trained on the images whose weight is not 0.
        unseen (`torch.Tensor` of shape `(m, channels, height, width)`): uint8, what is classified.
        seed (`int`): Of the folds.

    Returns:
        `dict[str, list[torch.Tensor of shape (m, num_classes)]]`: By arm, a score of each class for each task.

    Raises:
        ZooError: If scikit-learn is absent.
    """
    try:
        from sklearn.model_selection import GridSearchCV, StratifiedKFold
        from sklearn.svm import SVC
    except ModuleNotFoundError as error:
        raise ZooError("utility: scikit-learn is absent, run `pip install cardiac-mri-zoo[eval]`") from error
    features, asked = hog_features(images), hog_features(unseen)
    found = {}
    for arm, weights in arms.items():
        kept, scores = (weights > 0).numpy(), []
        for labels in tasks:
            splits = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
            search = GridSearchCV(SVC(random_state=seed), GRID, scoring="accuracy", cv=splits)
            search.fit(features[kept], labels.numpy()[kept])
            margins = torch.from_numpy(search.decision_function(asked))
            scores.append(margins if margins.ndim == 2 else torch.stack([-margins, margins], 1))
        found[arm] = scores
    return found


def skinlesnet(
    images: torch.Tensor,
    tasks: list[torch.Tensor],
    arms: dict[str, torch.Tensor],
    unseen: torch.Tensor,
    seed: int,
    device: torch.device | str = "cpu",
) -> dict[str, list[torch.Tensor]]:
    """SkinLesNet at its full width, trained for each arm and all tasks at once; for the rest see `hog_svm`."""
    from zoo.models import SkinLesNet, SkinLesNetConfig

    device = torch.device(device)
    channels, size = images.shape[1:3]
    names = {str(i): [str(c) for c in range(int(labels.max()) + 1)] for i, labels in enumerate(tasks)}
    found = {}
    for arm, weights in arms.items():
        kept = (weights > 0).nonzero().flatten()
        with single_threaded(), torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
            torch.manual_seed(seed)
            network = SkinLesNet(SkinLesNetConfig(list(names), names, size, channels)).to(device).train()
            optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **PLATEAU)
            for _ in range(EPOCHS):
                losses = []
                for chosen in kept[torch.randperm(len(kept))].split(BATCH_SIZE):
                    logits = network(images[chosen].to(device).float() / 127.5 - 1).by_condition
                    loss = sum(
                        F.cross_entropy(scores, labels[chosen].to(device))
                        for scores, labels in zip(logits.values(), tasks, strict=True)
                    )
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    losses.append(loss.item())
                plateau.step(sum(losses) / len(losses))
        network.eval()
        with torch.inference_mode():
            batches = [network(batch.to(device).float() / 127.5 - 1).by_condition for batch in unseen.split(256)]
        found[arm] = [torch.cat([batch[name] for batch in batches]).softmax(1).double().cpu() for name in names]
    return found


CLASSIFIERS = {"hog_svm_study_c": hog_svm, "skinlesnet_study_c": skinlesnet}
