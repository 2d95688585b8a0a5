"""Saving a pipeline so that everybody can load it, and loading it without trusting remote code."""

import inspect
import json
import os
from pathlib import Path

import torch
from diffusers import ModelMixin
from safetensors.torch import load_file, save_file

from zoo.errors import ZooError
from zoo.files import atomic_folder
from zoo.published import layout
from zoo.published.loading import find_folder, load_pipeline


class PublishedPipelineMixin:
    """Goes before `DiffusionPipeline` in the bases of a pipeline class.

    The saved folder loads in three ways: with this package and no remote code; with diffusers alone and
    `trust_remote_code=True`; and, for a subclass of one of diffusers' own pipelines, with diffusers alone.
    """

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        *,
        torch_dtype: torch.dtype | None = None,
        safe_serialization: bool = True,
        variant: str | None = None,
    ) -> None:
        """Writes the model as a fresh folder, which is whole or absent.

        Args:
            save_directory (`str` or `os.PathLike`): The folder. What an earlier model left there is replaced, its
                metrics and card included, since they do not describe the new weights.
            torch_dtype (`torch.dtype`, *optional*): Floating point type of the stored weights, for instance
                `torch.float16` for half the size; the pipeline itself stays as it is.
            safe_serialization (`bool`, defaults to `True`): Only safetensors are written; `False` is refused.
            variant (`str`, *optional*): Refused: a folder holds one set of weights.

        Raises:
            ZooError: If the folder holds something else than a model, or a weight does not fit into `torch_dtype`.
        """
        if not safe_serialization:
            raise ZooError("safe_serialization: expected True, weights are stored as safetensors only")
        if variant is not None:
            raise ZooError("variant: expected None, a folder holds one set of weights; torch_dtype sets their type")
        target = Path(save_directory).resolve()
        if target.is_file() or (
            target.exists() and any(target.iterdir()) and not (target / layout.INDEX_FILE).is_file()
        ):
            raise ZooError(f"{save_directory}: expected a new or empty folder, or one with an earlier model")
        with atomic_folder(target) as folder:
            super().save_pretrained(folder)
            if torch_dtype is not None:
                for file in folder.rglob("*.safetensors"):
                    cast_weights(file, torch_dtype)
            self._make_self_contained(folder)

    def _make_self_contained(self, folder: Path) -> None:
        """Adds the source files of our own classes, and names these files in the index."""
        index = layout.read_index(folder)
        name = layout.published_name(type(self))
        if name == type(self).__name__:
            index["_class_name"] = ["pipeline", name]
            layout.publish_source(type(self), folder / "pipeline.py")
        else:
            diffusers_class = next(cls for cls in type(self).__mro__ if cls.__name__ == name)
            known = inspect.signature(diffusers_class.__init__).parameters
            own = [key for key in index if not key.startswith("_") and key not in known]
            index["_class_name"] = name
            index[layout.OWN_ARGUMENTS_KEY] = {key: index.pop(key) for key in own}
        for name, component in self.components.items():
            if isinstance(component, ModelMixin) and not type(component).__module__.startswith("diffusers."):
                cls = type(component)
                module = layout.module_name(cls)
                layout.publish_source(cls, folder / name / f"{module}.py")
                index[name] = [module, cls.__name__]
        layout.write_json(folder / layout.INDEX_FILE, index)
        for file in folder.rglob("*.json"):  # diffusers notes where a model was loaded from: a path of this machine
            content = json.loads(file.read_text())
            if content.pop("_name_or_path", None):
                layout.write_json(file, content)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        *,
        revision: str | None = None,
        token: str | None = None,
        torch_dtype: torch.dtype | None = None,
        **arguments,
    ):
        """Loads a published model by this class, in eval mode; no code of its repo is downloaded or run.

        Args:
            pretrained_model_name_or_path (`str` or `os.PathLike`): A folder, or a repo id on the Hub.
            revision (`str`, *optional*): Branch, tag or commit of the repo.
            token (`str`, *optional*): For a private repo; the one of the environment or of `hf auth login` otherwise.
            torch_dtype (`torch.dtype`, *optional*): Type of the weights in memory; float32 otherwise.
            arguments: Components or arguments of the pipeline to use instead of the stored ones.

        Raises:
            ZooError: If there is no such model, or it is incomplete; the message names the file.
        """
        folder = find_folder(pretrained_model_name_or_path, revision, token)
        return load_pipeline(cls, folder, torch_dtype, arguments)


def cast_weights(file: Path, dtype: torch.dtype) -> None:
    """Stores the floating point tensors of a safetensors file in another type.

    Raises:
        ZooError: If a weight is too large for it.
    """
    tensors = load_file(file)
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            tensors[name] = tensor.to(dtype)
            if tensor.isfinite().all() and not tensors[name].isfinite().all():
                raise ZooError(f"{name}: a weight is too large for {dtype}")
    save_file(tensors, file, metadata={"format": "pt"})


def save_network(network, folder: Path, dtype) -> None:
    """Writes config, weights and source of a network.

    Args:
        network (`ModelMixin`): Of `zoo.models`.
        folder (`Path`): An empty one.
        dtype (`torch.dtype`): Of the stored weights.

    Raises:
        ZooError: If a weight is too large for `dtype`.
    """
    network.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        cast_weights(file, dtype)
    layout.publish_source(type(network), folder / f"{layout.module_name(type(network))}.py")
    config = json.loads((folder / layout.CONFIG_FILE).read_text())
    config.pop("_name_or_path", None)  # a path of this machine
    layout.write_json(folder / layout.CONFIG_FILE, config)
