"""Small drawn hearts with masks, a dataset of them, and pipelines that make nothing else."""

from types import SimpleNamespace

import datasets
import numpy as np
import torch

from zoo import png
from zoo.datasets import BuiltDataset

NAMES = ["NOR", "HCM"]
WALLS = (0.1, 0.18)  # of the size


def hearts(classes: list[int], seed: int, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy hearts of thin (class 0) or thick (class 1) walls: uint8 `(n, 1, size, size)` and masks `(n, size, size)`.

    The outer border of the wall is alike in both classes, the noise hides single pixels, the contrast varies.
    """
    rng, y, x = np.random.default_rng(seed), *np.mgrid[:size, :size]
    images, masks = [], []
    for label in classes:
        row, column = size * (0.5 + rng.uniform(-0.05, 0.05, 2))
        radius, outer = np.hypot(y - row, x - column), size * rng.uniform(0.3, 0.36)
        mask = np.where(radius < outer - WALLS[label] * size, 3, np.where(radius < outer, 2, 0))
        mask = np.where((mask == 0) & (np.hypot(y - row, x - column + 0.42 * size) < 0.2 * size), 1, mask)
        levels = np.array([40, 190, 80, 200]) * rng.uniform(0.5, 1.2)
        images.append(np.clip(levels[mask] + rng.normal(0, 25, mask.shape), 0, 255).astype(np.uint8))
        masks.append(mask.astype(np.uint8))
    return torch.from_numpy(np.stack(images))[:, None], torch.from_numpy(np.stack(masks))


def built(patients: dict[str, int], slices: int = 3, size: int = 16) -> BuiltDataset:
    """A dataset of as many patients a split; every second one is of the other class, each has one volume."""
    features = datasets.Features(
        image=datasets.Image(),
        mask=datasets.Image(),
        patient_id=datasets.Value("string"),
        frame=datasets.Value("int32"),
        pathology=datasets.ClassLabel(names=NAMES),
    )
    splits, info = {}, {}
    for seed, (name, count) in enumerate(patients.items()):
        classes = [patient % 2 for patient in range(count) for _ in range(slices)]
        images, masks = hearts(classes, seed, size)
        rows = {
            "image": [png.encode(image) for image in images[:, 0].numpy()],
            "mask": [png.encode(mask) for mask in masks.numpy()],
            "patient_id": [f"{name}{patient:02}" for patient in range(count) for _ in range(slices)],
            "frame": [1] * len(classes),
            "pathology": classes,
        }
        splits[name] = datasets.Dataset.from_dict(rows, features)
        info[name] = {"num_images": len(classes), "patient_ids": sorted(set(rows["patient_id"]))}
    about = {
        "name": "drawn",
        "preset": f"drawn-{size}",
        "fingerprint": "0" * 64,
        "splits": info,
        "duplicates": [],
        "skipped": [],
        "preprocessing": {},
        "license": "cc0-1.0",
        "citation": "",
    }
    return BuiltDataset(datasets.DatasetDict(splits), about)


class HeartPipeline:
    """A perfect generator: draws hearts of the class that each sample's generator draws."""

    family, num_channels, device, dtype = "hearts", 1, "cpu", torch.float32
    default_settings = {}

    def __init__(self, size: int = 16, names: list[str] = NAMES):
        self.sample_size, self.sampled, self.components = size, 0, {}
        self.class_names = {"pathology": names} if names else {}

    def network_evaluations(self, **settings) -> int:
        return 1

    def draw_labels(self, class_labels, conditions, generators) -> torch.Tensor:
        return torch.tensor([[torch.randint(2, (), generator=generator).item()] for generator in generators])

    def __call__(self, batch_size=1, generator=None, output_type="pt"):
        self.sampled += batch_size
        classes = self.draw_labels(None, {}, generator)[:, 0].tolist()
        seeds = [torch.randint(2**31, (), generator=generator).item() for generator in generator]
        pairs = [hearts([label], seed, self.sample_size) for label, seed in zip(classes, seeds, strict=True)]
        images, masks = (torch.cat(part) for part in zip(*pairs, strict=True))
        return SimpleNamespace(images=images.float() / 255, masks=masks)


class ImagePipeline(HeartPipeline):
    """The same without masks."""

    def __call__(self, batch_size=1, generator=None, output_type="pt"):
        return SimpleNamespace(images=super().__call__(batch_size, generator, output_type).images)


class PairPipeline(HeartPipeline):
    """The same, which says that it makes masks."""

    num_labels = 4
