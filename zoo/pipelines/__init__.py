"""The ways of sampling: one file each, needing diffusers and `base.py` alone, so that each can be published."""

from .base import ZooPipeline, sample_generators
from .pipeline_dcgan import DCGANPipeline
from .pipeline_ddpm import ConditionalDDPMPipeline
from .pipeline_ddpm_unconditional import UnconditionalDDPMPipeline

PIPELINES = {
    pipeline.__name__: pipeline for pipeline in (DCGANPipeline, ConditionalDDPMPipeline, UnconditionalDDPMPipeline)
}
"""Every pipeline class by the name that stands in `model_index.json`."""

__all__ = ["PIPELINES", "ZooPipeline", "sample_generators", *PIPELINES]
