"""Saving a pipeline so that everybody can load it, and loading it without trusting remote code."""

import inspect
import json
import os
import shutil
from pathlib import Path

import torch
from diffusers import ModelMixin
from safetensors.torch import load_file, save_file

from zoo.errors import ZooError
from zoo.files import atomic_folder
from zoo.published import layout
from zoo.published.loading import Weights, find_folder, load_pipeline, variant_files


class PublishedPipelineMixin:
    """Goes before `DiffusionPipeline` in the bases of a pipeline class.

    The saved folder loads in three ways: with this package and no remote code; with diffusers alone and
    `trust_remote_code=True`; and, for a subclass of one of diffusers' own pipelines, with diffusers alone.
    """

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        safe_serialization: bool = True,
        variant: str | None = None,
        max_shard_size: int | str | None = None,
        push_to_hub: bool = False,
        *,
        torch_dtype: torch.dtype | None = None,
        **repo,
    ) -> None:
        """Writes the model as a fresh folder, which is whole or absent.

        Args:
            save_directory (`str` or `os.PathLike`): The folder. What an earlier model left there is replaced, its
                metrics and card included, since they do not describe the new weights.
            safe_serialization (`bool`, defaults to `True`): Only safetensors are written; `False` is refused.
            variant (`str`, *optional*): Names the files of the weights, such as `"fp16"`. They are added to an earlier
                model of this class, whose own weights, metrics and card stay.
            max_shard_size (`int` or `str`, *optional*): Size above which weights are split into files, such as `"5GB"`.
            push_to_hub (`bool`, defaults to `False`): Whether to push the folder to the Hub then.
            torch_dtype (`torch.dtype`, *optional*): Floating point type of the stored weights, for instance
                `torch.float16` for half the size; the pipeline itself stays as it is.
            repo: Of the push, as in diffusers: `repo_id` (by default the folder's name), `private`, `token`,
                `commit_message`, `create_pr`.

        Raises:
            ZooError: If the folder holds something else than a model, or a weight does not fit into `torch_dtype`.
        """
        if not safe_serialization:
            raise ZooError("safe_serialization: expected True, weights are stored as safetensors only")
        if unknown := set(repo) - {"repo_id", "private", "token", "commit_message", "create_pr"}:
            raise ZooError(f"{min(unknown)}: unknown argument of save_pretrained")
        target = Path(save_directory).resolve()
        if target.is_file() or (
            target.exists() and any(target.iterdir()) and not (target / layout.INDEX_FILE).is_file()
        ):
            raise ZooError(f"{save_directory}: expected a new or empty folder, or one with an earlier model")
        earlier = variant is not None and (target / layout.INDEX_FILE).is_file()
        if earlier and layout.pipeline_name(layout.read_index(target)) != layout.published_name(type(self)):
            raise ZooError(f"{save_directory}: variant: expected an earlier model of class {type(self).__name__}")
        with atomic_folder(target) as folder:
            if earlier:
                shutil.copytree(target, folder, dirs_exist_ok=True)
            super().save_pretrained(folder, variant=variant, max_shard_size=max_shard_size)
            if torch_dtype is not None:
                for file in variant_files(folder, variant) if variant else folder.rglob("*.safetensors"):
                    cast_weights(file, torch_dtype)
                for file in folder.rglob("*.safetensors.index*.json"):
                    _tell_size(file)
            self._make_self_contained(folder)
        if push_to_hub:
            self._push(target, **repo)

    def _push(self, folder: Path, repo_id=None, private=None, token=None, commit_message=None, create_pr=False) -> None:
        """Pushes a saved folder, with diffusers' card if it has none."""
        from diffusers.utils.hub_utils import load_or_create_model_card, populate_model_card
        from huggingface_hub import create_repo

        repo_id = create_repo(repo_id or folder.name, private=private, token=token, exist_ok=True).repo_id
        if not (folder / "README.md").exists():
            card = load_or_create_model_card(repo_id, token=token, is_pipeline=True)
            populate_model_card(card).save(folder / "README.md")
        self._upload_folder(folder, repo_id, token=token, commit_message=commit_message, create_pr=create_pr)

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
        cache_dir: str | os.PathLike | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        dtype: torch.dtype | dict[str, torch.dtype] | None = None,
        torch_dtype: torch.dtype | None = None,
        variant: str | None = None,
        device_map: str | None = None,
        low_cpu_mem_usage: bool | None = None,
        use_safetensors: bool | None = None,
        trust_remote_code: bool = False,
        **arguments,
    ):
        """Loads a published model by this class, in eval mode; no code of its repo is downloaded or run.

        Args:
            pretrained_model_name_or_path (`str` or `os.PathLike`): A folder, or a repo id on the Hub.
            revision (`str`, *optional*): Branch, tag or commit of the repo.
            token (`str`, *optional*): For a private repo; the one of the environment or of `hf auth login` otherwise.
            cache_dir, local_files_only, force_download: As in diffusers.
            dtype, variant, device_map, low_cpu_mem_usage: As of [`~zoo.published.loading.Weights`].
            torch_dtype (`torch.dtype`, *optional*): The older name of `dtype`.
            use_safetensors (`bool`, *optional*): Weights are read from safetensors alone; `False` is refused.
            trust_remote_code (`bool`): Of no effect: no code of the repo is run, whatever it says.
            arguments: Components or arguments of the pipeline to use instead of the stored ones.

        Raises:
            ZooError: If there is no such model, or it is incomplete; the message names the file.
        """
        if use_safetensors is False:
            raise ZooError("use_safetensors: expected True, nothing is unpickled")
        cache = {"cache_dir": cache_dir, "local_files_only": local_files_only, "force_download": force_download}
        folder = find_folder(pretrained_model_name_or_path, revision, token, **cache)
        weights = Weights(torch_dtype if dtype is None else dtype, variant, device_map, low_cpu_mem_usage)
        return load_pipeline(cls, folder, weights, arguments)


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


def _tell_size(index_file: Path) -> None:
    """Corrects the size in bytes that the index of split weights tells, once they have another type."""
    index = json.loads(index_file.read_text())
    files = [load_file(index_file.parent / name).values() for name in set(index["weight_map"].values())]
    index["metadata"]["total_size"] = sum(tensor.nbytes for tensors in files for tensor in tensors)
    layout.write_json(index_file, index)


def save_network(network, folder: Path, dtype) -> None:
    """Writes config, weights and source of a network.

    Args:
        network (`PreTrainedModel`): Of `zoo.models`, one that judges.
        folder (`Path`): An empty one.
        dtype (`torch.dtype`): Of the stored weights.

    Raises:
        ZooError: If a weight is too large for `dtype`.
    """
    network.save_pretrained(folder)
    for file in folder.glob("*.safetensors"):
        cast_weights(file, dtype)
    describe_network(network.config, type(network), folder)


def describe_network(config, network_class: type, folder: Path) -> None:
    """Writes config, image processor and source of a network that judges, so that transformers finds them.

    Args:
        config (`PreTrainedConfig`): Of the network.
        network_class (`type`): Its class.
        folder (`Path`): With its weights.
    """
    from zoo.models import SliceImageProcessor

    module, processor = layout.module_name(network_class), layout.module_name(SliceImageProcessor)
    is_segmenter = network_class.family == "segmenter"
    auto = "AutoModelForSemanticSegmentation" if is_segmenter else "AutoModelForImageClassification"
    names = {"AutoConfig": type(config).__name__, auto: network_class.__name__}
    content = config.to_diff_dict() | {
        "architectures": [network_class.__name__],
        "auto_map": {name: f"{module}.{cls}" for name, cls in names.items()},
        "dtype": "float32",  # in memory, whatever they are stored in
    }
    layout.write_json(folder / layout.CONFIG_FILE, content)
    size = getattr(config, "sample_size", None)
    settings = {"size": size, "channels": config.in_channels, "pixel_spacing_mm": config.pixel_spacing_mm}
    settings["image_processor_type"] = SliceImageProcessor.__name__
    settings["auto_map"] = {"AutoImageProcessor": f"{processor}.{SliceImageProcessor.__name__}"}
    layout.write_json(folder / layout.PROCESSOR_FILE, settings)
    for name, text in network_sources(network_class).items():
        (folder / name).write_text(text)


def network_sources(network_class: type) -> dict[str, str]:
    """The source files of a network that judges and of its image processor: text by file name."""
    from zoo.models import SliceImageProcessor

    classes = (network_class, SliceImageProcessor)
    return {
        name: text
        for cls in classes
        for name, text in layout.source_files(cls, f"{layout.module_name(cls)}.py").items()
    }
