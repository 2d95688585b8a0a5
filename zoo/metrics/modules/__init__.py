"""The metrics as modules of `evaluate`: one folder a module, each pushable to a Space as it is. What they share.

`evaluate.load("zoo/metrics/modules/zoo_ssim")` loads one from its folder, `evaluate.load("OWNER/zoo_ssim")` one from
the Hub, and `evaluate.combine` joins several.
"""

import inspect
from collections.abc import Callable

import datasets
import evaluate
import numpy as np
import torch

_IMAGE = datasets.Sequence(datasets.Sequence(datasets.Sequence(datasets.Value("float32"))))
_ROW = datasets.Sequence(datasets.Value("float64"))


def image_info(metric: Callable, citation: str) -> evaluate.MetricInfo:
    """Of a module that compares images `(channels, height, width)` in [0, 1] pair by pair."""
    return _info(metric, citation, {"predictions": _IMAGE, "references": _IMAGE})


def feature_info(metric: Callable, citation: str) -> evaluate.MetricInfo:
    """Of a module that compares two sets of features, a row an image; the sets need to be of one size."""
    return _info(metric, citation, {"predictions": _ROW, "references": _ROW})


def probability_info(metric: Callable, citation: str) -> evaluate.MetricInfo:
    """Of a module that judges the class probabilities of samples alone."""
    return _info(metric, citation, {"predictions": _ROW})


def tensor(batch) -> torch.Tensor:
    """What `evaluate` has collected, as one tensor."""
    return torch.from_numpy(np.array(batch))


def _info(metric: Callable, citation: str, features: dict) -> evaluate.MetricInfo:
    description, _, inputs = inspect.getdoc(metric).partition("\n")
    return evaluate.MetricInfo(
        description=description,
        citation=citation,
        inputs_description=inputs.strip(),
        features=datasets.Features(features),
    )
