"""Finding a published model, in a folder or on the Hub, and building its pipeline from our own classes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.published import layout, places

if TYPE_CHECKING:
    import torch

# What says which model it is and how good; a network that judges has a config in place of an index
DESCRIPTION = (layout.INDEX_FILE, layout.CONFIG_FILE, "metrics.json")
# No *.py: code of the repo is not even downloaded
WHOLE = (*DESCRIPTION, "preprocessor_config.json", "*/*.json", "*.safetensors")


@dataclass(frozen=True)
class Weights:
    """How the weights of a model are loaded; the names are those of diffusers.

    Args:
        dtype (`torch.dtype` or `dict`, *optional*): Their type in memory, float32 otherwise, whatever they are stored
            in; or one by the name of a component, with `"default"` for those that are not named.
        variant (`str`, *optional*): Of the files, such as `"fp16"`; a component without it has its usual files read.
        device_map (`str`, *optional*): A device, or `"balanced"`: the accelerator, which holds a model of this size.
        low_cpu_mem_usage (`bool`, *optional*): As in diffusers.
    """

    dtype: "torch.dtype | dict[str, torch.dtype] | None" = None
    variant: str | None = None
    device_map: str | None = None
    low_cpu_mem_usage: bool | None = None

    def dtype_of(self, component: str) -> "torch.dtype":
        """The type of a component's weights.

        Raises:
            ZooError: If `dtype` is no type.
        """
        import torch

        asked = self.dtype.get(component, self.dtype.get("default")) if isinstance(self.dtype, dict) else self.dtype
        if asked is not None and not isinstance(asked, torch.dtype):
            raise ZooError(f"dtype: expected a torch.dtype or a dict of them by component, got {asked!r}")
        return asked or torch.float32

    def device(self) -> "torch.device | None":
        """Where the model goes.

        Raises:
            ZooError: If `device_map` is neither a device nor `"balanced"`.
        """
        import torch
        from diffusers.utils.torch_utils import get_device

        if self.device_map is None:
            return None
        try:
            return torch.device(get_device() if self.device_map == "balanced" else self.device_map)
        except (RuntimeError, TypeError) as error:
            raise ZooError(f'device_map: expected a device or "balanced", got {self.device_map!r}') from error

    def check_variant(self, folder: Path) -> None:
        """Makes sure that at least one component has the variant.

        Raises:
            ZooError: If none has.
        """
        if self.variant is not None and not variant_files(folder, self.variant):
            which = f"the model files of the `variant={self.variant}`"  # in diffusers' words
            raise ZooError(f"{folder}: You are trying to load {which}, but no such modeling files are available")


def variant_files(folder: Path, variant: str) -> list[Path]:
    """The weights of a variant in a folder and those below it, as diffusers names them."""
    return sorted(folder.rglob(f"*.{variant}[.-]*safetensors"))


def find_folder(
    path_or_id: str | os.PathLike,
    revision: str | None = None,
    token: str | None = None,
    files: Sequence[str] = WHOLE,
    **cache,
) -> Path:
    """The folder itself, or where the Hub's repo was downloaded to.

    Args:
        path_or_id (`str` or `os.PathLike`): A folder, a repo id on the Hub, or the name of a published model.
        revision (`str`, *optional*): Branch, tag or commit of the repo.
        token (`str`, *optional*): For a private repo; the one of the environment or of `hf auth login` otherwise.
        files (sequence of `str`): Patterns of the files to download: `WHOLE` or `DESCRIPTION`.
        cache: `cache_dir`, `local_files_only` and `force_download` of `huggingface_hub.snapshot_download`.

    Raises:
        ZooError: If there is no such folder or repo, or the repo is no model.
    """
    source = places.resolve(path_or_id)
    if isinstance(source, Path):
        if revision is not None:
            raise ZooError(f"revision: expected a repo on the Hub, {path_or_id} is a folder")
        return source

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        folder = snapshot_download(source, revision=revision, token=token, allow_patterns=list(files), **cache)
    except RevisionNotFoundError as error:
        raise ZooError(f"{path_or_id}: the repo has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        message = f"{path_or_id}: no such folder, and no such repo on the Hub that the token in use may read"
        raise ZooError(message) from error
    except (LocalEntryNotFoundError, HfHubHTTPError) as error:
        if cache.get("local_files_only"):
            raise ZooError(f"{path_or_id}: no such folder, and not in the cache (local_files_only)") from error
        raise ZooError(f"{path_or_id}: no such folder, and the Hub could not be reached") from error
    if not any((Path(folder) / name).is_file() for name in (layout.INDEX_FILE, layout.CONFIG_FILE)):
        raise ZooError(f"{path_or_id}: no model, the repo has no {layout.INDEX_FILE}")
    return Path(folder)


def name_of(folder: str | os.PathLike) -> str:
    """The name of a model's folder; of one that the Hub's client keeps, that of the repo, not of the commit."""
    folder = Path(folder).resolve()
    return folder.parents[1].name.rpartition("--")[2] if folder.parent.name == "snapshots" else folder.name


def load_pipeline(cls: type, folder: Path, weights: Weights, arguments: dict | None = None):
    """Builds a pipeline of a known class from a folder.

    Args:
        cls (`type`): The pipeline class.
        folder (`Path`): Of the model.
        weights (`Weights`): How its weights are loaded.
        arguments (`dict`, *optional*): Components or arguments that replace the stored ones.

    Raises:
        ZooError: If a component is missing or not what the index says, or the class does not take an argument.
    """
    from diffusers.utils import logging

    logger = logging.get_logger("diffusers.pipelines.pipeline_utils")  # as verbose as the user has set diffusers
    arguments, device = arguments or {}, weights.device()
    weights.check_variant(folder)
    index = layout.read_index(folder)
    listed = layout.components(index)
    stored = {key: value for key, value in index.items() if not key.startswith("_") and key not in listed}
    stored |= index.get(layout.OWN_ARGUMENTS_KEY, {})
    for name, (library, class_name) in listed.items():
        if name not in arguments:
            stored[name] = _load_component(folder, name, library, class_name, weights)
            logger.info(f"Loaded {name} as {class_name} from `{name}` subfolder of {folder}.")
    try:
        pipeline = cls(**{**stored, **arguments})
    except ZooError:
        raise
    except Exception as error:  # such as a number where a component belongs
        raise ZooError(f"{folder / layout.INDEX_FILE}: does not fit the class: {error}") from error
    for component in pipeline.components.values():
        if hasattr(component, "eval"):
            component.eval()
    pipeline.register_to_config(_name_or_path=str(folder))
    if device is not None:
        pipeline.to(device)
        pipeline.hf_device_map = str(device)
    return pipeline


def _load_component(folder: Path, name: str, library: str, class_name: str, weights: Weights):
    """Loads one component by a class of ours or of diffusers; weights from safetensors, never from a pickle."""
    from diffusers import ModelMixin

    where = folder / name
    cls = _component_class(folder, name, library, class_name)
    if not name.isidentifier() or not where.is_dir():
        raise ZooError(f"{where}: not found; {layout.INDEX_FILE} lists this component")
    if not issubclass(cls, ModelMixin):
        return _one_line(where, lambda: cls.from_pretrained(where))
    if not any(where.glob("*.safetensors")):
        raise ZooError(f"{where}: no weights, expected diffusion_pytorch_model.safetensors")
    settings = {"torch_dtype": weights.dtype_of(name), "use_safetensors": True, "output_loading_info": True}
    if weights.variant is not None and variant_files(where, weights.variant):
        settings["variant"] = weights.variant
    if weights.low_cpu_mem_usage is not None:
        settings["low_cpu_mem_usage"] = weights.low_cpu_mem_usage
    model, report = _one_line(where, lambda: cls.from_pretrained(where, **settings))
    for problem in ("missing_keys", "unexpected_keys"):
        if report[problem]:
            keys = sorted(report[problem])
            raise ZooError(f"{where}: the weights have {len(keys)} {problem.replace('_', ' ')}, such as {keys[0]}")
    return model


def _component_class(folder: Path, name: str, library: str, class_name: str) -> type:
    """A model of `zoo.models`, or a model or scheduler of diffusers."""
    import diffusers
    from diffusers import ModelMixin, SchedulerMixin

    import zoo.models

    cls = getattr(diffusers if library == "diffusers" else zoo.models, class_name, None)
    if not isinstance(cls, type) or not issubclass(cls, ModelMixin | SchedulerMixin):
        raise ZooError(f"{folder / layout.INDEX_FILE}: {name}: unknown class {class_name!r} of {library}")
    return cls


def _one_line(where: Path, load):
    """Runs `load` and turns what a damaged file raises into one line."""
    try:
        return load()
    except Exception as error:  # of a damaged configuration a class raises what it stumbles on
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ZooError(f"{where}: cannot be loaded: {reason}") from error
