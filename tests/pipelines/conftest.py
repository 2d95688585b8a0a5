import pytest
from diffusers import DDPMScheduler

from zoo.pipelines import ConditionalDDPMPipeline


@pytest.fixture
def ancestral(conditional_ddpm) -> ConditionalDDPMPipeline:
    """A sampler that draws noise at every step."""
    conditional_ddpm.scheduler = DDPMScheduler.from_config(conditional_ddpm.scheduler.config)
    return conditional_ddpm
