"""Networks whose features sets of images are compared in."""

from functools import partial

from zoo.errors import ZooError
from zoo.metrics.extractors.base import FeatureExtractor, extract
from zoo.metrics.extractors.efficientnet_lite import EfficientNetLite0Extractor
from zoo.metrics.extractors.inception import InceptionV3Extractor
from zoo.metrics.extractors.trained import TRAINED, TrainedExtractor, load_trained

# What makes each, by the name that stands in the keys of metrics.json
EXTRACTORS = {cls.name: cls for cls in (EfficientNetLite0Extractor, InceptionV3Extractor)}
EXTRACTORS |= {name: partial(load_trained, name) for name in TRAINED}


def load_extractor(name: str) -> FeatureExtractor:
    """The extractor of a name, with its published weights.

    Raises:
        ZooError: If there is none of that name, or its weights are absent.
    """
    if name not in EXTRACTORS:
        raise ZooError(f"extractor: unknown {name!r}, expected one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]()


__all__ = [
    "EXTRACTORS",
    "EfficientNetLite0Extractor",
    "FeatureExtractor",
    "InceptionV3Extractor",
    "TrainedExtractor",
    "extract",
    "load_extractor",
]
