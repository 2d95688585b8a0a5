"""Sampling from a generator of one pass."""

import torch

from .base_87985600 import ZooPipeline


class DCGANPipeline(ZooPipeline):
    r"""Generates images with a DCGAN generator.

    Parameters:
        generator_model ([`DCGANGenerator`]): The trained generator.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/dcgan-acdc-64")
        >>> image = pipe(generator=torch.Generator().manual_seed(0)).images[0]
        ```
    """

    model_cpu_offload_seq = "generator_model"
    family = "dcgan"
    projection_method = "Adam on the latent, lr 0.05, pixel MSE, kept on the shell of its normal prior"

    def __init__(self, generator_model, pixel_spacing_mm: float | None = None):
        super().__init__()
        self.register_modules(generator_model=generator_model)
        self.register_to_config(pixel_spacing_mm=pixel_spacing_mm)

    @property
    def sample_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.generator_model.config.sample_size

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.generator_model.config.out_channels

    @property
    def latent_dimensions(self) -> int:
        """Free dimensions of the latent that `project` searches."""
        return self.generator_model.config.latent_dim

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        class_labels=None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ):
        """Generates images.

        Args:
            batch_size (`int`): How many.
            class_labels: Must be `None`: this model knows no classes.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
            output_type (`str`): `"pil"`, `"np"` for `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, the arrays in float32 in [0, 1].
            return_dict (`bool`): Whether to return an `ImagePipelineOutput` or a tuple.

        Returns:
            `ImagePipelineOutput` with `images`, or a tuple of them.

        Raises:
            ValueError: If `class_labels` are given, or an argument is out of its range.
        """
        if class_labels is not None:
            raise ValueError("class_labels: expected None, this model is not conditional on a class")
        # 1. One latent a sample
        latents = self._randn(self._generators(generator, batch_size), (self.latent_dimensions,))
        # 2. One pass of the network
        images = self.generator_model(latents.to(self.device, self.dtype))
        # 3. To the output type
        return self._output(images, output_type, return_dict)

    def project(
        self,
        images: torch.Tensor,
        generator: torch.Generator | list[torch.Generator] | None = None,
        num_steps: int = 200,
        num_restarts: int = 2,
        learning_rate: float = 0.05,
    ) -> torch.Tensor:
        """Finds the images nearest to the given ones that the generator can make.

        The latent is kept at length √latent_dim, where a normal prior of many dimensions has nearly all of its mass
        (as in Karras et al., 2020, arXiv 1912.04958, and Menon et al., 2020, arXiv 2003.03808).

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [0, 1].
            generator (`torch.Generator` or a list of them, *optional*): The seed of the starting latents.
            num_steps (`int`): Steps of Adam.
            num_restarts (`int`): Starts from other latents; the best of them is kept, image by image.
            learning_rate (`float`): Learning rate of Adam.

        Returns:
            `torch.Tensor` of the shape of `images`, in [0, 1].
        """
        network = self.generator_model
        target = images.to(self.device, torch.float32) * 2 - 1
        generators = self._generators(generator, len(images))

        def on_shell(latents: torch.Tensor) -> torch.Tensor:
            return latents * (latents.shape[1] ** 0.5 / latents.norm(dim=1, keepdim=True))

        best = torch.zeros_like(target)
        best_error = torch.full((len(target),), torch.inf, device=self.device)
        trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
        network.requires_grad_(False)  # gradients are wanted for the latents alone
        try:
            for _ in range(num_restarts):
                latents = self._randn(generators, (self.latent_dimensions,)).to(self.device).requires_grad_(True)
                optimizer = torch.optim.Adam([latents], lr=learning_rate)
                for _ in range(num_steps):
                    with torch.enable_grad():
                        errors = (network(on_shell(latents)) - target).square().mean(dim=(1, 2, 3))
                        optimizer.zero_grad()
                        errors.sum().backward()
                    optimizer.step()
                with torch.no_grad():
                    found = network(on_shell(latents))
                    errors = (found - target).square().mean(dim=(1, 2, 3))
                    better = errors < best_error
                    best[better], best_error[better] = found[better], errors[better]
        finally:
            for parameter in trainable:
                parameter.requires_grad_(True)
        return (best / 2 + 0.5).clamp(0, 1).cpu()
