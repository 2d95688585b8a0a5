"""Sampling from an unconditional diffusion model that is published as diffusers' own `DDPMPipeline`."""

import torch
from diffusers import DDPMPipeline

from .base import ZooPipeline, keeps_settings
from .diffusion import DiffusionSampling
from .stepwise import Stepwise


class UnconditionalDDPMPipeline(DiffusionSampling, Stepwise, ZooPipeline, DDPMPipeline):
    r"""diffusers' `DDPMPipeline` with the zoo's call; saved, it is a `DDPMPipeline` that needs no code of ours.

    Parameters:
        unet ([`UNet2DModel`]): The trained network.
        scheduler ([`SchedulerMixin`]): The default sampler, for instance `DPMSolverMultistepScheduler`.
        default_steps (`int`, defaults to 25): Sampling steps of a call that names none.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/ddpm-uncond-acdc-64")
        >>> image = pipe(generator=torch.Generator().manual_seed(0)).images[0]
        ```
    """

    @keeps_settings
    def __init__(self, unet, scheduler, default_steps: int = 25, pixel_spacing_mm: float | None = None):
        super().__init__(unet=unet, scheduler=scheduler)

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.unet.config.in_channels

    @property
    def default_settings(self) -> dict:
        """The sampling settings that a call without arguments uses."""
        return {"scheduler": self.scheduler_name, "num_inference_steps": self.default_steps}

    def network_evaluations(self, num_inference_steps: int | None = None, **_) -> int:
        """How many times the network runs for one sample."""
        return num_inference_steps or self.default_steps

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        class_labels=None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        num_inference_steps: int | None = None,
        callback_on_step_end=None,
        callback_on_step_end_tensor_inputs: tuple[str, ...] = ("latents",),
        latents: torch.Tensor | None = None,
    ):
        """Generates images.

        Args:
            batch_size (`int`): How many.
            class_labels: Must be `None`: this model knows no classes.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
            output_type (`str`): `"pil"`, `"np"` for `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, the arrays in float32 in [0, 1]; or `"latent"` for what was
                denoised, in about [-1, 1].
            return_dict (`bool`): Whether to return an `ImagePipelineOutput` or a tuple.
            num_inference_steps (`int`, *optional*): Sampling steps; more are slower and usually better.
            callback_on_step_end (callable, *optional*): Called after each step, as in diffusers, with the pipeline, the
                step's number, its timestep and `{"latents": sample}`; the `latents` of a dict that it returns go on.
            callback_on_step_end_tensor_inputs (sequence of `str`): What that dict holds: `"latents"`, or nothing.
            latents (`torch.Tensor` of shape `(batch_size, *sample_shape)`, *optional*): Standard normal noise to start
                from, instead of the seed's.

        Returns:
            `ImagePipelineOutput` with `images`, or a tuple of them.

        Raises:
            ValueError: If `class_labels` are given, or an argument is out of its range.
        """
        if class_labels is not None:
            raise ValueError("class_labels: expected None, this model is not conditional on a class")
        on_step = self._watched(callback_on_step_end, callback_on_step_end_tensor_inputs)
        generators = self._generators(generator, batch_size)
        sample = self._start(generators, num_inference_steps, latents)
        sample = self._reverse(sample, generators, self._predict_open, on_step)
        return self._finish(sample, output_type, return_dict)

    def _predict_open(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return self.unet(sample, timestep).sample
