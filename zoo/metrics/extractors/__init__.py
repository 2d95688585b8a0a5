"""Networks whose features sets of images are compared in."""

from functools import partial

from zoo.errors import ZooError
from zoo.metrics.extractors.base import FeatureExtractor, extract
from zoo.metrics.extractors.efficientnet_lite import EfficientNetLite0Extractor
from zoo.metrics.extractors.foundation import CLIPExtractor, DINOv2Extractor
from zoo.metrics.extractors.inception import InceptionV3Extractor
from zoo.metrics.extractors.trained import TRAINED, TrainedExtractor, load_trained

# What makes each, by the name that stands in the keys of metrics.json
EXTRACTORS = {
    cls.name: cls for cls in (EfficientNetLite0Extractor, InceptionV3Extractor, DINOv2Extractor, CLIPExtractor)
}
EXTRACTORS |= {name: partial(load_trained, name) for name in TRAINED}


WITH_WEIGHTS = (InceptionV3Extractor.name, DINOv2Extractor.name, CLIPExtractor.name)


def load_extractor(name: str, weights: str | None = None) -> FeatureExtractor:
    """The extractor of a name, with its published weights.

    Args:
        name (`str`): As in the keys of `metrics.json`.
        weights (`str`, *optional*): Where they lie, for one that does not bring them: a file for `inception_v3`, a
            folder or Hub id of transformers for `dinov2` and `clip`.

    Raises:
        ZooError: If there is none of that name, its weights are absent, or it brings them.
    """
    if name not in EXTRACTORS:
        raise ZooError(f"extractor: unknown {name!r}, expected one of {', '.join(EXTRACTORS)}")
    if weights is None:
        return EXTRACTORS[name]()
    if name not in WITH_WEIGHTS:
        raise ZooError(f"--weights: expected one of {', '.join(WITH_WEIGHTS)}; {name} brings its own")
    return EXTRACTORS[name](weights)


__all__ = [
    "EXTRACTORS",
    "CLIPExtractor",
    "DINOv2Extractor",
    "EfficientNetLite0Extractor",
    "FeatureExtractor",
    "InceptionV3Extractor",
    "TrainedExtractor",
    "extract",
    "load_extractor",
]
