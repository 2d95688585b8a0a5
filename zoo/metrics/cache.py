"""What an evaluation need not compute twice: JSON results and tensors in a folder, named by what they depend on."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from zoo.files import write_atomic


class Cache:
    """A folder of results. Without a folder everything is computed and nothing kept.

    Args:
        folder (path, *optional*): Made when the first result is written.
    """

    def __init__(self, folder: str | Path | None):
        self.folder = Path(folder) if folder is not None else None

    def _path(self, name: str, depends_on: list, suffix: str) -> Path:
        digest = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{name}-{digest[:32]}{suffix}"

    def json(self, name: str, depends_on: list, compute: Callable[[], dict]) -> dict:
        """The result of `compute`, which depends on nothing but the JSON-able list `depends_on`."""
        if self.folder is None:
            return compute()
        path = self._path(name, depends_on, ".json")
        if not path.exists():
            write_atomic(path, json.dumps(compute()))
        return json.loads(path.read_text())

    def tensor(self, name: str, depends_on: list, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The same for one tensor, kept as safetensors."""
        if self.folder is None:
            return compute()
        path = self._path(name, depends_on, ".safetensors")
        if not path.exists():
            write_atomic(path, save({"tensor": compute().contiguous()}))
        return load_file(path)["tensor"]
