"""The networks: one file each, needing diffusers and torch alone, so that each can be published next to its weights."""

from .acgan import ACGANDiscriminator, ACGANGenerator
from .conditional_unet import ConditionalUNet2DModel
from .cvae import ConvolutionalVAE
from .dcgan import DCGANDiscriminator, DCGANGenerator
from .efficientnet_stages import EfficientNetLiteStages
from .gan import GANDiscriminator, GANGenerator
from .infogan import InfoGANDiscriminator
from .patch_discriminator import PatchDiscriminator
from .resnet_classifier import ResNet50Classifier
from .score_unet import ScoreUNet2DModel
from .segmenter import UNetSegmenter
from .skinlesnet import SkinLesNet
from .style_statistics import StyleImages, StyleStatistics
from .vae import DenseVAE

__all__ = [
    "ACGANDiscriminator",
    "ACGANGenerator",
    "ConditionalUNet2DModel",
    "ConvolutionalVAE",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DenseVAE",
    "EfficientNetLiteStages",
    "GANDiscriminator",
    "GANGenerator",
    "InfoGANDiscriminator",
    "PatchDiscriminator",
    "ResNet50Classifier",
    "ScoreUNet2DModel",
    "SkinLesNet",
    "StyleImages",
    "StyleStatistics",
    "UNetSegmenter",
]
