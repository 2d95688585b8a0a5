"""Features of the networks that this project trained: the segmenter's encoder, and the classifiers' hidden layer."""

import torch

from zoo.errors import ZooError
from zoo.metrics.extractors.base import FeatureExtractor
from zoo.metrics.judges import CLASSIFIER, SEGMENTER, Judge, load_judge


class TrainedExtractor(FeatureExtractor):
    """What a network of the project gives as `features`. A subclass says which network.

    Args:
        judge (`Judge`, *optional*): The network; the published one by default.

    Raises:
        ZooError: If it is absent or of another class.
    """

    knows_patients = True
    published: str
    network_class: str

    def __init__(self, judge: Judge | None = None):
        judge = judge or load_judge(self.published)
        self.network, self.sha256 = judge.network, judge.sha256
        found = type(self.network).__name__
        if found != self.network_class:
            raise ZooError(f"extractor {self.name}: expected a {self.network_class}, {judge.name} is a {found}")
        size = self.network.config.get("sample_size", 64)
        with torch.inference_mode():
            self.dimensions = self.network.features(torch.zeros(1, self.network.config.in_channels, size, size)).shape[
                1
            ]
        self.preprocessing = "at the size of the dataset, 2 x - 1"

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return self.network.features(2 * images.float() - 1).float()


class UNetExtractor(TrainedExtractor):
    """The coarsest map of the segmenter's encoder, averaged: study C's U-Net extractor."""

    name, published, network_class = "unet_acdc", SEGMENTER, "UNetSegmenter"


class SkinLesNetExtractor(TrainedExtractor):
    """What the last layer of SkinLesNet judges by."""

    name, published, network_class = "skinlesnet_acdc", CLASSIFIER, "SkinLesNet"


class ResNet50Extractor(TrainedExtractor):
    """All but the last layer of the ResNet-50 with six linear layers, as in study C."""

    name, published, network_class = "resnet50_acdc", "model_cards/resnet50-acdc-64", "ResNet50Classifier"


def trained_extractors(*judges: Judge | None) -> list[TrainedExtractor]:
    """The extractor of each judge that there is."""
    known = {cls.network_class: cls for cls in (UNetExtractor, SkinLesNetExtractor, ResNet50Extractor)}
    return [known[type(judge.network).__name__](judge) for judge in judges if judge is not None]
