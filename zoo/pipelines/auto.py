"""Which pipelines there are: loading a published model by the one that its index names, and its code files.

The files are imported when one is first asked for: torch and diffusers take seconds, which `import zoo` need not.
"""

import importlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.files import atomic_folder
from zoo.published import layout
from zoo.published.loading import Weights, find_folder, load_pipeline

if TYPE_CHECKING:
    import torch

PIPELINES = {
    "VAEPipeline": "pipeline_vae",
    "GANPipeline": "pipeline_gan",
    "ConditionalDDPMPipeline": "pipeline_ddpm",
    "UnconditionalDDPMPipeline": "pipeline_ddpm_unconditional",
    "LatentDiffusionPipeline": "pipeline_ldm",
    "ScorePipeline": "pipeline_score",
    "StyleTransferPipeline": "pipeline_style_transfer",
    "AnatomyPipeline": "pipeline_anatomy",
    "HeartPipeline": "pipeline_hearts",
}
"""The file of every pipeline class."""


def published_classes() -> dict[str, type]:
    """Every pipeline class by the name that stands in `model_index.json`."""
    modules = {name: importlib.import_module(f"zoo.pipelines.{file}") for name, file in PIPELINES.items()}
    classes = [getattr(module, name) for name, module in modules.items()]
    return {layout.published_name(cls): cls for cls in classes}


def from_pretrained(
    path_or_id: str | os.PathLike,
    *,
    revision: str | None = None,
    token: str | None = None,
    cache_dir: str | os.PathLike | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    dtype: "torch.dtype | dict[str, torch.dtype] | None" = None,
    torch_dtype: "torch.dtype | None" = None,
    variant: str | None = None,
    device_map: str | None = None,
    low_cpu_mem_usage: bool | None = None,
    compile: bool = False,
):
    """Loads a published model, whatever its pipeline class, in eval mode; no code of its repo is downloaded or run.

    Args:
        path_or_id (`str` or `os.PathLike`): A folder, or a repo id on the Hub.
        revision (`str`, *optional*): Branch, tag or commit of the repo.
        token (`str`, *optional*): For a private repo; the one of the environment or of `hf auth login` otherwise.
        cache_dir, local_files_only, force_download: As in diffusers.
        dtype, variant, device_map, low_cpu_mem_usage: As of [`~zoo.published.loading.Weights`].
        torch_dtype (`torch.dtype`, *optional*): The older name of `dtype`.
        compile (`bool`): Has `torch.compile` compile the networks that draw: the first images take a minute more, those
            that follow less time. It pays for thousands of images.

    Returns:
        A pipeline of `zoo.pipelines`.

    Raises:
        ZooError: If there is no such model, it is incomplete, its class is not one of the zoo's, or nothing can be
            compiled on this machine.
    """
    cache = {"cache_dir": cache_dir, "local_files_only": local_files_only, "force_download": force_download}
    folder = find_folder(path_or_id, revision, token, **cache)
    weights = Weights(torch_dtype if dtype is None else dtype, variant, device_map, low_cpu_mem_usage)
    pipe = load_pipeline(_class_of(folder), folder, weights)
    if compile:
        from zoo.published.compiling import compile_networks

        compile_networks(pipe)
    return pipe


def _class_of(folder: Path) -> type:
    """The pipeline class that the index of a folder names."""
    name = layout.pipeline_name(layout.read_index(folder))
    if name in PIPELINES:  # its file alone: those of the others take time
        return getattr(importlib.import_module(f"zoo.pipelines.{PIPELINES[name]}"), name)
    classes = published_classes()
    if name not in classes:
        raise ZooError(f"{folder / layout.INDEX_FILE}: unknown class {name!r}, expected one of {', '.join(classes)}")
    return classes[name]


def code_files(folder: Path) -> dict[str, str]:
    """The Python files of a published model as this version of the library writes them: text by path in the folder.

    Raises:
        ZooError: If the folder is no model, or names a class that is not one of the zoo's.
    """
    import zoo.models

    if layout.is_network(folder):
        from zoo.published.saving import network_sources

        name = layout.network_name(json.loads((folder / layout.CONFIG_FILE).read_text()))
        if name not in zoo.models.JUDGES:
            known = ", ".join(zoo.models.JUDGES)
            raise ZooError(f"{folder / layout.CONFIG_FILE}: architectures: expected one of {known}, got {name!r}")
        return network_sources(getattr(zoo.models, name))
    index, files = layout.read_index(folder), {}
    if isinstance(index["_class_name"], list):  # not diffusers' own
        files = layout.source_files(_class_of(folder), "pipeline.py")
    for component, (library, class_name) in layout.components(index).items():
        if library.startswith("modeling_"):
            sources = layout.source_files(getattr(zoo.models, class_name), f"{library}.py")
            files |= {f"{component}/{file}": text for file, text in sources.items()}
    return files


def write_code(folder: Path) -> list[str]:
    """Writes the Python files of a published model anew; its weights and all other files stay as they are.

    Returns:
        The paths in the folder of what has changed, come or gone.

    Raises:
        ZooError: As `code_files`.
    """
    old = {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.py"))}
    new = code_files(folder)
    changed = sorted(name for name in old | new if old.get(name) != new.get(name))
    if changed:
        with atomic_folder(folder.resolve()) as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            for name in changed:
                (copy / name).unlink(missing_ok=True)
                if name in new:
                    (copy / name).write_text(new[name])
    return changed
