"""The first GAN: a generator and a discriminator of dense layers (Goodfellow et al., 2014, arXiv 1406.2661)."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import nn


class GANGenerator(ModelMixin, ConfigMixin):
    """Maps a normal latent to an image by dense layers with BatchNorm and LeakyReLU of slope 0.2, tanh at the end.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image.
        out_channels (`int`, defaults to 1): Channels of the image; 1 is grey, 3 is colour.
        latent_dim (`int`, defaults to 100): Length of the latent vector.
        hidden_sizes (`list[int]`): Units of each hidden layer.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = 64,
        out_channels: int = 1,
        latent_dim: int = 100,
        hidden_sizes: list[int] = (256, 512, 1024),
    ):
        super().__init__()
        layers, width = [], latent_dim
        for size in hidden_sizes:
            layers += [nn.Linear(width, size, bias=False), nn.BatchNorm1d(size), nn.LeakyReLU(0.2)]
            width = size
        layers += [nn.Linear(width, out_channels * sample_size**2), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: torch.Tensor, return_dict: bool = True) -> DecoderOutput | tuple[torch.Tensor]:
        """Generates images.

        Args:
            latents (`torch.Tensor` of shape `(batch_size, latent_dim)`): Standard normal vectors.
            return_dict (`bool`): Whether to return a `DecoderOutput` or a tuple.

        Returns:
            `DecoderOutput` whose `sample` is a `torch.Tensor` of shape `(batch_size, out_channels, sample_size,
            sample_size)` in [-1, 1], or a tuple of it.
        """
        shape = self.config.out_channels, self.config.sample_size, self.config.sample_size
        images = self.layers(latents).unflatten(1, shape)
        return DecoderOutput(sample=images) if return_dict else (images,)


class GANDiscriminator(ModelMixin, ConfigMixin):
    """Scores an image by dense layers with LeakyReLU of slope 0.2 and dropout.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image.
        in_channels (`int`, defaults to 1): Channels of the image.
        hidden_sizes (`list[int]`): Units of each hidden layer.
        dropout (`float`, defaults to 0.3): Share of the hidden units that are left out in training, as in the paper's
            section 5.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = 64,
        in_channels: int = 1,
        hidden_sizes: list[int] = (512, 256),
        dropout: float = 0.3,
    ):
        super().__init__()
        widths = [in_channels * sample_size**2, *hidden_sizes]
        hidden = [
            nn.Sequential(nn.Linear(width, size), nn.LeakyReLU(0.2), nn.Dropout(dropout))
            for width, size in zip(widths[:-1], widths[1:], strict=True)
        ]
        self.layers = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(widths[-1], 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores images.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            `torch.Tensor` of shape `(batch_size,)`: Logits, high for images held to be real.
        """
        return self.layers(images).flatten()
