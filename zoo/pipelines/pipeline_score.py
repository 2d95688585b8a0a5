"""Sampling from a score model: annealed Langevin dynamics, predictor and corrector, or the probability-flow ODE."""

import math

import numpy as np
import torch

from .base import ZooPipeline, keeps_settings
from .sde import annealed_langevin, build_sde, noise_levels, predictor_corrector, probability_flow
from .stepwise import Stepwise


class Interrupted(Exception):
    """A caller's callback has set `interrupt`.

    Args:
        sample (`torch.Tensor`): As it was then.
    """

    def __init__(self, sample: torch.Tensor):
        super().__init__()
        self.sample = sample


class ScorePipeline(Stepwise, ZooPipeline):
    r"""Generates images by following the score of ever less noisy images (Song et al., 2021, arXiv 2011.13456).

    Parameters:
        unet ([`ScoreUNet2DModel`]): The trained network, which denoises; its score is (denoised - sample) / σ².
        sde (`dict`, *optional*): Name and settings of the SDE: `{"name": "ve", "sigma_min": 0.01, "sigma_max": 50.0}`,
            the default, or `{"name": "vp", "beta_min": 0.1, "beta_max": 20.0}`.
        sampler (`str`, defaults to `"probability_flow"`): Way of sampling of a call that names none:
            `"annealed_langevin"` (Song & Ermon, 2019), `"predictor_corrector"` or `"probability_flow"`, which draws no
            noise after the first.
        default_steps (`int`, defaults to 25): Noise levels of a call that names none.
        steps_per_level (`int`, defaults to 2): Langevin steps a level, of annealed Langevin dynamics.
        snr (`float`, defaults to 0.16): Signal-to-noise ratio of the corrector's steps.
        flow_above (`float`, *optional*): σ above which the predictor of `"predictor_corrector"` follows the probability
            flow, for samples that vary more in few levels; it is ancestral at all σ without it.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/score-ve-acdc-64")
        >>> image = pipe(generator=torch.Generator().manual_seed(0), sampler="predictor_corrector").images[0]
        ```
    """

    family = "score"
    projection_method = (
        "noised to the signal-to-noise ratio of the given alpha_bar and brought back by the default sampler"
    )
    projection_settings = ({"alpha_bar": 0.9}, {"alpha_bar": 0.5}, {"alpha_bar": 0.1})
    projection_headline = {"alpha_bar": 0.5}
    samplers = ("annealed_langevin", "predictor_corrector", "probability_flow")
    model_cpu_offload_seq = "unet"

    @keeps_settings
    def __init__(
        self,
        unet,
        sde: dict | None = None,
        sampler: str = "probability_flow",
        default_steps: int = 25,
        steps_per_level: int = 2,
        snr: float = 0.16,
        flow_above: float | None = None,
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        sde = {"name": "ve"} if sde is None else dict(sde)
        self._sde = build_sde(**sde)
        self.register_modules(unet=unet)
        self.register_to_config(sde=sde, sampler=self._known_sampler(sampler))

    @property
    def sample_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.unet.config.sample_size

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.unet.config.channels

    @property
    def latent_dimensions(self) -> int:
        """Free dimensions of the noised image: as many as it has values."""
        return self.num_channels * self.sample_size**2

    @property
    def default_settings(self) -> dict:
        """The sampling settings that a call without arguments uses."""
        return {"sampler": self.config.sampler, "num_inference_steps": self.config.default_steps}

    def network_evaluations(self, num_inference_steps: int | None = None, sampler: str | None = None, **_) -> int:
        """How many times the network runs for one sample."""
        levels = num_inference_steps or self.config.default_steps
        if (sampler or self.config.sampler) == "annealed_langevin":
            return levels * self.config.steps_per_level + 1
        return 2 * levels - 1

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        class_labels=None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        num_inference_steps: int | None = None,
        sampler: str | None = None,
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
            num_inference_steps (`int`, *optional*): Noise levels; more are slower and usually better.
            sampler (`str`, *optional*): One of `samplers`.
            callback_on_step_end (callable, *optional*): Called after each level, as in diffusers, with the pipeline,
                the level's number, the σ reached and `{"latents": sample}`; the `latents` of a dict that it returns go
                on.
            callback_on_step_end_tensor_inputs (sequence of `str`): What that dict holds: `"latents"`, or nothing.
            latents (`torch.Tensor` of shape `(batch_size, channels, height, width)`, *optional*): Standard normal
                noise to start from, instead of the seed's.

        Returns:
            `ImagePipelineOutput` with `images`, or a tuple of them.

        Raises:
            ValueError: If `class_labels` are given, or an argument is out of its range.
        """
        if class_labels is not None:
            raise ValueError("class_labels: expected None, this model is not conditional on a class")
        on_step = self._watched(callback_on_step_end, callback_on_step_end_tensor_inputs)
        generators = self._generators(generator, batch_size)
        levels = noise_levels(self._sde, self._checked_steps(num_inference_steps))
        start = self._noise(generators, self._shape, latents).to(self._execution_device, torch.float32)
        sample = self._reverse(levels[0] * start, levels, self._noise_of(generators), sampler, on_step)
        if output_type == "latent":
            return self._latent_output(sample, return_dict)
        self.maybe_free_model_hooks()
        return self._output(sample, output_type, return_dict)

    @torch.no_grad()
    def project(
        self,
        images: torch.Tensor,
        generator: torch.Generator | list[torch.Generator] | None = None,
        alpha_bar: float = 0.5,
        num_inference_steps: int | None = None,
        sampler: str | None = None,
    ) -> torch.Tensor:
        """Adds as much noise as a diffusion model has at ᾱ, σ² = (1 - ᾱ) / ᾱ, and takes it away again.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [0, 1].
            generator (`torch.Generator` or a list of them, *optional*): The seed of the noise.
            alpha_bar (`float`): Share of the signal's variance that is kept, in (0, 1).
            num_inference_steps (`int`, *optional*): Noise levels of a whole way from noise to image, of which those
                below σ are used.
            sampler (`str`, *optional*): One of `samplers`.

        Returns:
            `torch.Tensor` of the shape of `images`, in [0, 1].

        Raises:
            ValueError: If an argument is out of its range.
        """
        if not 0 < alpha_bar < 1:
            raise ValueError(f"alpha_bar: expected a number between 0 and 1, got {alpha_bar}")
        sigma = ((1 - alpha_bar) / alpha_bar) ** 0.5
        levels = noise_levels(self._sde, self._checked_steps(num_inference_steps), start=sigma)
        noise = self._noise_of(self._generators(generator, len(images)))
        sample = images.to(self._execution_device, torch.float32) * 2 - 1 + sigma * noise()
        sample = self._reverse(sample, levels, noise, sampler)
        self.maybe_free_model_hooks()
        return self._intensities(sample)

    def preview(self, latents: torch.Tensor) -> np.ndarray:
        """The picture of a sample on its way from noise to image, its contrast reduced where noise exceeds the range.

        Args:
            latents (`torch.Tensor` of shape `(batch_size, channels, height, width)`): The noisy samples.

        Returns:
            `np.ndarray` of shape `(batch_size, height, width, channels)`: In [0, 1].
        """
        spread = latents.flatten(1).std(dim=1).clamp(min=1).reshape(-1, 1, 1, 1)
        return self._output(latents / spread, "np", True).images

    def _reverse(self, sample: torch.Tensor, levels: list[float], noise, sampler: str | None, on_step=None):
        """Runs a sampler over the noise levels; `on_step` is `(step, sigma, sample)` → the sample to go on with."""
        sampler = self._known_sampler(sampler or self.config.sampler)
        self._num_timesteps, self._interrupt = len(levels) + (sampler == "annealed_langevin"), False
        bar = self.progress_bar(total=self.num_timesteps)

        def after_level(step: int, sigma: float, sample: torch.Tensor) -> torch.Tensor:
            bar.update()
            sample = sample if on_step is None else on_step(step, sigma, sample)
            if self.interrupt:
                raise Interrupted(sample)
            return sample

        with bar:
            try:
                return self._run(sampler, sample, levels, noise, after_level)
            except Interrupted as stop:
                return stop.sample

    def _run(self, sampler: str, sample: torch.Tensor, levels: list[float], noise, on_step) -> torch.Tensor:
        def denoise(sample: torch.Tensor, sigma: float) -> torch.Tensor:
            return self.unet(sample, sample.new_tensor(sigma)).sample  # a compiled network is made anew for each number

        if sampler == "probability_flow":
            return probability_flow(denoise, sample, levels, on_step)
        if sampler == "predictor_corrector":
            flow_above = math.inf if self.config.flow_above is None else self.config.flow_above
            return predictor_corrector(denoise, sample, levels, on_step, noise, self.config.snr, flow_above)
        return annealed_langevin(denoise, sample, levels, on_step, noise, self.config.steps_per_level)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.num_channels, self.sample_size, self.sample_size

    def _noise_of(self, generators: list[torch.Generator]):
        """Draws float32 noise, a row from each generator; halves would be too coarse beside a σ of 50."""
        return lambda: self._randn(generators, self._shape).to(self._execution_device)

    def _checked_steps(self, num_inference_steps: int | None) -> int:
        steps = self.config.default_steps if num_inference_steps is None else num_inference_steps
        if steps < 2:
            raise ValueError(f"num_inference_steps: expected at least 2, got {steps}")
        return steps

    def _known_sampler(self, sampler: str) -> str:
        if sampler not in self.samplers:
            raise ValueError(f"sampler: expected one of {', '.join(self.samplers)}, got {sampler!r}")
        return sampler
