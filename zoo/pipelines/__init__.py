"""The ways of sampling: one file each, needing diffusers and helpers beside it alone, so that each can be published."""

import importlib

from .auto import PIPELINES

_FILES = {**PIPELINES, "ZooPipeline": "base", "sample_generators": "base"}
__all__ = list(_FILES)


def __getattr__(name: str):
    """Imports the file of a name when it is first asked for."""
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)
