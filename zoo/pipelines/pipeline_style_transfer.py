"""Generated images that take on the style of real ones."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
from diffusers.utils import BaseOutput

from .base import ZooPipeline, keeps_settings
from .style_transfer import SHIFTS, FeatureNetwork, encoder_network, stages_network, transfer

CVAE_ENCODER, EFFICIENTNET = "cvae-encoder", "efficientnet-lite0"


@dataclass
class StyleTransferOutput(BaseOutput):
    """What a style transfer makes.

    Args:
        images (`list[PIL.Image.Image]`, `np.ndarray` or `torch.Tensor`): The styled images.
        content_images (the same type): The images before.
        style_indices (`list[int]` or `None`): Which of the given style images each was styled after.
    """

    images: list[PIL.Image.Image] | np.ndarray | torch.Tensor
    content_images: list[PIL.Image.Image] | np.ndarray | torch.Tensor
    style_indices: list[int] | None


class StyleTransferPipeline(ZooPipeline):
    r"""Generates images with a convolutional VAE and gives them the style of real images (Gatys et al., 2016).

    A VAE's images are blurred. Their pixels are changed step by step until the feature maps of a network vary together
    as those of real images do, and still resemble those of the generated image.

    Style comes from images given to the call, of which each sample takes the one nearest to it in the latent space of
    the VAE; without any it comes from statistics averaged over the training images. A model that stays on one's own
    machine may hold the images themselves, and takes the nearest one then.

    Parameters:
        vae ([`ConvolutionalVAE`]): Makes the content images, and finds the style image nearest to each.
        style ([`StyleStatistics`] or [`StyleImages`]): The style of a call without style images: as `feature_network`
            sees it in the mean, or the images, which are for nobody else.
        feature_layers ([`EfficientNetLiteStages`], *optional*): The layers of feature network `"efficientnet-lite0"`.
        feature_network (`str`, defaults to `"cvae-encoder"`): What images are compared in: the encoder of `vae`,
            `"efficientnet-lite0"` by `feature_layers`, or one of `feature_networks`.
        style_weight (`float`, defaults to 1.0): Weight of the style loss of a call that names none.
        content_weight (`float`, defaults to 1.0): Weight of the content loss of a call that names none.
        learning_rate (`float`, defaults to 0.01): Learning rate of a call that names none.
        num_iterations (`int`, defaults to 100): Steps of a call that names none.
        optimizer (`str`, defaults to `"adam"`): Optimiser of a call that names none, `"adam"` or `"momentum"`.
        style_loss (`str`, defaults to `"relative"`): That of a call that names none: `"relative"`, `"gram"`, `"maps"`.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel in millimetres, where it is known.

    Attributes:
        feature_networks (`dict[str, Callable]`): Networks that do not come with the model, handed in by name: a device
            → a `FeatureNetwork` there. `zoo.style.hand_in` gives those trained on ImageNet.

    Example:
        ```py
        >>> import torch, zoo
        >>> pipe = zoo.from_pretrained("model_cards/style-transfer-acdc-64")
        >>> output = pipe(generator=torch.Generator().manual_seed(0), style_weight=10.0)
        >>> before, after = output.content_images[0], output.images[0]
        ```
    """

    # The descent goes through the networks at every step: parts of them cannot wait elsewhere
    _exclude_from_cpu_offload = ["vae", "style", "feature_layers"]
    _optional_components = ["feature_layers"]
    family = "style-transfer"
    projection_method = "encoder (mean) and decoder of the VAE, then styled as samples are"

    @keeps_settings
    def __init__(
        self,
        vae,
        style,
        feature_layers=None,
        feature_network: str = CVAE_ENCODER,
        style_weight: float = 1.0,
        content_weight: float = 1.0,
        learning_rate: float = 0.01,
        num_iterations: int = 100,
        optimizer: str = "adam",
        style_loss: str = "relative",
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        self.register_modules(vae=vae, style=style, feature_layers=feature_layers)
        self.feature_networks: dict[str, Callable[[torch.device], FeatureNetwork]] = {}

    @property
    def sample_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.vae.config.sample_size

    @property
    def num_channels(self) -> int:
        """Channels of the images."""
        return self.vae.config.channels

    @property
    def latent_dimensions(self) -> int:
        """Free dimensions of the latent that `project` finds."""
        return self.vae.config.latent_dim

    @property
    def default_settings(self) -> dict:
        """The settings that a call without arguments uses."""
        names = ("style_weight", "content_weight", "learning_rate", "num_iterations", "optimizer", "style_loss")
        return {name: self.config[name] for name in names}

    def network_evaluations(self, num_iterations: int | None = None, style_loss: str | None = None, **_) -> int:
        """How many times a network runs for one sample: decoder, first look, contents, iterations and last look."""
        num_iterations = num_iterations or self.config.num_iterations
        shifts = min(len(SHIFTS), num_iterations) if (style_loss or self.config.style_loss) == "relative" else 1
        return 3 + shifts + num_iterations

    @property
    def holds_style_images(self) -> bool:
        """Whether real images are in the model, which must stay where it is then."""
        return hasattr(self.style, "images")

    def build_feature_network(self, name: str | None = None) -> FeatureNetwork:
        """What images are compared in.

        Args:
            name (`str`, *optional*): `feature_network` of the config by default.

        Raises:
            ValueError: If it neither comes with the model nor was handed in.
        """
        name = name or self.config.feature_network
        if name == CVAE_ENCODER:
            return encoder_network(self.vae.encoder)
        if name == EFFICIENTNET and self.feature_layers is not None:
            return stages_network(self.feature_layers)
        if name in self.feature_networks:
            return self.feature_networks[name](self._execution_device)
        own = [CVAE_ENCODER] if self.feature_layers is None else [CVAE_ENCODER, EFFICIENTNET]
        *known, last = dict.fromkeys([*own, *self.feature_networks])
        expected = f"{', '.join(known)} or {last}" if known else last
        hint = "" if self.feature_networks else "; further ones are handed in by `zoo.style.hand_in`"
        raise ValueError(f"feature network: expected {expected}, got {name!r}{hint}")

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        class_labels=None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        content_images: torch.Tensor | None = None,
        style_images: torch.Tensor | None = None,
        style_weight: float | None = None,
        content_weight: float | None = None,
        learning_rate: float | None = None,
        num_iterations: int | None = None,
        optimizer: str | None = None,
        style_loss: str | None = None,
        latents: torch.Tensor | None = None,
    ):
        """Generates images, or takes given ones, and styles them.

        Args:
            batch_size (`int`): How many. Not used with `content_images`.
            class_labels: Must be `None`: this model knows no classes.
            generator (`torch.Generator` or a list of them, *optional*): The seed. Sample *i* depends on it and on *i*.
                Not used with `content_images`.
            output_type (`str`): `"pil"`, `"np"` for `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, the arrays in float32 in [0, 1]; or `"latent"` for the latents
                that the images are made of.
            return_dict (`bool`): Whether to return a `StyleTransferOutput` or a tuple.
            content_images (`torch.Tensor` of shape `(batch_size, channels, height, width)`, *optional*): Images in
                [0, 1], of another model for instance, to style instead of this model's own.
            style_images (`torch.Tensor` of shape `(num_styles, channels, height, width)`, *optional*): Images in
                [0, 1]; each sample takes the style of the one nearest to it in the latent space of the VAE.
            style_weight (`float`, *optional*): Weight of the style loss; of a relative one its ratio to
                `content_weight` is what counts.
            content_weight (`float`, *optional*): Weight of the content loss.
            learning_rate (`float`, *optional*): On intensities in [0, 1]: what a step changes a pixel by, about.
            num_iterations (`int`, *optional*): Steps.
            optimizer (`str`, *optional*): `"adam"`, as in study B, or `"momentum"`, which leaves less noise: the
                gradients that it goes along are smoothed and keep their proportions within the image.
            style_loss (`str`, *optional*): `"relative"`, errors of Gram matrices relative to the style's; `"gram"` or
                `"maps"`, mean squared errors of Gram matrices or of the maps themselves with absolute weights, as in
                study B. Maps need style images.
            latents (`torch.Tensor` of shape `(batch_size, latent_dim)`, *optional*): Of the content images, instead of
                those that are drawn. Not used with `content_images`.

        Returns:
            `StyleTransferOutput` with `images`, `content_images` and `style_indices`, or a tuple of them.

        Raises:
            ValueError: If `class_labels` are given, or an argument is out of its range.
        """
        if class_labels is not None:
            raise ValueError("class_labels: expected None, this model is not conditional on a class")
        # 1. The content: one latent a sample and one pass of the decoder, or what was given
        if content_images is None:
            latents = self._noise(self._generators(generator, batch_size), (self.latent_dimensions,), latents)
            if output_type == "latent":
                return self._latent_output(latents, return_dict)
            content = self._decoded(latents.to(self._execution_device, self.dtype))
        else:
            content = self.checked(content_images, "content_images")
        # 2. The settings
        asked = {
            "style_weight": style_weight,
            "content_weight": content_weight,
            "learning_rate": learning_rate,
            "num_iterations": num_iterations,
            "optimizer": optimizer,
            "style_loss": style_loss,
        }
        settings = self.default_settings | {name: value for name, value in asked.items() if value is not None}
        # 3. The style: of the nearest image, or averaged over the training images
        network, style, nearest = self.build_feature_network(), self.style(), None
        if style_images is None and self.holds_style_images:
            style_images = style
        if style_images is not None:
            nearest = self.nearest_styles(content, style_images)
            style = network.style(self.checked(style_images, "style_images")[nearest], settings["style_loss"])
        elif settings["style_loss"] == "maps":
            raise ValueError("style_loss: 'maps' compares with an image, give style_images")
        # 4. Descent on the pixels
        styled = transfer(network, content, style, **settings).images
        # 5. To the output type
        images, before = (self._output(x * 2 - 1, output_type, True).images for x in (styled, content))
        indices = None if nearest is None else nearest.tolist()
        return StyleTransferOutput(images, before, indices) if return_dict else (images, before, indices)

    @torch.no_grad()
    def nearest_styles(self, content_images: torch.Tensor, style_images: torch.Tensor) -> torch.Tensor:
        """For each content image the style image nearest to it: by the distance of their means in the latent space.

        Args:
            content_images (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
            style_images (`torch.Tensor` of shape `(num_styles, channels, height, width)`): In [0, 1].

        Returns:
            `torch.Tensor` of `n` indices.

        Raises:
            ValueError: If the images are not of this model's size and channels.
        """
        sets = {"content_images": content_images, "style_images": style_images}
        content, styles = (self._encoded(x, name).float() for name, x in sets.items())
        return torch.cdist(content, styles).argmin(1)

    @torch.no_grad()
    def project(
        self, images: torch.Tensor, generator: torch.Generator | list[torch.Generator] | None = None
    ) -> torch.Tensor:
        """Finds the images that the model makes of the given ones: encoded to the posterior's mean, decoded and styled.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [0, 1].
            generator: Not used, there is nothing to draw.

        Returns:
            `torch.Tensor` of the shape of `images`, in [0, 1].
        """
        decoded = self._decoded(self._encoded(images, "images"))
        return self(content_images=decoded, output_type="pt").images

    def _encoded(self, images: torch.Tensor, name: str) -> torch.Tensor:
        """Means `(n, latent_dim)` of the posteriors of images as of `checked`."""
        return self.vae.encode((self.checked(images, name) * 2 - 1).to(self.dtype))[0]

    def _decoded(self, latents: torch.Tensor) -> torch.Tensor:
        """Images `(n, channels, height, width)` of latents, in float32 in [0, 1]."""
        return (self._finite(self.vae.decode(latents)).float() / 2 + 0.5).clamp(0, 1)

    def checked(self, images: torch.Tensor, name: str) -> torch.Tensor:
        """Images on this model's device, in float32 whatever its type: the descent on pixels overflows in float16.

        Args:
            images (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
            name (`str`): What an error calls them.

        Raises:
            ValueError: If they are not of this model's size and channels, or out of range.
        """
        shape = (self.num_channels, self.sample_size, self.sample_size)
        if (
            not isinstance(images, torch.Tensor)
            or images.ndim != 4
            or tuple(images.shape[1:]) != shape
            or not len(images)
        ):
            found = tuple(images.shape) if hasattr(images, "shape") else type(images).__name__
            raise ValueError(f"{name}: expected a tensor (n, {shape[0]}, {shape[1]}, {shape[2]}), got {found}")
        if not images.is_floating_point() or not 0 <= images.min() <= images.max() <= 1:
            raise ValueError(f"{name}: expected floats in [0, 1]")
        return images.to(self._execution_device, torch.float32)
