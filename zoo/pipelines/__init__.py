"""The ways of sampling: one file each, needing diffusers and helpers beside it alone, so that each can be published."""

from .base import ZooPipeline, sample_generators
from .pipeline_anatomy import AnatomyPipeline
from .pipeline_ddpm import ConditionalDDPMPipeline
from .pipeline_ddpm_pairs import PairedDDPMPipeline
from .pipeline_ddpm_unconditional import UnconditionalDDPMPipeline
from .pipeline_gan import GANPipeline
from .pipeline_hearts import HeartPipeline
from .pipeline_ldm import LatentDiffusionPipeline
from .pipeline_score import ScorePipeline
from .pipeline_style_transfer import StyleTransferPipeline
from .pipeline_vae import VAEPipeline

PIPELINES = {
    pipeline.__name__: pipeline
    for pipeline in (
        VAEPipeline,
        GANPipeline,
        ConditionalDDPMPipeline,
        UnconditionalDDPMPipeline,
        PairedDDPMPipeline,
        LatentDiffusionPipeline,
        ScorePipeline,
        StyleTransferPipeline,
        AnatomyPipeline,
        HeartPipeline,
    )
}
"""Every pipeline class by the name that stands in `model_index.json`."""

__all__ = ["PIPELINES", "ZooPipeline", "sample_generators", *PIPELINES]
