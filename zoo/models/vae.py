"""A dense variational autoencoder, mirror-shaped (Kingma & Welling, 2014, arXiv 1312.6114)."""

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


class DenseVAE(ModelMixin, ConfigMixin):
    """Fully connected layers with ReLU narrow an image down to a normal distribution, and their mirror image back.

    Images are in [-1, 1] outside. Inside, the decoder gives logits whose sigmoid is the intensity in [0, 1], which
    binary cross-entropy compares.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image.
        channels (`int`, defaults to 1): Channels of the image; 1 is grey, 3 is colour.
        latent_dim (`int`, defaults to 64): Length of the latent vector, standard normal in a sample.
        hidden_dims (`list[int]`): Widths of the encoder's layers, from the image's side; the decoder has them reversed.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = 64,
        channels: int = 1,
        latent_dim: int = 64,
        hidden_dims: list[int] = (512, 256),
    ):
        super().__init__()
        widths = [channels * sample_size**2, *hidden_dims]
        self.encoder = nn.Sequential(nn.Flatten(), *_dense(widths), nn.Linear(widths[-1], 2 * latent_dim))
        widths = [latent_dim, *reversed(hidden_dims)]
        self.decoder = nn.Sequential(
            *_dense(widths),
            nn.Linear(widths[-1], channels * sample_size**2),
            nn.Unflatten(1, (channels, sample_size, sample_size)),
        )

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
        return self.decoder(latents)

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


def _dense(widths: list[int]) -> list[nn.Module]:
    """A linear layer with ReLU from each width to the next."""
    layers = []
    for width, next_width in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(width, next_width), nn.ReLU()]
    return layers
