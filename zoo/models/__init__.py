"""The networks: one file each, needing diffusers and torch alone, so that each can be published next to its weights."""

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
    "PatchDiscriminator": "patch_discriminator",
    "ResNet50Classifier": "resnet_classifier",
    "ScoreUNet2DModel": "score_unet",
    "SkinLesNet": "skinlesnet",
    "StyleImages": "style_statistics",
    "StyleStatistics": "style_statistics",
    "UNetSegmenter": "segmenter",
}
__all__ = list(_FILES)


def __getattr__(name: str):
    """Imports the file of a network when it is first asked for: a model needs its own alone."""
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)
