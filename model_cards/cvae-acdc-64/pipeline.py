"""Sampling from a variational autoencoder."""

import torch

from .base_2bfdd39e import ZooPipeline, keeps_settings


class VAEPipeline(ZooPipeline):
    r"""Generates images with the decoder of a variational autoencoder, dense or convolutional.

    Parameters:
        vae ([`DenseVAE`] or [`ConvolutionalVAE`]): The trained network.
        family (`str`, defaults to `"vae"`): The short name of the method, `"vae"` or `"cvae"`.
        default_temperature (`float`, defaults to 1.0): Temperature of a call that names none: what the normal latent is
            multiplied by. Above 1 samples vary more than the prior has them (Kingma & Dhariwal, 2018, arXiv 1807.03039,
            whose temperatures are below 1).
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/cvae-acdc-64")
        >>> image = pipe(generator=torch.Generator().manual_seed(0)).images[0]
        ```
    """

    model_cpu_offload_seq = "vae"
    projection_method = "encoder (mean) and decoder"

    @keeps_settings
    def __init__(
        self,
        vae,
        family: str = "vae",
        default_temperature: float = 1.0,
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        self.register_modules(vae=vae)

    @property
    def family(self) -> str:
        """The short name of the method, as it stands in the results table."""
        return self.config.family

    @property
    def sample_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.vae.config.sample_size

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.vae.config.channels

    @property
    def default_settings(self) -> dict:
        """The sampling settings that a call without arguments uses."""
        return {"temperature": self.config.default_temperature}

    @property
    def latent_dimensions(self) -> int:
        """Free dimensions of the latent that `project` finds."""
        return self.vae.config.latent_dim

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        class_labels=None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        temperature: float | None = None,
        latents: torch.Tensor | None = None,
    ):
        """Generates images.

        Args:
            batch_size (`int`): How many.
            class_labels: Must be `None`: this model knows no classes.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
            output_type (`str`): `"pil"`, `"np"` for `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, the arrays in float32 in [0, 1]; or `"latent"` for the latents
                that the images are made of.
            return_dict (`bool`): Whether to return an `ImagePipelineOutput` or a tuple.
            temperature (`float`, *optional*): What the normal latent is multiplied by, above 0; more is more varied.
            latents (`torch.Tensor` of shape `(batch_size, latent_dim)`, *optional*): Taken as they are, instead of
                drawn ones.

        Returns:
            `ImagePipelineOutput` with `images`, or a tuple of them.

        Raises:
            ValueError: If `class_labels` are given, or an argument is out of its range.
        """
        if class_labels is not None:
            raise ValueError("class_labels: expected None, this model is not conditional on a class")
        # 1. One latent a sample, from the prior
        if latents is not None and temperature is not None:
            raise ValueError("temperature: expected without latents, which are taken as they are")
        noise = self._noise(self._generators(generator, batch_size), (self.latent_dimensions,), latents)
        latents = self._temperature(temperature) * noise if latents is None else noise
        if output_type == "latent":
            return self._latent_output(latents, return_dict)
        # 2. One pass of the decoder
        images = self.vae.decode(latents.to(self._execution_device, self.dtype))
        self.maybe_free_model_hooks()
        # 3. To the output type
        return self._output(images, output_type, return_dict)

    @torch.no_grad()
    def project(
        self, images: torch.Tensor, generator: torch.Generator | list[torch.Generator] | None = None
    ) -> torch.Tensor:
        """Finds the images that the model makes of the given ones: encoded to the posterior's mean, and decoded.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [0, 1].
            generator: Not used, there is nothing to draw.

        Returns:
            `torch.Tensor` of the shape of `images`, in [0, 1].
        """
        mean, _ = self.vae.encode(images.to(self._execution_device, self.dtype) * 2 - 1)
        decoded = self.vae.decode(mean)
        self.maybe_free_model_hooks()
        return self._intensities(decoded)
