"""The models that the Space offers, each loaded when it is first asked for and then shared by all visitors."""

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch

import zoo
from zoo.errors import ZooError
from zoo.pipelines.auto import published_classes
from zoo.published import layout
from zoo.published.loading import DESCRIPTION, find_folder
from zoo.published.places import generators


class Catalogue:
    """Models by the names that visitors see; nothing else can be loaded.

    Args:
        sources (`dict[str, str | Path]`): Folder or Hub id of each model.
    """

    def __init__(self, sources: dict[str, str | Path]):
        self.sources = sources
        self._pipelines = {}
        self._lock = threading.Lock()

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

    def that(self, can: Callable[[type, dict], bool]) -> list[str]:
        """Names of the models of which something is true, by their pipeline's class and the content of their index."""
        return [name for name, (cls, index) in self.indices.items() if can(cls, index)]

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

    def description(self, name: str) -> Path:
        """A folder that holds index and metrics of a model; of one on the Hub nothing more is downloaded for it.

        Raises:
            ZooError: If there is no such model.
        """
        return find_folder(self.sources[name], files=DESCRIPTION)

    def load(self, name: str):
        """The pipeline of that name, in eval mode, on the GPU if there is one.

        Raises:
            ZooError: If the Space does not offer it, or it cannot be loaded.
        """
        if name not in self.names:
            raise ZooError(f"model: expected one of {', '.join(self.names)}")
        with self._lock:
            if name not in self._pipelines:
                pipe = zoo.from_pretrained(self.sources[name])
                pipe.set_progress_bar_config(disable=True)
                self._pipelines[name] = pipe.to("cuda") if torch.cuda.is_available() else pipe
            return self._pipelines[name]
