import pytest
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler

from zoo.models import ConditionalUNet2DModel, DCGANGenerator
from zoo.pipelines import ConditionalDDPMPipeline, DCGANPipeline, UnconditionalDDPMPipeline


@pytest.fixture
def dcgan() -> DCGANPipeline:
    torch.manual_seed(0)
    generator = DCGANGenerator(16, 1, latent_dim=8, base_channels=8)
    for parameter in generator.parameters():  # untrained weights are so small that all images are nearly one
        torch.nn.init.normal_(parameter, 0.0, 0.5)
    return DCGANPipeline(generator.eval(), pixel_spacing_mm=2.0)


def _sampler() -> DPMSolverMultistepScheduler:
    return DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", lambda_min_clipped=-5.1
    )


@pytest.fixture
def conditional_ddpm() -> ConditionalDDPMPipeline:
    torch.manual_seed(0)
    unet = ConditionalUNet2DModel(
        conditions=["pathology", "phase"],
        class_names={"pathology": ["NOR", "HCM"], "phase": ["ED", "ES"]},
        class_frequencies={"pathology": [0.25, 0.75], "phase": [1.0, 0.0]},
        sample_size=8,
        block_out_channels=[8, 8],
        attention_levels=[1],
        attention_head_dim=4,
        norm_num_groups=4,
    )
    torch.nn.init.normal_(unet.embeddings[0].weight)  # so that classes differ visibly
    pipe = ConditionalDDPMPipeline(unet.eval(), _sampler(), default_steps=3, pixel_spacing_mm=2.0)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def unconditional_ddpm(conditional_ddpm) -> UnconditionalDDPMPipeline:
    pipe = UnconditionalDDPMPipeline(conditional_ddpm.unet.unconditional_unet().eval(), _sampler(), default_steps=3)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def ancestral(conditional_ddpm) -> ConditionalDDPMPipeline:
    """A sampler that draws noise at every step."""
    conditional_ddpm.scheduler = DDPMScheduler.from_config(conditional_ddpm.scheduler.config)
    return conditional_ddpm
