"""Features of the networks that this project trained: segmenters' encoders, and classifiers' hidden layers."""

import torch

from zoo.errors import ZooError
from zoo.metrics.extractors.base import FeatureExtractor
from zoo.published.networks import Judge, load_judge

# The published networks by the names that stand in the keys of metrics.json. The segmenter of hearts is none of them:
# its features rank a DCGAN's samples before real images
TRAINED = {
    "skinlesnet_acdc": "classifier-acdc-64",
    "resnet50_acdc": "resnet50-acdc-64",
    "unet_isic": "segmenter-isic-64",
    "skinlesnet_isic": "classifier-isic-64",
    "resnet50_isic": "resnet50-isic-64",
}
PREFIXES = {"UNetSegmenter": "unet", "SkinLesNet": "skinlesnet", "ResNet50Classifier": "resnet50"}


class TrainedExtractor(FeatureExtractor):
    """What a network of the project gives as `features`, as in study C.

    Of a U-Net segmenter this is the coarsest map of its encoder, averaged; of SkinLesNet what its last layer judges by;
    of the ResNet-50 with six linear layers all but the last.

    Args:
        judge (`Judge`): The network. The extractor is called by its architecture and the dataset it was trained on.
    """

    knows_patients = True
    preprocessing = "at the size of the dataset, 2 x - 1"

    def __init__(self, judge: Judge):
        prefix = PREFIXES[type(judge.network).__name__]
        self.name = prefix if judge.trained_on is None else f"{prefix}_{judge.trained_on.lower()}"
        self.network, self.sha256 = judge.network, judge.sha256
        config = self.network.config
        size = getattr(config, "sample_size", 64)
        with torch.inference_mode():
            features = self.network.features(torch.zeros(1, config.in_channels, size, size))
        self.dimensions = features.shape[1]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return self.network.features(2 * images.float() - 1).float()


def load_trained(name: str) -> TrainedExtractor:
    """The published network of a name in `TRAINED`.

    Raises:
        ZooError: If its folder is absent or damaged, or holds another network.
    """
    extractor = TrainedExtractor(load_judge(TRAINED[name]))
    if extractor.name != name:
        raise ZooError(f"extractor {name}: {TRAINED[name]} holds the network of {extractor.name}")
    return extractor
