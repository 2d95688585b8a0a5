"""Sampling label maps of the heart, asked for classes and for quantities in millimetres."""

import numpy as np
import torch

from .anatomy_2b6f90db import mask_of_distances, settled
from .base_2bfdd39e import ZooPipeline, keeps_settings
from .diffusion_433614b0 import ConditionalDiffusionSampling
from .label_maps_7c786e0a import HeartOutput, interpolated, mask_output
from .quantities_c95f9c7a import as_dicts, asked_quantities, told
from .stepwise_7e334125 import Stepwise


class AnatomyPipeline(ConditionalDiffusionSampling, Stepwise, ZooPipeline):
    r"""Draws label maps (right ventricle, myocardium, left ventricle) by reversing a diffusion of their distance maps.

    Signed distances to the borders are smooth, so that a coarse grid holds them to a fraction of a millimetre, and two
    nested borders make a closed ring. Borders are then moved smoothly, until walls, cavity and right ventricle are as
    large as was asked.

    Parameters:
        unet ([`ConditionalUNet2DModel`]): The trained network, of three distance maps on a grid; its config names the
            conditions, their classes and the quantities.
        scheduler ([`SchedulerMixin`]): The default sampler, for instance `DPMSolverMultistepScheduler`.
        mask_size (`int`, defaults to 128): Height and width of the label maps in pixels.
        default_steps (`int`, defaults to 15): Sampling steps of a call that names none.
        default_guidance (`float`, defaults to 1.0): Guidance scale of a call that names none.
        pixel_spacing_mm (`float`, defaults to 1.0): Side of a pixel of the label maps in millimetres.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/anatomy-acdc-128")
        >>> seed = torch.Generator().manual_seed(0)
        >>> mask = pipe(class_labels="HCM", phase="ED", wall_thickness_mm=15, generator=seed).masks[0]
        ```
    """

    family = "anatomy"
    measured_by = ("cost", "control")  # the groups of the protocol that label maps have
    model_cpu_offload_seq = "unet"

    @keeps_settings
    def __init__(
        self,
        unet,
        scheduler,
        mask_size: int = 128,
        default_steps: int = 15,
        default_guidance: float = 1.0,
        pixel_spacing_mm: float = 1.0,
    ):
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @property
    def sample_size(self) -> int:
        """Height and width of the label maps in pixels."""
        return self.config.mask_size

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """`(3, grid, grid)`: the distance maps that are noised and denoised."""
        return self.unet.config.channels, self.unet.config.sample_size, self.unet.config.sample_size

    @property
    def num_channels(self) -> int:
        """Channels of the pictures of label maps."""
        return 1

    @property
    def quantities(self) -> dict[str, dict[str, float]]:
        """The quantities that may be asked for, by name with its unit: their `min` and `max` in the training images."""
        return {name: self.unet.config.quantity_ranges[name] for name in self.unet.config.quantities}

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        class_labels=None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        callback_on_step_end=None,
        callback_on_step_end_tensor_inputs: tuple[str, ...] = ("latents",),
        latents: torch.Tensor | None = None,
        **asked,
    ):
        """Draws label maps.

        Args:
            batch_size (`int`): How many.
            class_labels (`str`, `int` or a list of them, *optional*): Class of the first condition (pathology) by name
                or index. `None` draws it with the frequencies of the training images, `"any"` leaves it open.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
            output_type (`str`): `"pil"`, `"np"` or `"pt"`, of images and masks; or `"latent"` for the distance maps,
                `(batch_size, *sample_shape)`.
            return_dict (`bool`): Whether to return a `HeartOutput` or the tuple of its images and masks.
            num_inference_steps (`int`, *optional*): Sampling steps.
            guidance_scale (`float`, *optional*): Strength of classifier-free guidance (Ho & Salimans, 2022, arXiv
                2207.12598, with scale = 1 + w): 1 is none.
            callback_on_step_end (callable, *optional*): As in diffusers.
            callback_on_step_end_tensor_inputs (sequence of `str`): What that dict holds: `"latents"`, or nothing.
            latents (`torch.Tensor` of shape `(batch_size, *sample_shape)`, *optional*): Standard normal noise to start
                from, instead of the seed's.
            asked: The further conditions by their names, such as `phase="ES"`, and quantities in their units, such as
                `wall_thickness_mm=15`, one or a list with one a sample; a quantity not named is left open.

        Returns:
            `HeartOutput` whose `images` are the label maps as shades of grey, or a tuple.

        Raises:
            ValueError: If a condition, class or quantity is unknown, or a value lies outside the training range.
        """
        on_step = self._watched(callback_on_step_end, callback_on_step_end_tensor_inputs)
        generators = self._generators(generator, batch_size)
        self._guidance_scale = self.config.default_guidance if guidance_scale is None else guidance_scale
        # 1. Classes, quantities and noise of each sample
        quantities, conditions = asked_quantities(asked, self.quantities, batch_size)
        labels = self.draw_labels(class_labels, conditions, generators)
        maps = self._start(generators, num_inference_steps, latents)
        # 2. From noise to distances, and to labels
        asked_now = quantities.to(self._execution_device)
        predict = told(self.unet, labels, asked_now, lambda: self.guidance_scale)
        maps = self._reverse(maps, generators, predict, on_step)
        if output_type == "latent":
            return self._latent_output(maps, return_dict)
        self.maybe_free_model_hooks()
        spacing = self.config.pixel_spacing_mm
        drawn = zip(interpolated(maps, self.sample_size), as_dicts(quantities, self.quantities), strict=True)
        masks = np.stack([mask_of_distances(settled(each, asked, spacing)) for each, asked in drawn])
        return self._output(self._pictures(masks), output_type, return_dict)

    def _decode(self, sample: torch.Tensor) -> torch.Tensor:
        maps = interpolated(sample, self.sample_size)
        return self._pictures(np.stack([mask_of_distances(each) for each in maps]))

    @staticmethod
    def _pictures(masks: np.ndarray) -> torch.Tensor:
        """Pictures `(batch_size, 1, height, width)` of labels `(batch_size, height, width)`, in [-1, 1]."""
        return torch.from_numpy(masks)[:, None] / 1.5 - 1

    def _output(self, images: torch.Tensor, output_type: str, return_dict: bool):
        """Wraps pictures of labels in the output type that was asked for."""
        (pictures,) = super()._output(images, output_type, return_dict=False)
        masks = mask_output(((images[:, 0] + 1) * 1.5).round(), output_type)
        spacing = self.config.pixel_spacing_mm
        return HeartOutput(pictures, masks, spacing) if return_dict else (pictures, masks)
