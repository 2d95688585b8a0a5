"""A convolutional variational autoencoder without checkerboards (Kingma & Welling, 2014, arXiv 1312.6114)."""

from dataclasses import dataclass

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.utils import BaseOutput
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import nn


@dataclass
class VAEOutput(BaseOutput):
    """What the network makes of images.

    Args:
        logits (`torch.Tensor` of shape `(batch_size, channels, sample_size, sample_size)`): Of the intensities.
        mean, logvar (`torch.Tensor` of shape `(batch_size, latent_dim)`): Of the posteriors.
    """

    logits: torch.Tensor
    mean: torch.Tensor
    logvar: torch.Tensor


class ConvolutionalVAE(ModelMixin, ConfigMixin):
    """Strided convolutions narrow an image down to a normal distribution; its way back is interpolated and convolved.

    Bilinear interpolation followed by a convolution treats all pixels alike, where transposed convolutions reach some
    of them more often than others (Odena et al., 2016, doi 10.23915/distill.00003). Those can be had too, as study B
    began with them.

    Images are in [-1, 1] outside. Inside, the decoder gives logits whose sigmoid is the intensity in [0, 1], which
    binary cross-entropy compares.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image.
        channels (`int`, defaults to 1): Channels of the image; 1 is grey, 3 is colour.
        latent_dim (`int`, defaults to 512): Length of the latent vector, standard normal in a sample.
        block_out_channels (`list[int]`): Channels of the encoder's convolutions, each of which halves the image; the
            decoder has them reversed.
        final_channels (`int`, defaults to 16): Channels of the decoder at the image's own size.
        extra_layers (`int`, defaults to 2): Further convolutions there, beyond the mirror image of the encoder.
        norm_num_groups (`int`, defaults to 8): Groups of the group normalisation.
        upsampling (`str`, defaults to `"bilinear"`): What doubles a map in the decoder: `"bilinear"` interpolation
            followed by a convolution, or a `"transposed"` convolution of 3×3.

    Raises:
        ValueError: If the image is too small to be halved so often, or the upsampling is unknown.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = 64,
        channels: int = 1,
        latent_dim: int = 512,
        block_out_channels: list[int] = (32, 64, 128, 160),
        final_channels: int = 16,
        extra_layers: int = 2,
        norm_num_groups: int = 8,
        upsampling: str = "bilinear",
    ):
        super().__init__()
        sizes = [sample_size // 2**level for level in range(len(block_out_channels) + 1)]
        if sizes[-1] < 1:
            raise ValueError(f"sample_size: expected at least {2 ** len(block_out_channels)}, got {sample_size}")

        if upsampling not in ("bilinear", "transposed"):
            raise ValueError(f"upsampling: expected bilinear or transposed, got {upsampling!r}")

        def activated(width: int) -> list[nn.Module]:
            return [nn.GroupNorm(norm_num_groups, width), nn.SiLU()]

        layers, width = [], channels
        for next_width in block_out_channels:
            layers += [nn.Conv2d(width, next_width, 4, stride=2, padding=1), *activated(next_width)]
            width = next_width
        coarsest = (width, sizes[-1], sizes[-1])
        features = width * sizes[-1] ** 2
        self.encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 2 * latent_dim))

        layers = []
        for size, next_width in zip(sizes[-2::-1], [*block_out_channels[-2::-1], final_channels], strict=True):
            if upsampling == "bilinear":
                layers += [nn.Upsample(size=(size, size), mode="bilinear"), nn.Conv2d(width, next_width, 3, padding=1)]
            else:  # twice as large, or one pixel more where halving dropped one
                odd = size % 2
                layers.append(nn.ConvTranspose2d(width, next_width, 3, 2, padding=1 - odd, output_padding=1 - odd))
            layers += activated(next_width)
            width = next_width
        for _ in range(extra_layers):
            layers += [nn.Conv2d(width, width, 3, padding=1), *activated(width)]
        self.from_latent = nn.Sequential(nn.Linear(latent_dim, features), nn.Unflatten(1, coarsest), nn.SiLU())
        self.decoder = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))

    @apply_forward_hook
    def encode(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The posterior of each image.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            Two `torch.Tensor` of shape `(batch_size, latent_dim)`: Mean and logarithm of the variance.
        """
        mean, logvar = self.encoder(images).chunk(2, dim=1)
        return mean, logvar.clamp(-30, 20)  # exp stays finite

    @apply_forward_hook
    def decode_logits(self, latents: torch.Tensor) -> torch.Tensor:
        """The image of each latent as `(batch_size, channels, sample_size, sample_size)` logits."""
        return self.decoder(self.from_latent(latents))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """The image of each latent.

        Args:
            latents (`torch.Tensor` of shape `(batch_size, latent_dim)`): Standard normal vectors make samples.

        Returns:
            `torch.Tensor` of shape `(batch_size, channels, sample_size, sample_size)` in [-1, 1].
        """
        return 2 * self.decode_logits(latents).sigmoid() - 1

    def forward(
        self, images: torch.Tensor, noise: torch.Tensor | None = None, return_dict: bool = True
    ) -> VAEOutput | tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encodes images, draws a latent from each posterior (equation 10 of the paper) and decodes it.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, sample_size, sample_size)`): In [-1, 1].
            noise (`torch.Tensor` of shape `(batch_size, latent_dim)`, *optional*): Standard normal; zero without it,
                so that the mean is decoded.
            return_dict (`bool`): Whether to return a `VAEOutput` or a tuple.

        Returns:
            `VAEOutput`, or a tuple of its three tensors.
        """
        mean, logvar = self.encode(images)
        latents = mean if noise is None else mean + noise * (logvar / 2).exp()
        logits = self.decode_logits(latents)
        return VAEOutput(logits, mean, logvar) if return_dict else (logits, mean, logvar)
