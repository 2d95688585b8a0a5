"""Networks whose features sets of images are compared in."""

from zoo.metrics.extractors.base import FeatureExtractor, extract
from zoo.metrics.extractors.efficientnet_lite import EfficientNetLite0Extractor

__all__ = ["EfficientNetLite0Extractor", "FeatureExtractor", "extract"]
