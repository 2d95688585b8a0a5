"""The reverse process, which every diffusion pipeline of the zoo shares. It is published beside each of them."""

import inspect

import numpy as np
import torch


class DiffusionSampling:
    """From noise to image by a scheduler of diffusers, and projections by the same way.

    Goes before `Stepwise` and `ZooPipeline` in the bases of a pipeline that has `unet`, `scheduler` and, in its
    config, `default_steps`.
    """

    family = "ddpm"
    projection_method = "noised to the given alpha_bar and denoised by the default sampler, all conditions left open"
    projection_settings = ({"alpha_bar": 0.9}, {"alpha_bar": 0.5}, {"alpha_bar": 0.1})
    projection_headline = {"alpha_bar": 0.5}

    @property
    def sample_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.unet.config.sample_size

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)` of what is noised and denoised: the image, unless a subclass encodes it."""
        return self.num_channels, self.sample_size, self.sample_size

    @property
    def latent_dimensions(self) -> int:
        """Free dimensions of what is noised: as many as it has values."""
        return int(np.prod(self.sample_shape))

    @property
    def default_steps(self) -> int:
        """Sampling steps of a call that names none."""
        return self.config.default_steps

    @property
    def scheduler_name(self) -> str:
        """The scheduler's class, with its `algorithm_type` if that is not the one such a scheduler begins with."""
        name, parameters = type(self.scheduler).__name__, inspect.signature(type(self.scheduler)).parameters
        if "algorithm_type" in parameters:
            algorithm = self.scheduler.config.algorithm_type
            if algorithm != parameters["algorithm_type"].default:
                return f"{name} ({algorithm})"
        return name

    @torch.no_grad()
    def preview(self, latents: torch.Tensor) -> np.ndarray:
        """The picture of a sample on its way from noise to image, as `callback_on_step_end` is given it.

        Args:
            latents (`torch.Tensor` of shape `(batch_size, *sample_shape)`): The noisy samples.

        Returns:
            `np.ndarray` of shape `(batch_size, height, width, channels)`: In [0, 1].
        """
        return self._output(self._decode(latents), "np", True).images

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """What is noised, `(batch_size, *sample_shape)`, from images `(batch_size, c, h, w)` in [-1, 1]."""
        return images

    def _decode(self, sample: torch.Tensor) -> torch.Tensor:
        """The way back of `_encode`."""
        return sample

    def _reverse(
        self, sample: torch.Tensor, generators: list[torch.Generator], predict, on_step=None, scheduler=None
    ) -> torch.Tensor:
        """Runs a scheduler over its timesteps, from noise to image.

        Args:
            sample (`torch.Tensor` of shape `(batch_size, *sample_shape)`): At the first timestep's noise.
            generators (`list[torch.Generator]`): For schedulers that add noise at each step.
            predict (callable): `(sample, timestep)` → the network's prediction.
            on_step (callable, *optional*): `(step, timestep, sample)` → the sample to go on with, after each step.
            scheduler (`SchedulerMixin`, *optional*): Whose timesteps are set; the pipeline's `scheduler` by default.
        """
        scheduler = scheduler or self.scheduler
        takes_noise = "generator" in inspect.signature(scheduler.step).parameters
        noise = {"generator": generators} if takes_noise else {}
        self._num_timesteps, self._interrupt = len(scheduler.timesteps), False
        for step, timestep in enumerate(self.progress_bar(scheduler.timesteps)):
            if self.interrupt:
                break
            scaled = scheduler.scale_model_input(sample, timestep)
            sample = scheduler.step(predict(scaled, timestep), timestep, sample, **noise).prev_sample
            if on_step is not None:
                sample = on_step(step, timestep, sample)
        return self._finite(sample)  # a mask made of it would not show

    def _start(
        self, generators: list[torch.Generator], num_inference_steps: int | None, latents: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Sets the timesteps and draws the noise that the reverse process starts from, or takes the caller's.

        Raises:
            ValueError: If `num_inference_steps` is out of range, or `latents` are of another shape.
        """
        steps, most = self.default_steps, self.scheduler.config.num_train_timesteps
        if num_inference_steps is not None:
            steps = num_inference_steps
        if not 1 <= steps <= most:
            raise ValueError(f"num_inference_steps: expected 1 to {most}, got {steps}")
        device = self._execution_device
        self._set_timesteps(self.scheduler, steps, device)
        noise = self._noise(generators, self.sample_shape, latents)
        return noise.to(device, self.dtype) * self.scheduler.init_noise_sigma

    def _set_timesteps(self, scheduler, steps: int, device=None) -> None:
        """Gives a scheduler the timesteps of a whole reverse process."""
        scheduler.set_timesteps(steps, device=device)

    def _finish(self, sample: torch.Tensor, output_type: str, return_dict: bool):
        """The output of a call that has denoised a sample."""
        if output_type == "latent":
            return self._latent_output(sample, return_dict)
        images = self._decode(sample)
        self.maybe_free_model_hooks()
        return self._output(images, output_type, return_dict)

    @torch.no_grad()
    def project(
        self,
        images: torch.Tensor,
        generator: torch.Generator | list[torch.Generator] | None = None,
        alpha_bar: float = 0.5,
        num_inference_steps: int | None = None,
    ) -> torch.Tensor:
        """Noises images to a signal share ᾱ (Ho et al., 2020, arXiv 2006.11239, equation 4) and denoises them again.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [0, 1].
            generator (`torch.Generator` or a list of them, *optional*): The seed of the noise.
            alpha_bar (`float`): Share of the signal's variance that is kept, in (0, 1).
            num_inference_steps (`int`, *optional*): Steps that a whole reverse process would take; the part of it that
                is run here takes its share of them.

        Returns:
            `torch.Tensor` of the shape of `images`, in [0, 1].

        Raises:
            ValueError: If `alpha_bar` is out of its range or the scheduler takes no timesteps of the caller's.
        """
        # 1. The steps from ᾱ to the image
        timesteps = self._timesteps_below(alpha_bar, num_inference_steps)
        device = self._execution_device
        self.scheduler.set_timesteps(timesteps=timesteps, device=device)
        # 2. Noise the images
        generators = self._generators(generator, len(images))
        noise = self._randn(generators, self.sample_shape).to(device, self.dtype)
        signal = self.scheduler.alphas_cumprod[timesteps[0]].item()
        clean = self._encode(images.to(device, self.dtype) * 2 - 1)
        sample = signal**0.5 * clean + (1 - signal) ** 0.5 * noise
        # 3. Denoise them
        sample = self._decode(self._reverse(sample, generators, self._predict_open))
        self.maybe_free_model_hooks()
        return self._intensities(sample)

    def _timesteps_below(self, alpha_bar: float, num_inference_steps: int | None) -> list[int]:
        """The training step whose ᾱ is nearest, and those from there to the image, as `_timesteps_from` has them.

        Raises:
            ValueError: If `alpha_bar` is out of its range or the scheduler takes no timesteps of the caller's.
        """
        if not 0 < alpha_bar < 1:
            raise ValueError(f"alpha_bar: expected a number between 0 and 1, got {alpha_bar}")
        if "timesteps" not in inspect.signature(self.scheduler.set_timesteps).parameters:
            raise ValueError(f"scheduler: {type(self.scheduler).__name__} takes no timesteps of the caller's")
        start = (self.scheduler.alphas_cumprod - alpha_bar).abs().argmin().item()
        return self._timesteps_from(start, num_inference_steps or self.default_steps)

    def _timesteps_from(self, start: int, steps: int) -> list[int]:
        """Evenly spaced timesteps from `start` to the image, which is left out: their share of `steps` from noise."""
        share = (start + 1) / self.scheduler.config.num_train_timesteps
        return falling(start, 0, max(1, min(start, round(share * steps))))


def falling(start: int, end: int, steps: int) -> list[int]:
    """So many evenly spaced timesteps from `start` towards `end`, which is left out."""
    return torch.linspace(start, end, steps + 1).round().int()[:-1].tolist()


class ExpertSampling(DiffusionSampling):
    """Two networks, the second an expert for the last timesteps, of little noise, where texture is made.

    Balaji et al., 2022, arXiv 2211.01324, section 4.1. The pipeline has `unet_2`, which may be absent, and
    `boundary_ratio`, the share of the training timesteps that are left to it, in its config.
    """

    def _is_for_expert(self, timestep: torch.Tensor) -> bool:
        if self.unet_2 is None:
            return False
        return timestep.item() < self.config.boundary_ratio * self.scheduler.config.num_train_timesteps

    def _expert_steps(self, steps: int) -> int:
        """How many of the steps of a call are the expert's."""
        scheduler = type(self.scheduler).from_config(self.scheduler.config)
        self._set_timesteps(scheduler, steps)
        return sum(map(self._is_for_expert, scheduler.timesteps))


class ConditionalDiffusionSampling(DiffusionSampling):
    """The call of a pipeline whose `unet` is a `ConditionalUNet2DModel`; its config also has `default_guidance`."""

    @property
    def default_settings(self) -> dict:
        """The sampling settings that a call without arguments uses."""
        return {
            "scheduler": self.scheduler_name,
            "num_inference_steps": self.default_steps,
            "guidance_scale": self.config.default_guidance,
        }

    def network_evaluations(
        self, num_inference_steps: int | None = None, guidance_scale: float | None = None, **_
    ) -> int:
        """How many times the U-Net runs for one sample; guidance doubles it."""
        steps = num_inference_steps or self.default_steps
        scale = self.config.default_guidance if guidance_scale is None else guidance_scale
        return steps * (1 if scale == 1 else 2)

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
        **conditions,
    ):
        """Generates images.

        Args:
            batch_size (`int`): How many.
            class_labels (`str`, `int` or a list of them, *optional*): Class of the first condition (pathology) by name
                or index. `None` draws it with the frequencies of the training images, `"any"` leaves it open.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
            output_type (`str`): `"pil"`, `"np"` for `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, the arrays in float32 in [0, 1]; or `"latent"` for what was
                denoised, `(batch_size, *sample_shape)`, before it is decoded.
            return_dict (`bool`): Whether to return an `ImagePipelineOutput` or a tuple.
            num_inference_steps (`int`, *optional*): Sampling steps; more are slower and usually better.
            guidance_scale (`float`, *optional*): Strength of classifier-free guidance (Ho & Salimans, 2022, arXiv
                2207.12598, with scale = 1 + w): 1 is none, 0 ignores the classes.
            callback_on_step_end (callable, *optional*): Called after each step, as in diffusers, with the pipeline, the
                step's number, its timestep and `{"latents": sample}`; the `latents` of a dict that it returns go on.
            callback_on_step_end_tensor_inputs (sequence of `str`): What that dict holds: `"latents"`, or nothing.
            latents (`torch.Tensor` of shape `(batch_size, *sample_shape)`, *optional*): Standard normal noise to start
                from, instead of the seed's.
            conditions: The further conditions by their names, like `class_labels`: `phase="ES"`, `slice_level="mid"`.

        Returns:
            `ImagePipelineOutput` with `images`, or a tuple of them.

        Raises:
            ValueError: If a condition or class is unknown, or an argument is out of its range.
        """
        on_step = self._watched(callback_on_step_end, callback_on_step_end_tensor_inputs)
        generators = self._generators(generator, batch_size)
        self._guidance_scale = self.config.default_guidance if guidance_scale is None else guidance_scale
        # 1. Classes and noise of each sample
        labels = self.draw_labels(class_labels, conditions, generators)
        sample = self._start(generators, num_inference_steps, latents)
        open_labels = labels.new_tensor([len(names) for names in self.class_names.values()]).expand(batch_size, -1)

        def predict(sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            if not self.do_classifier_free_guidance:
                return self.unet(sample, timestep, labels).sample
            both = self.unet(torch.cat([sample] * 2), timestep, torch.cat([labels, open_labels])).sample
            asked, unasked = both.chunk(2)
            return unasked + self.guidance_scale * (asked - unasked)

        # 2. From noise to image
        sample = self._reverse(sample, generators, predict, on_step)
        # 3. To the output type
        return self._finish(sample, output_type, return_dict)

    def _predict_open(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return self.unet(sample, timestep).sample
