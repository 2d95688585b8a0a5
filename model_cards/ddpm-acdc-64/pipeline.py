"""Sampling from a diffusion model, conditional on pathology, phase and slice level."""

from .base_4e9663f1 import ZooPipeline
from .diffusion_696b7b1e import ConditionalDiffusionSampling


class ConditionalDDPMPipeline(ConditionalDiffusionSampling, ZooPipeline):
    r"""Generates images by reversing a diffusion, asked for a pathology, a phase and a slice level.

    Parameters:
        unet ([`ConditionalUNet2DModel`]): The trained network, whose config names the conditions and their classes.
        scheduler ([`SchedulerMixin`]): The default sampler, for instance `DPMSolverMultistepScheduler`.
        default_steps (`int`, defaults to 25): Sampling steps of a call that names none.
        default_guidance (`float`, defaults to 1.0): Guidance scale of a call that names none.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/ddpm-acdc-64")
        >>> image = pipe(class_labels="HCM", phase="ED", generator=torch.Generator().manual_seed(0)).images[0]
        ```
    """

    model_cpu_offload_seq = "unet"

    def __init__(
        self,
        unet,
        scheduler,
        default_steps: int = 25,
        default_guidance: float = 1.0,
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.register_to_config(
            default_steps=default_steps, default_guidance=default_guidance, pixel_spacing_mm=pixel_spacing_mm
        )

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.unet.config.channels
