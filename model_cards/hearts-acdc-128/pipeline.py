"""Hearts to order: a label map that is drawn or given, and an image painted on it."""

import inspect
from collections.abc import Sequence

import numpy as np
import torch

from .anatomy_2b6f90db import around, mask_of_distances, settled, thickened
from .base_2bfdd39e import ZooPipeline, keeps_settings
from .diffusion_433614b0 import ExpertSampling, falling
from .label_maps_7c786e0a import LABELS, HeartOutput, interpolated, mask_output, one_hot
from .quantities_c95f9c7a import as_dicts, asked_quantities, told
from .stepwise_7e334125 import Stepwise

EDIT_MARGIN_MM = 3.0  # around both hearts, where an edit may paint


class HeartPipeline(ExpertSampling, Stepwise, ZooPipeline):
    r"""Generates images of hearts with their masks, asked for classes, for quantities in millimetres, or for a mask.

    One network draws the label map, as `AnatomyPipeline` does. Two others paint an image on it: `unet` from noise to
    shapes, `unet_2` from shapes to texture.

    Parameters:
        anatomy ([`ConditionalUNet2DModel`]): Draws distance maps on a grid; its config names the conditions, their
            classes and the quantities.
        anatomy_scheduler ([`SchedulerMixin`]): Its sampler.
        unet ([`ConditionalUNet2DModel`]): Paints; its `map_channels` are the labels of a mask.
        scheduler ([`SchedulerMixin`]): The sampler of images.
        unet_2 ([`ConditionalUNet2DModel`], *optional*): Paints at the last timesteps, of little noise.
        boundary_ratio (`float`, *optional*): Share of the training timesteps that are left to `unet_2`; of no effect
            without it.
        last_ratio (`float`, *optional*): Share of the training timesteps in which the last steps of a call lie, each
            smaller than the one before, since texture arises there; its other steps are spread evenly above. Of no
            effect in a call of no more steps than these, or by a scheduler that takes no timesteps.
        last_steps (`int`, *optional*): How many these are.
        default_steps (`int`, defaults to 20): Sampling steps of the image of a call that names none.
        default_anatomy_steps (`int`, defaults to 15): Sampling steps of the label map.
        default_guidance (`float`, defaults to 1.0): Guidance scale of a call that names none, of the image.
        anatomy_guidance (`float`, defaults to 1.0): Guidance scale of the label map.
        edit_alpha_bar (`float`, defaults to 0.5): Share of the signal's variance that `edit` keeps where it paints.
        pixel_spacing_mm (`float`, defaults to 1.0): Side of a pixel in millimetres.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/hearts-acdc-128")
        >>> output = pipe(class_labels="HCM", wall_thickness_mm=18, generator=torch.Generator().manual_seed(0))
        >>> image, mask = output.images[0], output.masks[0]
        ```
    """

    family = "hearts"
    projection_method = (
        "noised to the given alpha_bar and denoised by the default sampler, label map and all conditions left open"
    )
    model_cpu_offload_seq = "anatomy->unet->unet_2"
    _optional_components = ["unet_2"]

    @keeps_settings
    def __init__(
        self,
        anatomy,
        anatomy_scheduler,
        unet,
        scheduler,
        unet_2=None,
        boundary_ratio: float | None = None,
        last_ratio: float | None = None,
        last_steps: int | None = None,
        default_steps: int = 20,
        default_anatomy_steps: int = 15,
        default_guidance: float = 1.0,
        anatomy_guidance: float = 1.0,
        edit_alpha_bar: float = 0.5,
        pixel_spacing_mm: float = 1.0,
    ):
        super().__init__()
        if unet_2 is not None and boundary_ratio is None:
            raise ValueError("boundary_ratio: expected with `unet_2`")
        if (last_ratio is None) != (last_steps is None):
            raise ValueError("last_ratio, last_steps: expected both or none")
        self.register_modules(
            anatomy=anatomy, anatomy_scheduler=anatomy_scheduler, unet=unet, scheduler=scheduler, unet_2=unet_2
        )

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.unet.config.channels

    @property
    def num_labels(self) -> int:
        """Labels of a mask, the background among them."""
        return LABELS

    @property
    def quantities(self) -> dict[str, dict[str, float]]:
        """The quantities that may be asked for, by name with its unit: their `min` and `max` in the training images."""
        return {name: self.anatomy.config.quantity_ranges[name] for name in self.anatomy.config.quantities}

    @property
    def default_settings(self) -> dict:
        """The sampling settings that a call without arguments uses."""
        return {
            "scheduler": self.scheduler_name,
            "num_inference_steps": self.default_steps,
            "guidance_scale": self.config.default_guidance,
            "anatomy_steps": self.config.default_anatomy_steps,
            "anatomy_guidance": self.config.anatomy_guidance,
        }

    def network_evaluations(
        self, num_inference_steps: int | None = None, guidance_scale: float | None = None, **_
    ) -> int:
        """How many times a U-Net runs for one sample, the drawing of its label map included."""
        steps = num_inference_steps or self.default_steps
        scale = self.config.default_guidance if guidance_scale is None else guidance_scale
        painting = steps if scale == 1 else 2 * steps - self._expert_steps(steps)
        return painting + self.config.default_anatomy_steps * (1 if self.config.anatomy_guidance == 1 else 2)

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        class_labels=None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        masks=None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        callback_on_step_end=None,
        callback_on_step_end_tensor_inputs: tuple[str, ...] = ("latents",),
        latents: torch.Tensor | None = None,
        **asked,
    ):
        """Generates hearts.

        Args:
            batch_size (`int`): How many.
            class_labels (`str`, `int` or a list of them, *optional*): Class of the first condition (pathology) by name
                or index. `None` draws it with the frequencies of the training images, `"any"` leaves it open.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
            output_type (`str`): `"pil"`, `"np"` for images `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, in float32 in [0, 1]; masks are uint8 `(batch_size, height,
                width)`; or `"latent"` for the images as they were denoised, without masks.
            return_dict (`bool`): Whether to return a `HeartOutput` or the tuple of its images and masks.
            masks (`torch.Tensor`, `np.ndarray` or a list of them, *optional*): Label maps to paint on, `(batch_size,
                height, width)` or one for all: 0 background, 1 right ventricle, 2 myocardium, 3 left ventricle.
                Without them they are drawn.
            num_inference_steps (`int`, *optional*): Sampling steps of the image.
            guidance_scale (`float`, *optional*): Strength of classifier-free guidance of the image (Ho & Salimans,
                2022, arXiv 2207.12598, with scale = 1 + w): 1 is none.
            callback_on_step_end (callable, *optional*): Called after each step of the image, as in diffusers.
            callback_on_step_end_tensor_inputs (sequence of `str`): What that dict holds: `"latents"`, or nothing.
            latents (`torch.Tensor` of shape `(batch_size, *sample_shape)`, *optional*): Standard normal noise that the
                image starts from, instead of the seed's.
            asked: The further conditions by their names, such as `phase="ES"`, and quantities in their units, such as
                `wall_thickness_mm=18`, one or a list with one a sample; a quantity not named is left open.

        Returns:
            `HeartOutput` with `images`, `masks` and `pixel_spacing_mm`, or a tuple of the first two.

        Raises:
            ValueError: If a condition, class or quantity is unknown, a value lies outside the training range, masks are
                of another shape or hold other labels, or quantities are asked for beside them.
        """
        on_step = self._watched(callback_on_step_end, callback_on_step_end_tensor_inputs)
        generators = self._generators(generator, batch_size)
        device = self._execution_device
        # 1. Classes and quantities of each sample
        quantities, conditions = asked_quantities(asked, self.quantities, batch_size)
        labels = self.draw_labels(class_labels, conditions, generators)
        # 2. The label map. Its noise is drawn even if it is given, so that a drawn one, given again, brings its image
        grid = self.anatomy.config.sample_size
        noise = self._randn(generators, (self.anatomy.config.channels, grid, grid))
        if masks is not None:
            if not quantities.isnan().all():
                raise ValueError("masks: expected without quantities, which a given mask has already")
            masks = self._checked(masks, batch_size)
        else:
            self.anatomy_scheduler.set_timesteps(self.config.default_anatomy_steps, device=device)
            predict = told(self.anatomy, labels, quantities.to(device), lambda: self.config.anatomy_guidance)
            noise = noise.to(device, self.dtype) * self.anatomy_scheduler.init_noise_sigma
            maps = self._reverse(noise, generators, predict, scheduler=self.anatomy_scheduler)
            drawn = zip(interpolated(maps, self.sample_size), as_dicts(quantities, self.quantities), strict=True)
            spacing = self.config.pixel_spacing_mm
            masks = np.stack([mask_of_distances(settled(each, asked, spacing)) for each, asked in drawn])
            masks = torch.from_numpy(masks).to(device)
        # 3. The image
        sample = self._start(generators, num_inference_steps, latents)
        self._guidance_scale = self.config.default_guidance if guidance_scale is None else guidance_scale
        sample = self._reverse(sample, generators, self._painter(labels, masks), on_step)
        if output_type == "latent":
            return self._latent_output(sample, return_dict)
        self.maybe_free_model_hooks()
        return self._hearts(sample, masks, output_type, return_dict)

    @torch.no_grad()
    def edit(
        self,
        images,
        masks,
        wall_change_mm: float,
        grow: str = "in",
        class_labels="any",
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        num_inference_steps: int | None = None,
        alpha_bar: float | None = None,
        **conditions,
    ) -> HeartOutput:
        """Changes the wall of given hearts. Pixels farther than 3 mm from the old heart and the new one stay identical.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)` or `np.ndarray` of shape
                `(batch_size, height, width, channels)`): In [0, 1].
            masks (`torch.Tensor` or `np.ndarray` of shape `(batch_size, height, width)`): Their labels.
            wall_change_mm (`float`): How much the wall gains; negative for a thinner one.
            grow (`str`): `"in"`: the epicardium stays and the cavity shrinks; `"out"`: the cavity stays.
            class_labels (*optional*): As of a call; left open by default.
            generator (`torch.Generator` or a list of them, *optional*): The seed.
            output_type (`str`): As of a call.
            num_inference_steps (`int`, *optional*): Steps of a whole way from noise; an edit takes its share of them.
            alpha_bar (`float`, *optional*): Share of the signal's variance that is kept where it paints, in (0, 1).
            conditions: The further conditions, as of a call; left open by default.

        Returns:
            `HeartOutput` with the changed images and masks.

        Raises:
            ValueError: If the images or masks are of another shape, a mask has no wall, or the change leaves a cavity
                under 30 mm² or a wall under 2 mm.
        """
        # 1. The new masks, and where they and the old ones are
        images = self._images(images)
        batch_size, spacing = len(images), self.config.pixel_spacing_mm
        old = self._checked(masks, batch_size).cpu().numpy()
        new = np.stack([thickened(mask, spacing, wall_change_mm, grow) for mask in old])
        both = np.maximum(old, new)
        inside = torch.from_numpy(np.stack([around(mask, spacing, EDIT_MARGIN_MM) for mask in both]))[:, None]
        device = self._execution_device
        inside = inside.to(device)
        # 2. Classes, steps and noise
        generators = self._generators(generator, batch_size)
        conditions = {name: "any" for name in list(self.class_names)[1:]} | conditions
        labels = self.draw_labels(class_labels, conditions, generators)
        alpha_bar = self.config.edit_alpha_bar if alpha_bar is None else alpha_bar
        timesteps = self._timesteps_below(alpha_bar, num_inference_steps)
        self.scheduler.set_timesteps(timesteps=timesteps, device=device)
        noise = self._randn(generators, self.sample_shape).to(device, self.dtype)
        clean = images.to(device, self.dtype) * 2 - 1

        def noised(timestep: int) -> torch.Tensor:
            signal = self.scheduler.alphas_cumprod[timestep].item()
            return signal**0.5 * clean + (1 - signal) ** 0.5 * noise

        def keep_outside(step: int, timestep, sample: torch.Tensor) -> torch.Tensor:
            outside = noised(timesteps[step + 1]) if step + 1 < len(timesteps) else clean
            return torch.where(inside, sample, outside)

        # 3. Paint inside
        masks = torch.from_numpy(new).to(device)
        self._guidance_scale = self.config.default_guidance
        sample = self._reverse(noised(timesteps[0]), generators, self._painter(labels, masks), keep_outside)
        self.maybe_free_model_hooks()
        output = self._hearts(sample, masks, "pt", True)
        output.images = torch.where(inside.cpu(), output.images, images)
        if output_type != "pt":
            output.images = self._output(output.images * 2 - 1, output_type, False)[0]
            output.masks = mask_output(masks, output_type)
        return output

    def _set_timesteps(self, scheduler, steps: int, device=None) -> None:
        """As in the base class, but for the last steps."""
        super()._set_timesteps(scheduler, steps, device)
        takes_timesteps = "timesteps" in inspect.signature(scheduler.set_timesteps).parameters
        if takes_timesteps and steps > (self.config.last_steps or steps):
            timesteps = self._timesteps_from(int(scheduler.timesteps[0]), steps)
            scheduler.set_timesteps(timesteps=timesteps, device=device)

    def _timesteps_from(self, start: int, steps: int) -> list[int]:
        """As in the base class, but for the last steps, which are as squares."""
        count, most = self.config.last_steps, self.scheduler.config.num_train_timesteps
        if count is None:
            return super()._timesteps_from(start, steps)
        first = round(self.config.last_ratio * most)
        last = [round(first * (step / count) ** 2) for step in range(count, 0, -1)]
        if start <= first:
            return [start, *(timestep for timestep in last if timestep < start)]
        return [*falling(start, first, max(1, round((steps - count) * (start - first) / (most - first)))), *last]

    def _painter(self, labels: torch.Tensor, masks: torch.Tensor):
        """The prediction of the network whose timestep it is, told classes and masks."""
        maps = one_hot(masks).to(self._execution_device, self.dtype)

        def predict(sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            if self._is_for_expert(timestep):
                return self.unet_2(sample, timestep, maps=maps).sample
            asked = self.unet(sample, timestep, labels, maps=maps).sample
            if not self.do_classifier_free_guidance:
                return asked
            unasked = self._predict_open(sample, timestep)
            return unasked + self.guidance_scale * (asked - unasked)

        return predict

    def _predict_open(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """Every condition left open, the label map too: no label at all, not even background."""
        network = self.unet_2 if self._is_for_expert(timestep) else self.unet
        return network(sample, timestep, maps=sample.new_full((len(sample), LABELS, *sample.shape[2:]), -1.0)).sample

    def _hearts(self, sample: torch.Tensor, masks: torch.Tensor, output_type: str, return_dict: bool):
        (images,) = self._output(sample, output_type, return_dict=False)
        masks = mask_output(masks, output_type)
        return HeartOutput(images, masks, self.config.pixel_spacing_mm) if return_dict else (images, masks)

    def _images(self, images) -> torch.Tensor:
        """Images of a caller as `(batch_size, channels, height, width)` in [0, 1]."""
        if isinstance(images, np.ndarray):
            images = torch.from_numpy(images).movedim(-1, 1)
        if images.ndim != 4 or tuple(images.shape[1:]) != self.sample_shape:
            raise ValueError(f"images: expected {self.sample_shape} each, got {tuple(images.shape[1:])}")
        if images.min() < 0 or images.max() > 1:
            raise ValueError(f"images: expected values in [0, 1], got {images.min():.4g} to {images.max():.4g}")
        return images.float()

    def _checked(self, masks, batch_size: int) -> torch.Tensor:
        """Masks of a caller as `(batch_size, height, width)` uint8 on the device."""
        if isinstance(masks, Sequence):
            masks = np.stack([np.asarray(mask) for mask in masks])
        masks = torch.as_tensor(masks)
        masks = masks.expand(batch_size, -1, -1) if masks.ndim == 2 else masks
        if tuple(masks.shape) != (batch_size, self.sample_size, self.sample_size):
            wanted = (batch_size, self.sample_size, self.sample_size)
            raise ValueError(f"masks: expected {wanted}, got {tuple(masks.shape)}")
        if masks.is_floating_point() or masks.min() < 0 or masks.max() >= LABELS:
            raise ValueError(f"masks: expected whole labels 0 to {LABELS - 1}, got {masks.dtype} up to {masks.max()}")
        return masks.to(self._execution_device, torch.uint8)
