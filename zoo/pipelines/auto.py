"""Which pipelines there are, and loading a published model by the one that its index names.

The files are imported when one is first asked for: torch and diffusers take seconds, which `import zoo` need not.
"""

import importlib
import os
from typing import TYPE_CHECKING

from zoo.errors import ZooError
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
    classes = published_classes()
    name = layout.pipeline_name(layout.read_index(folder))
    if name not in classes:
        raise ZooError(f"{folder / layout.INDEX_FILE}: unknown class {name!r}, expected one of {', '.join(classes)}")
    return load_pipeline(classes[name], folder, torch_dtype)
