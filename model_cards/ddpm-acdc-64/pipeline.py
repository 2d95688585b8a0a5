"""Sampling from a diffusion model, conditional on pathology, phase and slice level."""

import torch

from .base_2bfdd39e import ZooPipeline, keeps_settings
from .diffusion_433614b0 import ConditionalDiffusionSampling, ExpertSampling
from .stepwise_7e334125 import Stepwise


class ConditionalDDPMPipeline(ConditionalDiffusionSampling, ExpertSampling, Stepwise, ZooPipeline):
    r"""Generates images by reversing a diffusion, asked for a pathology, a phase and a slice level.

    Parameters:
        unet ([`ConditionalUNet2DModel`]): The trained network, whose config names the conditions and their classes.
        scheduler ([`SchedulerMixin`]): The default sampler, for instance `DPMSolverMultistepScheduler`.
        unet_2 ([`UNet2DModel`], *optional*): An expert for the last timesteps, of little noise, where texture is made
            (Balaji et al., 2022, arXiv 2211.01324, section 4.1). It knows no classes, which are settled by then.
        boundary_ratio (`float`, *optional*): Share of the training timesteps that are left to `unet_2`; of no effect
            without it.
        default_steps (`int`, defaults to 25): Sampling steps of a call that names none.
        default_guidance (`float`, defaults to 1.0): Guidance scale of a call that names none.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.
        family (`str`, defaults to `"ddpm"`): `"turbo"` of a model that was tuned for few steps.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/ddpm-acdc-64")
        >>> image = pipe(class_labels="HCM", phase="ED", generator=torch.Generator().manual_seed(0)).images[0]
        ```
    """

    model_cpu_offload_seq = "unet->unet_2"
    _optional_components = ["unet_2"]

    @keeps_settings
    def __init__(
        self,
        unet,
        scheduler,
        unet_2=None,
        boundary_ratio: float | None = None,
        default_steps: int = 25,
        default_guidance: float = 1.0,
        pixel_spacing_mm: float | None = None,
        family: str = "ddpm",
    ):
        super().__init__()
        if unet_2 is not None and boundary_ratio is None:
            raise ValueError("boundary_ratio: expected with `unet_2`")
        self.register_modules(unet=unet, scheduler=scheduler, unet_2=unet_2)

    @property
    def family(self) -> str:
        """Short name of the method."""
        return self.config.family

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.unet.config.channels

    def network_evaluations(
        self, num_inference_steps: int | None = None, guidance_scale: float | None = None, **_
    ) -> int:
        """How many times a U-Net runs for one sample; guidance doubles it, but for the expert's steps."""
        steps = num_inference_steps or self.default_steps
        by_expert = self._expert_steps(steps)
        return by_expert + super().network_evaluations(1, guidance_scale) * (steps - by_expert)

    def _reverse(self, sample, generators, predict, on_step=None):
        """As in the base class, the expert's timesteps by the expert."""

        def by_noise(sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            expert = self._is_for_expert(timestep)
            return self.unet_2(sample, timestep).sample if expert else predict(sample, timestep)

        return super()._reverse(sample, generators, by_noise, on_step)
