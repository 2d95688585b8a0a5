"""Sampling from a diffusion model, conditional on pathology, phase and slice level."""

import inspect

import torch

from .base_87985600 import ZooPipeline


class DDPMSampling:
    """What conditional and unconditional diffusion pipelines share: the reverse process and projections by it.

    A subclass has `unet`, `scheduler` and `default_steps`.
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
    def latent_dimensions(self) -> int:
        """Free dimensions of the noised image: as many as it has values."""
        return self.num_channels * self.sample_size**2

    def _reverse(self, sample: torch.Tensor, generators: list[torch.Generator], predict) -> torch.Tensor:
        """Runs the scheduler over its timesteps, from noise to image.

        Args:
            sample (`torch.Tensor` of shape `(batch_size, channels, height, width)`): At the first timestep's noise.
            generators (`list[torch.Generator]`): For schedulers that add noise at each step.
            predict (callable): `(sample, timestep)` → the network's prediction.
        """
        takes_noise = "generator" in inspect.signature(self.scheduler.step).parameters
        noise = {"generator": generators} if takes_noise else {}
        for timestep in self.progress_bar(self.scheduler.timesteps):
            scaled = self.scheduler.scale_model_input(sample, timestep)
            sample = self.scheduler.step(predict(scaled, timestep), timestep, sample, **noise).prev_sample
        return sample

    def _start(self, generators: list[torch.Generator], num_inference_steps: int) -> torch.Tensor:
        """Sets the timesteps and draws the noise that the reverse process starts from.

        Raises:
            ValueError: If `num_inference_steps` is out of range.
        """
        most = self.scheduler.config.num_train_timesteps
        if not 1 <= num_inference_steps <= most:
            raise ValueError(f"num_inference_steps: expected 1 to {most}, got {num_inference_steps}")
        self.scheduler.set_timesteps(num_inference_steps, device=self.device)
        noise = self._randn(generators, (self.num_channels, self.sample_size, self.sample_size))
        return noise.to(self.device, self.dtype) * self.scheduler.init_noise_sigma

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
        if not 0 < alpha_bar < 1:
            raise ValueError(f"alpha_bar: expected a number between 0 and 1, got {alpha_bar}")
        if "timesteps" not in inspect.signature(self.scheduler.set_timesteps).parameters:
            raise ValueError(f"scheduler: {type(self.scheduler).__name__} takes no timesteps of the caller's")
        # 1. The training step whose ᾱ is nearest, and evenly spaced steps from there to the image
        start = (self.scheduler.alphas_cumprod - alpha_bar).abs().argmin().item()
        share = (start + 1) / self.scheduler.config.num_train_timesteps
        num_steps = max(1, min(start, round(share * (num_inference_steps or self.default_steps))))
        timesteps = torch.linspace(start, 0, num_steps + 1).round().int()[:-1].tolist()
        self.scheduler.set_timesteps(timesteps=timesteps, device=self.device)
        # 2. Noise the images
        generators = self._generators(generator, len(images))
        noise = self._randn(generators, tuple(images.shape[1:])).to(self.device, self.dtype)
        signal = self.scheduler.alphas_cumprod[start].item()
        clean = images.to(self.device, self.dtype) * 2 - 1
        sample = signal**0.5 * clean + (1 - signal) ** 0.5 * noise
        # 3. Denoise them
        sample = self._reverse(sample, generators, self._predict_open)
        return (sample.float() / 2 + 0.5).clamp(0, 1).cpu()


class ConditionalDDPMPipeline(DDPMSampling, ZooPipeline):
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

    @property
    def class_names(self) -> dict[str, list[str]]:
        """Classes that may be asked for, by condition; the first condition is the one of `class_labels`."""
        return {name: list(self.unet.config.class_names[name]) for name in self.unet.config.conditions}

    @property
    def default_steps(self) -> int:
        """Sampling steps of a call that names none."""
        return self.config.default_steps

    @property
    def default_settings(self) -> dict:
        """The sampling settings that a call without arguments uses."""
        return {
            "scheduler": type(self.scheduler).__name__,
            "num_inference_steps": self.default_steps,
            "guidance_scale": self.config.default_guidance,
        }

    def network_evaluations(
        self, num_inference_steps: int | None = None, guidance_scale: float | None = None, **_
    ) -> int:
        """How many times the network runs for one sample; guidance doubles it."""
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
        **conditions,
    ):
        """Generates images.

        Args:
            batch_size (`int`): How many.
            class_labels (`str`, `int` or a list of them, *optional*): Class of the first condition (pathology) by name
                or index. `None` draws it with the frequencies of the training images, `"any"` leaves it open.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
            output_type (`str`): `"pil"`, `"np"` for `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, the arrays in float32 in [0, 1].
            return_dict (`bool`): Whether to return an `ImagePipelineOutput` or a tuple.
            num_inference_steps (`int`, *optional*): Sampling steps; more are slower and usually better.
            guidance_scale (`float`, *optional*): Strength of classifier-free guidance (Ho & Salimans, 2022, arXiv
                2207.12598, with scale = 1 + w): 1 is none, 0 ignores the classes.
            conditions: The further conditions by their names, like `class_labels`: `phase="ES"`, `slice_level="mid"`.

        Returns:
            `ImagePipelineOutput` with `images`, or a tuple of them.

        Raises:
            ValueError: If a condition or class is unknown, or an argument is out of its range.
        """
        generators = self._generators(generator, batch_size)
        scale = self.config.default_guidance if guidance_scale is None else guidance_scale
        # 1. Classes and noise of each sample
        labels = self.draw_labels(class_labels, conditions, generators)
        sample = self._start(generators, self.default_steps if num_inference_steps is None else num_inference_steps)
        open_labels = self.unet.open_labels.expand(batch_size, -1)

        def predict(sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            if scale == 1:
                return self.unet(sample, timestep, labels)
            both = self.unet(torch.cat([sample] * 2), timestep, torch.cat([labels, open_labels]))
            asked, unasked = both.chunk(2)
            return unasked + scale * (asked - unasked)

        # 2. From noise to image
        sample = self._reverse(sample, generators, predict)
        # 3. To the output type
        return self._output(sample, output_type, return_dict)

    def _predict_open(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return self.unet(sample, timestep)

    def draw_labels(self, class_labels, conditions: dict, generators: list[torch.Generator]) -> torch.Tensor:
        """The classes of a call: what is `None` is drawn with the frequencies of the training images.

        A number is drawn for every condition, also for those that are given, so that the noise drawn afterwards does
        not depend on what was asked for.

        Args:
            class_labels: As in the call.
            conditions (`dict`): The further conditions, as in the call.
            generators (`list[torch.Generator]`): One a sample; they move on by as many numbers as there are conditions.

        Returns:
            `torch.Tensor` of shape `(len(generators), num_conditions)`: Class indices.

        Raises:
            ValueError: If a condition or class is unknown.
        """
        names = self.class_names
        if unknown := set(conditions) - set(names):
            raise ValueError(f"{min(unknown)}: unknown argument, the conditions of this model are {', '.join(names)}")
        draws = torch.stack([torch.rand(len(names), generator=generator) for generator in generators])
        columns = []
        for column, (name, classes) in enumerate(names.items()):
            asked = conditions.get(name)
            if column == 0 and class_labels is not None:
                asked, name = class_labels, "class_labels"
            if asked is None:
                shares = torch.tensor(self.unet.config.class_frequencies[name]).cumsum(0)
                indices = torch.bucketize(draws[:, column] * shares[-1], shares, right=True).clamp(max=len(classes) - 1)
            else:
                indices = torch.tensor(self._label_indices(asked, name, classes, len(generators)))
            columns.append(indices)
        return torch.stack(columns, dim=1).to(self.device)
