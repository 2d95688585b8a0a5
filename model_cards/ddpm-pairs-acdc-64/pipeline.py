"""Sampling from a diffusion model of images together with their masks."""

from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
from diffusers.utils import BaseOutput

from .base_2bfdd39e import ZooPipeline, keeps_settings
from .diffusion_62a49c2c import ConditionalDiffusionSampling
from .stepwise_7e334125 import Stepwise


@dataclass
class PairedDDPMOutput(BaseOutput):
    """Images with their masks.

    Args:
        images (`list[PIL.Image.Image]`, `np.ndarray` or `torch.Tensor`): As of every pipeline.
        masks (`list[PIL.Image.Image]`, `np.ndarray` or `torch.Tensor`): The label of each pixel: 8-bit grey pictures
            that hold the labels as they are, or uint8 `(batch_size, height, width)`.
    """

    images: list[PIL.Image.Image] | np.ndarray | torch.Tensor
    masks: list[PIL.Image.Image] | np.ndarray | torch.Tensor


class PairedDDPMPipeline(ConditionalDiffusionSampling, Stepwise, ZooPipeline):
    r"""Generates images and their masks at once, by reversing a diffusion of both.

    The mask is noised and denoised as further channels of the image, one a label, 1 where the mask has the label and -1
    elsewhere. A pixel's label is that of its largest channel. Fewer channels would do for the bits of the label (Chen
    et al., 2022, arXiv 2208.04202), but where two structures meet whose bits differ twice, bits that turn at different
    places make a rim of a third structure; and further channels cost the U-Net next to nothing.

    Parameters:
        unet ([`ConditionalUNet2DModel`]): The trained network, whose channels are those of the image and then one a
            label, and whose config names the conditions and their classes.
        scheduler ([`SchedulerMixin`]): The default sampler, for instance `DPMSolverMultistepScheduler`.
        num_labels (`int`, defaults to 4): Labels of a mask: background, right ventricle, myocardium, left ventricle.
        default_steps (`int`, defaults to 25): Sampling steps of a call that names none.
        default_guidance (`float`, defaults to 1.0): Guidance scale of a call that names none.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/ddpm-pairs-acdc-64")
        >>> output = pipe(class_labels="HCM", phase="ED", generator=torch.Generator().manual_seed(0))
        >>> image, mask = output.images[0], output.masks[0]
        ```
    """

    family = "ddpm-pairs"
    projection_method = (
        "noised to the given alpha_bar, its unknown mask sampled along with it down to there, both denoised by the "
        "default sampler, all conditions left open"
    )
    model_cpu_offload_seq = "unet"

    @keeps_settings
    def __init__(
        self,
        unet,
        scheduler,
        num_labels: int = 4,
        default_steps: int = 25,
        default_guidance: float = 1.0,
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @property
    def num_labels(self) -> int:
        """Labels of a mask, the background among them."""
        return self.config.num_labels

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.unet.config.channels - self.num_labels

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)` of a pair: the image's channels, then one a label."""
        return self.unet.config.channels, self.sample_size, self.sample_size

    def _output(self, images: torch.Tensor, output_type: str, return_dict: bool):
        """Wraps pairs `(batch_size, *sample_shape)` in the output type that was asked for."""
        images, layers = images.split([self.num_channels, self.num_labels], dim=1)
        (images,) = super()._output(images, output_type, return_dict=False)
        masks = layers.argmax(1).to(torch.uint8).cpu()
        if output_type == "np":
            masks = masks.numpy()
        elif output_type == "pil":
            masks = [PIL.Image.fromarray(mask) for mask in masks.numpy()]
        return PairedDDPMOutput(images, masks) if return_dict else (images, masks)

    @torch.no_grad()
    def project(
        self,
        images: torch.Tensor,
        generator: torch.Generator | list[torch.Generator] | None = None,
        alpha_bar: float = 0.5,
        num_inference_steps: int | None = None,
    ) -> torch.Tensor:
        """Noises images to a signal share ᾱ (Ho et al., 2020, arXiv 2006.11239, equation 4) and denoises them again.

        Their masks are not known. They are sampled from noise: down to ᾱ each step sees the image as noisy as its
        level wants it (imputation by replacement; Song et al., 2021, arXiv 2011.13456, appendix I.2), from there on
        image and mask are denoised together.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [0, 1].
            generator (`torch.Generator` or a list of them, *optional*): The seed of the noise.
            alpha_bar (`float`): Share of the signal's variance that is kept, in (0, 1).
            num_inference_steps (`int`, *optional*): Steps of the whole way; image and mask are denoised together for
                the share of them that lies below ᾱ.

        Returns:
            `torch.Tensor` of the shape of `images`, in [0, 1].

        Raises:
            ValueError: If `alpha_bar` is out of its range or the scheduler takes no timesteps of the caller's.
        """
        # 1. The steps from ᾱ to the image, and before them those from noise to ᾱ
        below = self._timesteps_below(alpha_bar, num_inference_steps)
        steps = num_inference_steps or self.default_steps
        self.scheduler.set_timesteps(steps)
        first = self.scheduler.timesteps[0].item()
        count = min(max(1, steps - len(below)), first - below[0])
        above = torch.linspace(first, below[0], count + 1).round().int()[:-1].tolist()
        timesteps = above + below
        device = self._execution_device
        self.scheduler.set_timesteps(timesteps=timesteps, device=device)
        # 2. Noise for image and mask
        generators = self._generators(generator, len(images))
        noise = self._randn(generators, self.sample_shape).to(device, self.dtype)
        noise, mask = noise.split([self.num_channels, self.num_labels], dim=1)
        clean = images.to(device, self.dtype) * 2 - 1

        def with_image(step: int, mask: torch.Tensor) -> torch.Tensor:
            signal = self.scheduler.alphas_cumprod[timesteps[step]].item()
            return torch.cat([signal**0.5 * clean + (1 - signal) ** 0.5 * noise, mask], dim=1)

        def replace(step: int, timestep, sample: torch.Tensor) -> torch.Tensor:
            return with_image(step + 1, sample[:, self.num_channels :]) if step < len(above) else sample

        # 3. Denoise both
        sample = self._reverse(with_image(0, mask), generators, self._predict_open, replace)
        self.maybe_free_model_hooks()
        return self._intensities(sample[:, : self.num_channels])
