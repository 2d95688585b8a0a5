"""Networks whose features sets of images are compared in."""

from zoo.metrics.extractors.base import FeatureExtractor, extract
from zoo.metrics.extractors.efficientnet_lite import EfficientNetLite0Extractor
from zoo.metrics.extractors.inception import InceptionV3Extractor
from zoo.metrics.extractors.trained import ResNet50Extractor, SkinLesNetExtractor, UNetExtractor, trained_extractors

# By the name that stands in the keys of metrics.json
EXTRACTORS = {
    cls.name: cls
    for cls in (
        EfficientNetLite0Extractor,
        InceptionV3Extractor,
        UNetExtractor,
        SkinLesNetExtractor,
        ResNet50Extractor,
    )
}

__all__ = [
    "EXTRACTORS",
    "EfficientNetLite0Extractor",
    "FeatureExtractor",
    "InceptionV3Extractor",
    "ResNet50Extractor",
    "SkinLesNetExtractor",
    "UNetExtractor",
    "extract",
    "trained_extractors",
]
