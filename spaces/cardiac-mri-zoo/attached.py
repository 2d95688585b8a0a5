"""What the Space's owner has attached: a dataset, the networks of *Measure*. Each is read when it is first needed."""

import os
import random
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import datasets as hf_datasets
import numpy as np
import torch

from catalogue import Catalogue
from zoo import datasets
from zoo.errors import ZooError
from zoo.hub.datasets import load as load_dataset
from zoo.metrics.image_set import ImageSet, from_split
from zoo.published.networks import Judge, load_judge
from zoo.published.places import networks

DATASET_VARIABLE, SEGMENTER_VARIABLE = "ZOO_DATASET", "ZOO_SEGMENTER"
SEGMENTER, VIEW = "segmenter-acdc-64", "view-acdc-64"  # the published ones
PHANTOM_PATIENTS = 20
hf_datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # it would tell another host of each dataset that is read


@dataclass(frozen=True)
class Hearts:
    """The images of one split.

    Args:
        set (`ImageSet`): uint8 `(n, channels, height, width)`, and patients.
        pathologies (`list[str]` of length `n`): Empty strings where they are not known.
        spacing_mm (`float`, *optional*): Side of a pixel in millimetres.
    """

    set: ImageSet
    pathologies: list[str]
    spacing_mm: float | None

    @property
    def middle(self) -> int:
        """A slice through the middle of a heart."""
        return len(self.set) // 2

    def choose(self, count: int, pathology: str | None, seed: int | None) -> np.ndarray:
        """Some of the images without replacement, uint8 `(count, height, width, channels)`; fewer if there are fewer.

        Args:
            count (`int`): How many.
            pathology (`str`, *optional*): Of which class; of any where the dataset does not know it.
            seed (`int`, *optional*): Of the choice; without it nobody can foresee it.
        """
        rows = [i for i, name in enumerate(self.pathologies) if name == pathology] or range(len(self.set))
        rng = random.SystemRandom() if seed is None else random.Random(seed)
        chosen = torch.tensor(rng.sample(list(rows), min(count, len(rows))))
        return self.set.images[chosen].permute(0, 2, 3, 1).numpy()


class Attached:
    """The dataset of a Space, its segmenter and its network of views.

    Args:
        catalogue (`Catalogue`): The models; the published networks may lie beside them on the Hub.
    """

    def __init__(self, catalogue: Catalogue):
        self.catalogue = catalogue
        self.dataset_source = os.environ.get(DATASET_VARIABLE)
        self._lock = threading.RLock()
        self._splits = {}

    @property
    def is_real(self) -> bool:
        """Whether there is a dataset; otherwise the phantom stands in."""
        return bool(self.dataset_source)

    @property
    def title(self) -> str:
        """What a picture from it is called."""
        return "real" if self.is_real else "phantom, a drawn heart"

    @cached_property
    def _phantom(self) -> datasets.BuiltDataset:
        return datasets.build_phantom(num_patients=PHANTOM_PATIENTS, progress=False)

    def phantom(self) -> Hearts:
        """Drawn hearts, which anybody may be shown."""
        with self._lock:
            return _hearts(self._phantom, "train")

    @cached_property
    def _built(self) -> datasets.BuiltDataset:
        if self.is_real:
            return load_dataset(self.dataset_source)
        return self._phantom

    def hearts(self, split: str) -> Hearts:
        """The images of `train` or of `test`, which is the last split there is.

        Raises:
            ZooError: If the dataset cannot be read.
        """
        with self._lock:
            if split not in self._splits:
                self._splits[split] = _hearts(self._built, split)
            return self._splits[split]

    @cached_property
    def _judge(self) -> Judge:
        return load_judge(self._segmenter_source(), "segmenter")

    def segmenter(self) -> Judge:
        """The segmenter that `ZOO_SEGMENTER` names; else the published one, in a checkout or beside the Hub's models.

        Raises:
            ZooError: If there is none.
        """
        with self._lock:
            return self._judge

    def _segmenter_source(self) -> str | Path:
        source = os.environ.get(SEGMENTER_VARIABLE) or self._published(SEGMENTER)
        if source is None:
            raise ZooError(f"segmenter: none is attached; name a folder or Hub id in {SEGMENTER_VARIABLE}")
        return source

    @cached_property
    def _view(self) -> Judge | None:
        source = self._published(VIEW)
        try:
            return source and load_judge(source, "view")
        except ZooError:
            if isinstance(source, Path):
                raise
            return None  # that owner has published none

    def view(self) -> Judge | None:
        """The published network of views, in a checkout or beside the Hub's models; `None` if there is none.

        Raises:
            ZooError: If its folder is damaged.
        """
        with self._lock:
            return self._view

    def _published(self, name: str) -> str | Path | None:
        """Where a published network lies, if there may be one."""
        for found in networks(name).values():
            return found
        owners = [source.split("/")[0] for source in self.catalogue.sources.values() if isinstance(source, str)]
        return f"{owners[0]}/{name}" if owners else None


def _hearts(built: datasets.BuiltDataset, split: str) -> Hearts:
    """One split, or the last one where there is none of that name."""
    name = split if split in built.dataset else list(built.dataset)[-1]
    rows = built.dataset[name]
    names, spacing = [""] * len(rows), None
    if "pathology" in rows.column_names:
        known = rows.features["pathology"].names
        names = [known[label] if label >= 0 else "" for label in rows["pathology"][:]]
    if "pixel_spacing" in rows.column_names:
        spacing = float(rows[0]["pixel_spacing"][0])
    return Hearts(from_split(built, name), names, spacing)
