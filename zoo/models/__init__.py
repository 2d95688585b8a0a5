"""The networks: one file each, needing diffusers or transformers and torch alone, so that each can be published.

The files are imported when a network of theirs is first asked for: transformers, which those that judge need, takes
seconds.
"""

import importlib

_FILES = {
    "ACGANDiscriminator": "acgan",
    "ACGANGenerator": "acgan",
    "ConditionalUNet2DModel": "conditional_unet",
    "ConvolutionalVAE": "cvae",
    "DCGANDiscriminator": "dcgan",
    "DCGANGenerator": "dcgan",
    "DenseVAE": "vae",
    "EfficientNetLiteStages": "efficientnet_stages",
    "GANDiscriminator": "gan",
    "GANGenerator": "gan",
    "InfoGANDiscriminator": "infogan",
    "ResNet50Classifier": "resnet_classifier",
    "ResNet50ClassifierConfig": "resnet_classifier",
    "ScoreUNet2DModel": "score_unet",
    "SkinLesNet": "skinlesnet",
    "SkinLesNetConfig": "skinlesnet",
    "SliceImageProcessor": "slice_processor",
    "StyleImages": "style_statistics",
    "StyleStatistics": "style_statistics",
    "UNetSegmenter": "segmenter",
    "UNetSegmenterConfig": "segmenter",
    "ViewNet": "view_net",
    "ViewNetConfig": "view_net",
}
JUDGES = ("ResNet50Classifier", "SkinLesNet", "UNetSegmenter", "ViewNet")
"""The networks that judge, which are transformers'."""
__all__ = list(_FILES)


def __getattr__(name: str):
    """Imports the file of a name when it is first asked for."""
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)


def register_judges() -> None:
    """Lets transformers' `Auto` classes and `pipeline` load the networks that judge, no remote code trusted."""
    from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification
    from transformers import AutoModelForSemanticSegmentation as AutoSegmenter

    from .resnet_classifier import ResNet50Classifier
    from .segmenter import UNetSegmenter
    from .skinlesnet import SkinLesNet
    from .slice_processor import SliceImageProcessor
    from .view_net import ViewNet

    for network in (ResNet50Classifier, SkinLesNet, UNetSegmenter, ViewNet):
        auto = AutoSegmenter if network is UNetSegmenter else AutoModelForImageClassification
        config = network.config_class
        AutoConfig.register(config.model_type, config, exist_ok=True)
        auto.register(config, network, exist_ok=True)
        AutoImageProcessor.register(config, slow_image_processor_class=SliceImageProcessor, exist_ok=True)
