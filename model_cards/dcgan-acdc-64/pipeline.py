"""Sampling from a generator of one pass."""

import torch

from .base_2bfdd39e import ZooPipeline, keeps_settings
from .latents_f59b6335 import LatentPrior, search


class GANPipeline(ZooPipeline):
    r"""Generates images with the generator of a GAN: latent and, where it knows any, classes in, image out.

    Parameters:
        generator_model ([`ModelMixin`]): The trained generator, such as a [`DCGANGenerator`]. If its config names
            `conditions`, it takes class labels beside the latents.
        family (`str`, defaults to `"gan"`): Its family, as in the results table: `"dcgan"`, `"wgan-gp"`, …
        categories (`int`, defaults to 0): Values of an InfoGAN's categorical code, a part of the latent.
        continuous_codes (`int`, defaults to 0): Number of an InfoGAN's continuous codes, the latent's last numbers.
        default_temperature (`float`, defaults to 1.0): Temperature of a call that names none: what the normal latent is
            multiplied by. Above 1 samples vary more than the prior has them (Kingma & Dhariwal, 2018, arXiv 1807.03039,
            whose temperatures are below 1).
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/dcgan-acdc-64")
        >>> image = pipe(generator=torch.Generator().manual_seed(0)).images[0]
        ```
    """

    model_cpu_offload_seq = "generator_model"

    @keeps_settings
    def __init__(
        self,
        generator_model,
        family: str = "gan",
        categories: int = 0,
        continuous_codes: int = 0,
        default_temperature: float = 1.0,
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        self.register_modules(generator_model=generator_model)

    @property
    def family(self) -> str:
        """The short name of the method, as it stands in the results table."""
        return self.config.family

    @property
    def sample_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.generator_model.config.sample_size

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.generator_model.config.out_channels

    @property
    def default_settings(self) -> dict:
        """The sampling settings that a call without arguments uses."""
        return {"temperature": self.config.default_temperature}

    @property
    def prior(self) -> LatentPrior:
        """What latents are drawn from."""
        categories, codes = self.config.categories, self.config.continuous_codes
        return LatentPrior(self.generator_model.config.latent_dim - categories - codes, categories, codes)

    @property
    def latent_dimensions(self) -> int:
        """Free dimensions of the latent that `project` searches: noise and continuous codes, classes not counted."""
        return self.prior.noise_dim + self.prior.continuous_codes

    @property
    def projection_method(self) -> str:
        """How `project` finds the latent, in words."""
        best = ", best class" if self.class_names else ", best category" if self.config.categories else ""
        return f"Adam on the latent, lr 0.05, pixel MSE, kept on the shell of its normal prior{best}"

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        class_labels=None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        category: int | None = None,
        codes: list[float] | None = None,
        temperature: float | None = None,
        latents: torch.Tensor | None = None,
        **conditions,
    ):
        """Generates images.

        Args:
            batch_size (`int`): How many.
            class_labels (`str`, `int` or a list of them, *optional*): Class of the first condition (pathology) by name
                or index. `None` draws it with the frequencies of the training images, `"any"` leaves it open. Must be
                `None` for a model that knows no classes.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
            output_type (`str`): `"pil"`, `"np"` for `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, the arrays in float32 in [0, 1]; or `"latent"` for the latents
                that the images are made of.
            return_dict (`bool`): Whether to return an `ImagePipelineOutput` or a tuple.
            category (`int`, *optional*): Of an InfoGAN: the categorical code of all samples; `None` draws it.
            codes (`list[float]`, *optional*): Of an InfoGAN: the continuous codes of all samples, made for [-1, 1];
                `None` draws them.
            temperature (`float`, *optional*): What the normal latent is multiplied by, above 0; more is more varied.
            latents (`torch.Tensor` of shape `(batch_size, latent_dim)`, *optional*): Taken as they are, instead of
                drawn ones; their last numbers are an InfoGAN's codes.
            conditions: The further conditions by their names, like `class_labels`: `phase="ES"`, `slice_level="mid"`.

        Returns:
            `ImagePipelineOutput` with `images`, or a tuple of them.

        Raises:
            ValueError: If a condition, class or code is unknown, or an argument is out of its range.
        """
        generators = self._generators(generator, batch_size)
        # 1. Classes and one latent a sample
        labels = self.draw_labels(class_labels, conditions, generators)
        drawn = self._draw_latents(generators, category, codes, self._temperature(temperature))
        if latents is None:
            latents = drawn
        elif tuple(latents.shape) != tuple(drawn.shape):
            raise ValueError(f"latents: expected {tuple(drawn.shape)}, got {tuple(latents.shape)}")
        elif any(given is not None for given in (category, codes, temperature)):
            raise ValueError("latents: expected without category, codes and temperature, which they have already")
        if output_type == "latent":
            return self._latent_output(latents, return_dict)
        # 2. One pass of the network
        images = self._generate(latents.to(self._execution_device, self.dtype), labels)
        self.maybe_free_model_hooks()
        # 3. To the output type
        return self._output(images, output_type, return_dict)

    def _draw_latents(self, generators: list[torch.Generator], category, codes, temperature: float) -> torch.Tensor:
        """`(len(generators), latent_dim)` latents; the codes that are given replace those that are drawn.

        Raises:
            ValueError: If a code is given that the model does not have.
        """
        prior = self.prior
        drawn = zip(*(prior.draw(1, generator) for generator in generators), strict=True)
        noise, categories, drawn_codes = (torch.cat(part) for part in drawn)
        if category is not None:
            if not 0 <= category < prior.categories:
                raise ValueError(f"category: expected a number below {prior.categories}, got {category}")
            categories = torch.full_like(categories, category)
        if codes is not None:
            if len(codes) != prior.continuous_codes:
                raise ValueError(f"codes: expected {prior.continuous_codes} numbers, got {len(codes)}")
            drawn_codes = torch.tensor(codes, dtype=noise.dtype).expand(len(noise), -1)
        return prior.join(temperature * noise, categories, drawn_codes)

    def _generate(self, latents: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """One pass of the network; `labels` `(batch_size, num_conditions)` are for networks that know conditions."""
        network = self.generator_model
        found = network(latents, labels) if labels.shape[1] else network(latents)
        return getattr(found, "sample", found)  # a network may return the images themselves

    def project(
        self,
        images: torch.Tensor,
        generator: torch.Generator | list[torch.Generator] | None = None,
        num_steps: int = 200,
        num_restarts: int = 2,
        learning_rate: float = 0.05,
    ) -> torch.Tensor:
        """Finds the images nearest to the given ones that the generator can make.

        The noise is kept on the shell of its prior, and continuous codes within [-1, 1], as tanh of what is searched.
        Every start first tries each class of each condition, or each category, and goes on with the best.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [0, 1].
            generator (`torch.Generator` or a list of them, *optional*): The seed of the starting latents.
            num_steps (`int`): Steps of Adam.
            num_restarts (`int`): Starts from other latents; the best of them is kept, image by image.
            learning_rate (`float`): Learning rate of Adam.

        Returns:
            `torch.Tensor` of the shape of `images`, in [0, 1].
        """
        prior, network = self.prior, self.generator_model
        device = self._execution_device
        target = images.to(device, torch.float32) * 2 - 1
        generators = self._generators(generator, len(images))
        counts = [len(names) for names in self.class_names.values()] or [prior.categories or 1]

        def render(free: torch.Tensor, choices: torch.Tensor) -> torch.Tensor:
            noise, codes = free.split([prior.noise_dim, prior.continuous_codes], dim=1)
            if self.class_names:
                return self._generate(prior.on_shell(noise).to(self.dtype), choices).float()
            latents = prior.join(prior.on_shell(noise), choices[:, 0], codes.tanh())
            return self._generate(latents.to(self.dtype), choices[:, :0]).float()

        best = torch.zeros_like(target)
        best_error = torch.full((len(target),), torch.inf, device=device)
        trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
        network.requires_grad_(False)  # gradients are wanted for the latents alone
        try:
            for _ in range(num_restarts):
                drawn = zip(*(prior.draw(1, generator) for generator in generators), strict=True)
                noise, _, codes = (torch.cat(part).to(device) for part in drawn)
                start = torch.cat([noise, codes], dim=1)
                found, errors = search(render, target, start, counts, num_steps, learning_rate)
                better = errors < best_error
                best[better], best_error[better] = found[better], errors[better]
        finally:
            for parameter in trainable:
                parameter.requires_grad_(True)
        self.maybe_free_model_hooks()
        return self._intensities(best)
