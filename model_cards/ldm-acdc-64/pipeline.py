"""Sampling from a latent diffusion model: the diffusion runs in the latent space of an autoencoder."""

import torch

from .base_2bfdd39e import ZooPipeline, keeps_settings
from .diffusion_433614b0 import ConditionalDiffusionSampling
from .stepwise_7e334125 import Stepwise


class LatentDiffusionPipeline(ConditionalDiffusionSampling, Stepwise, ZooPipeline):
    r"""Generates latents by reversing a diffusion and decodes them (Rombach et al., 2022, arXiv 2112.10752).

    The U-Net sees latents `(mean - shift_factor) * scaling_factor`, where `mean` is the mean of the encoder's
    distribution and the two numbers, of mean 0 and variance 1 over the training images, stand in the autoencoder's
    config.

    Parameters:
        vae ([`AutoencoderKL`]): The autoencoder, from images in [-1, 1] to latents and back.
        unet ([`ConditionalUNet2DModel`]): The trained network, whose config names the conditions and their classes.
        scheduler ([`SchedulerMixin`]): The default sampler, for instance `DPMSolverMultistepScheduler`.
        default_steps (`int`, defaults to 25): Sampling steps of a call that names none.
        default_guidance (`float`, defaults to 1.0): Guidance scale of a call that names none.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/ldm-acdc-64")
        >>> image = pipe(class_labels="HCM", phase="ED", generator=torch.Generator().manual_seed(0)).images[0]
        ```
    """

    family = "ldm"
    projection_method = (
        "encoded, the latents noised to the given alpha_bar and denoised by the default sampler, all conditions left "
        "open, and decoded"
    )
    model_cpu_offload_seq = "unet->vae"

    @keeps_settings
    def __init__(
        self,
        vae,
        unet,
        scheduler,
        default_steps: int = 25,
        default_guidance: float = 1.0,
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        self.register_modules(vae=vae, unet=unet, scheduler=scheduler)

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.vae.config.in_channels

    @property
    def sample_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.unet.config.sample_size * 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)` of the latents."""
        return self.unet.config.channels, self.unet.config.sample_size, self.unet.config.sample_size

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """Scaled latents of images `(batch_size, c, h, w)` in [-1, 1]."""
        latents = self.vae.encode(images).latent_dist.mode()
        return (latents - (self.vae.config.shift_factor or 0.0)) * self.vae.config.scaling_factor

    def _decode(self, sample: torch.Tensor) -> torch.Tensor:
        """Images, about in [-1, 1], of scaled latents."""
        return self.vae.decode(sample / self.vae.config.scaling_factor + (self.vae.config.shift_factor or 0.0)).sample
