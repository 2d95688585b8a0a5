"""The models that the Space offers, each loaded when it is first asked for and then shared by all visitors."""

import os
import threading
from pathlib import Path

import zoo
from zoo.errors import ZooError
from zoo.hub.layout import INDEX_FILE
from zoo.hub.tables import list_models

VARIABLE = "ZOO_MODELS"
PUBLISHED = Path(__file__).resolve().parent / "../../model_cards"
# A pipeline's scheduler has a state, and the machine few cores: events that sample share one queue, one at a time
SAMPLING = {"concurrency_id": "sampling", "concurrency_limit": 1}


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
        """The models that `ZOO_MODELS` names: folders of models, folders of such folders, or Hub ids; else ours.

        Raises:
            ZooError: If two models have the same name.
        """
        sources = {}
        for entry in os.environ.get(VARIABLE, "").split(",") if os.environ.get(VARIABLE) else [str(PUBLISHED)]:
            for name, source in _models_of(entry.strip()).items():
                if name in sources:
                    raise ZooError(f"{VARIABLE}: two models are named {name}")
                sources[name] = source
        return cls(sources)

    @property
    def names(self) -> list[str]:
        """What visitors choose from."""
        return list(self.sources)

    def load(self, name: str):
        """The pipeline of that name, in eval mode.

        Raises:
            ZooError: If the Space does not offer it, or it cannot be loaded.
        """
        if name not in self.names:
            raise ZooError(f"model: expected one of {', '.join(self.names)}")
        with self._lock:
            if name not in self._pipelines:
                self._pipelines[name] = zoo.from_pretrained(self.sources[name])
            return self._pipelines[name]


def _models_of(entry: str) -> dict[str, str | Path]:
    folder = Path(entry)
    if (folder / INDEX_FILE).is_file():
        return {folder.resolve().name: folder}
    if folder.is_dir() or folder.is_absolute():
        return {path.name: path for path in list_models(folder)}
    return {entry: entry} if entry else {}
