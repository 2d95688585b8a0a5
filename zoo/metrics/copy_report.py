"""The samples that are nearest to training images, for the eyes of whoever has the data: a picture and a list."""

import csv
import io
from pathlib import Path

import numpy as np
import torch

from zoo.errors import ZooError
from zoo.figures import image_grid
from zoo.files import write_atomic
from zoo.metrics.image_set import ImageSet
from zoo.metrics.nearest import Neighbours

NUM_PAIRS = 32
PAIRS_A_ROW = 4
PICTURE, LIST = "nearest.png", "nearest.csv"


def check_folder(folder: str | Path, model_dir: str | Path | None) -> Path:
    """Makes sure that real images do not get into a model's folder, which is published as it is.

    Raises:
        ZooError: If `folder` is the model's folder or lies in it, or any folder above it holds a model.
    """
    folder = Path(folder)
    above = [folder.resolve(), *folder.resolve().parents]
    own = model_dir is not None and Path(model_dir).resolve() in above
    if own or any((path / "model_index.json").exists() for path in above):
        raise ZooError(f"{folder}: the report shows real images, expected a folder outside those of models")
    return folder


def write_report(folder: Path, samples: ImageSet, training: ImageSet, near: Neighbours, limit: float) -> None:
    """Writes the 32 samples of the lowest ratio, each beside its nearest training image, and a list of all samples.

    Args:
        folder (path): Made if it is not there. It then holds real images and must stay where these may be.
        samples (`ImageSet`): `n` samples.
        training (`ImageSet`): The training images.
        near (`Neighbours`): What `nearest_training` found for the samples.
        limit (`float`): The ratio up to which a sample counts as a copy.
    """
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["sample", "copy", "ratio", "cc", "ssim", "patient", "training_image"])
    for i in near.ratio.argsort().tolist():
        numbers = (f"{figure[i].item():.4f}" for figure in (near.ratio, near.cc, near.ssim))
        nearest = near.index[i].item()
        writer.writerow([i, near.ratio[i].item() <= limit, *numbers, training.ids[nearest], nearest])
    write_atomic(folder / LIST, rows.getvalue())
    worst = near.ratio.argsort()[:NUM_PAIRS]
    pairs = torch.stack([samples.images[worst], training.images[near.index[worst]]], dim=1).flatten(0, 1)
    picture = io.BytesIO()
    image_grid(np.ascontiguousarray(pairs.permute(0, 2, 3, 1)), columns=2 * PAIRS_A_ROW, scale=2).save(picture, "png")
    write_atomic(folder / PICTURE, picture.getvalue())
