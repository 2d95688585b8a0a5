"""The models that the Space offers, each loaded when it is first asked for and then shared by all visitors."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import guests
import zoo
from zoo.errors import ZooError
from zoo.families import FAMILIES
from zoo.pipelines.auto import published_classes
from zoo.published import layout
from zoo.published.loading import DESCRIPTION, find_folder
from zoo.published.metrics_file import load_metrics
from zoo.published.places import generators
from zoo.samples import GRID_SEEDS
from zoo.sources import HEARTS, source_of

GUESTS = 8  # models that visitors have named; the first goes first
HELD = 4  # models in memory; the one that was used longest ago goes first
SAMPLES, CARD = "samples.png", "README.md"
GAP = 2  # black pixels between the samples of a model's picture
KINDS = {"gan": "GAN", "dcgan": "GAN", "wgan-gp": "GAN", "acgan": "GAN", "infogan": "GAN", "vae": "Autoencoder"}
KINDS |= {"cvae": "Autoencoder", "style-transfer": "Style transfer"}
DISTANCE = "fd_efficientnet_lite0"


@dataclass(frozen=True)
class Facts:
    """What is known of a model without its weights.

    Args:
        name (`str`): In the catalogue.
        family (`str`): Of `zoo.families`.
        dataset (`str`): What it was trained on, as its `metrics.json` says; empty if that is not known.
        ratio (`float`, *optional*): Its Fréchet distance to unseen images ÷ that of real training images.
        speed (`float`, *optional*): Images a second with its own settings, where it was measured.
    """

    name: str
    family: str
    dataset: str
    ratio: float | None
    speed: float | None

    @property
    def shows_hearts(self) -> bool:
        """Whether its images are hearts, as far as is known."""
        return not self.dataset or source_of(self.dataset).subject == HEARTS["subject"]

    @property
    def kind(self) -> str:
        """The heading that it stands under."""
        return KINDS.get(self.family, "Diffusion") if self.shows_hearts else "Not hearts"

    @property
    def words(self) -> str:
        """Its name, and how good and fast it is."""
        ratio = [f"{self.ratio:.1f} × real"] if self.ratio else []
        speed = [f"{self.speed:.{0 if self.speed >= 10 else 1}f} images/s"] if self.speed else []
        return " · ".join([self.name, *ratio, *speed])


class Catalogue:
    """Models by the names that visitors see, and those that they have named by Hub id; nothing else can be loaded.

    Args:
        sources (`dict[str, str | Path]`): Folder or Hub id of each model.
    """

    def __init__(self, sources: dict[str, str | Path]):
        self.sources = sources
        self._pipelines = OrderedDict()
        self._guests = OrderedDict()  # their folders
        self._seconds = {}  # an image, as it was last seen here
        self._lock = threading.Lock()

    def __reduce__(self):
        """A process that is lent a GPU is told the sources, and loads what it needs."""
        return Catalogue, (self.sources | {name: str(name) for name in self._guests},)

    @classmethod
    def from_environment(cls) -> "Catalogue":
        """The models that `ZOO_MODELS` names, else those of the checkout: `zoo.published.places`.

        Raises:
            ZooError: If two models have the same name, or it names what is not there.
        """
        return cls(generators())

    @property
    def names(self) -> list[str]:
        """What visitors choose from."""
        return list(self.sources)

    def that(self, can: Callable[[type, dict], bool] = lambda cls, index: True) -> list[str]:
        """Names of the models of which something is true, by their pipeline's class and index; the best ones first."""
        able = {name for name, (cls, index) in self.indices.items() if can(cls, index)}
        return [name for name in self.facts if name in able]

    @property
    def images(self) -> list[str]:
        """Names of the models that make images, not label maps alone; the best ones first."""
        return self.that(lambda cls, index: cls.family != "anatomy")

    @property
    def hearts(self) -> list[str]:
        """Names of the models whose images are hearts; the best ones first."""
        return [name for name in self.images if self.facts[name].shows_hearts]

    @cached_property
    def indices(self) -> dict[str, tuple[type, dict]]:
        """Class and index of each model. One that cannot be read is left out here; loading it says why."""
        classes = published_classes()
        found = {}
        for name in self.sources:
            try:
                index = layout.read_index(self.description(name))
            except ZooError:
                continue
            if layout.pipeline_name(index) in classes:
                found[name] = classes[layout.pipeline_name(index)], index
        return found

    @cached_property
    def facts(self) -> dict[str, Facts]:
        """What is known of each model: those of hearts before others, the best first, those not measured last."""
        found = [self._facts(name, cls) for name, (cls, _) in self.indices.items()]
        found.sort(key=lambda facts: (not facts.shows_hearts, facts.ratio or np.inf))
        return {facts.name: facts for facts in found}

    def _facts(self, name: str, cls: type) -> Facts:
        try:
            metrics = load_metrics(self.description(name))
        except ZooError:  # the table says what is wrong with it
            metrics = {}
        family = metrics.get("model", {}).get("family", cls.family)
        dataset = metrics.get("training", {}).get("dataset", {}).get("name", "")
        ratio = metrics.get("distribution", {}).get(DISTANCE, {}).get("ratio_to_real")
        speed = metrics.get("cost", {}).get("samples_per_second_batch_16", {}).get("value")
        return Facts(name, family if family in FAMILIES else cls.family, dataset, ratio, speed)

    def seconds(self, name: str, count: int) -> float | None:
        """What `count` images of a model will take here, as far as is known."""
        speed = self.facts[name].speed if name in self.facts else None
        one = self._seconds.get(name, 1 / speed if speed else None)
        return None if one is None else one * count

    def took(self, name: str, seconds: float, count: int) -> None:
        """Keeps what images of a model have taken."""
        self._seconds[name] = seconds / count

    def description(self, name: str) -> Path:
        """The folder with index and figures of a model; of one on the Hub, nothing else is downloaded.

        Raises:
            ZooError: If there is no such model.
        """
        return self._guests.get(name) or find_folder(self.sources[name], files=(*DESCRIPTION, SAMPLES, CARD))

    def card(self, name: str) -> str:
        """The text of a model's card, Markdown without its header and pictures; empty if it has none."""
        file = self.description(name) / CARD
        text = file.read_text() if file.is_file() else ""
        text = text.split("\n---\n", 1)[-1] if text.startswith("---\n") else text
        return "\n".join(line for line in text.splitlines() if not line.startswith("!["))

    def stored(self, name: str, row: int, count: int, size: int) -> np.ndarray | None:
        """The first samples of seed 0 of a class, from the picture that lies beside the model.

        Args:
            name (`str`): Of the model.
            row (`int`): Number of the class.
            count (`int`): At most 16.
            size (`int`): Side of an image in pixels.

        Returns:
            `np.ndarray` of shape `(count, size, size, 1)`: uint8; `None` if there is no such picture.
        """
        file, step = self.description(name) / SAMPLES, size + GAP
        if not file.is_file():
            return None
        picture = np.asarray(Image.open(file).convert("L"))
        if picture.shape[1] != GRID_SEEDS * step - GAP or picture.shape[0] < (row + 1) * step - GAP:
            return None
        lefts = [i * step for i in range(count)]
        return np.stack([picture[row * step : row * step + size, left : left + size, None] for left in lefts])

    def invite(self, repo_id: str) -> None:
        """Takes a model of the Hub in for a while; lists and tables do not name it.

        Raises:
            ZooError: If it is none of the zoo's, not public or too large: see `guests`.
        """
        if repo_id in self.sources or repo_id in self._guests:
            return
        folder = guests.fetch(repo_id)
        pipe = zoo.from_pretrained(folder)
        if pipe.sample_size > guests.MAX_SIDE:
            raise ZooError(f"Hub id: {repo_id}: expected images of at most {guests.MAX_SIDE} pixels a side")
        with self._lock:
            self._guests[repo_id] = folder
            while len(self._guests) > GUESTS:
                self._guests.popitem(last=False)

    def source(self, name: str) -> str | Path:
        """Hub id of a model, or its folder."""
        return name if name in self._guests else self.sources[name]

    def load(self, name: str):
        """The pipeline of that name, in eval mode, on the GPU if there is one.

        Raises:
            ZooError: If the Space does not offer it, or it cannot be loaded.
        """
        if name not in [*self.names, *self._guests]:
            raise ZooError(f"model: expected one of {', '.join(self.names)}")
        with self._lock:
            if name not in self._pipelines:
                pipe = zoo.from_pretrained(self._guests.get(name) or self.sources[name])
                pipe.set_progress_bar_config(disable=True)
                self._pipelines[name] = pipe.to("cuda") if torch.cuda.is_available() else pipe
            self._pipelines.move_to_end(name)
            while len(self._pipelines) > HELD:
                self._pipelines.popitem(last=False)
            return self._pipelines[name]
