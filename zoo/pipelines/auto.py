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
from zoo.published.loading import find_folder, load_pipeline

if TYPE_CHECKING:
    import torch

PIPELINES = {
    "VAEPipeline": "pipeline_vae",
    "GANPipeline": "pipeline_gan",
    "ConditionalDDPMPipeline": "pipeline_ddpm",
    "UnconditionalDDPMPipeline": "pipeline_ddpm_unconditional",
    "PairedDDPMPipeline": "pipeline_ddpm_pairs",
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
    torch_dtype: "torch.dtype | None" = None,
):
    """Loads a published model, whatever its pipeline class, in eval mode; no code of its repo is downloaded or run.

    Args:
        path_or_id (`str` or `os.PathLike`): A folder, or a repo id on the Hub.
        revision (`str`, *optional*): Branch, tag or commit of the repo.
        token (`str`, *optional*): For a private repo; the one of the environment or of `hf auth login` otherwise.
        torch_dtype (`torch.dtype`, *optional*): Type of the weights in memory; float32 otherwise, whatever the type
            that they are stored in.

    Returns:
        A pipeline of `zoo.pipelines`.

    Raises:
        ZooError: If there is no such model, it is incomplete, or its class is not one of the zoo's.
    """
    folder = find_folder(path_or_id, revision, token)
    return load_pipeline(_class_of(folder), folder, torch_dtype)


def _class_of(folder: Path) -> type:
    """The pipeline class that the index of a folder names."""
    classes, name = published_classes(), layout.pipeline_name(layout.read_index(folder))
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
        name = json.loads((folder / layout.CONFIG_FILE).read_text()).get("_class_name")
        cls = getattr(zoo.models, str(name), None)
        if cls is None:
            raise ZooError(f"{folder / layout.CONFIG_FILE}: _class_name: expected a class of zoo.models, got {name!r}")
        return layout.source_files(cls, f"{layout.module_name(cls)}.py")
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
