"""Cardiac MRI Zoo: generators of cardiac short-axis MRI, trained on real hearts and judged under one protocol."""

from zoo.errors import ZooError
from zoo.pipelines.auto import from_pretrained

__version__ = "0.2.0"
__all__ = ["ZooError", "__version__", "from_pretrained"]
