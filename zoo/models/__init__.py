"""The networks: one file each, needing diffusers and torch alone, so that each can be published next to its weights."""

from .conditional_unet import ConditionalUNet2DModel
from .dcgan import DCGANDiscriminator, DCGANGenerator

__all__ = ["ConditionalUNet2DModel", "DCGANDiscriminator", "DCGANGenerator"]
