"""DCGAN: a generator and a discriminator of strided convolutions (Radford et al., 2016, arXiv 1511.06434)."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import nn


def _map_sizes(sample_size: int) -> list[int]:
    """Sides of the maps from the coarsest, 4 to 7 pixels, to the image: each is half of the next, rounded down."""
    if sample_size < 8:
        raise ValueError(f"sample_size: expected at least 8, got {sample_size}")
    sizes = [sample_size]
    while sizes[0] >= 8:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def _enlarge(in_channels: int, out_channels: int, size: int, new_size: int, upsampling: str, bias: bool) -> list:
    """The layers that double a map's side, or double it and add one."""
    if upsampling == "transposed":
        odd = new_size - 2 * size
        return [nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, output_padding=odd, bias=bias)]
    upsample = nn.Upsample(size=(new_size, new_size), mode="bilinear")
    return [upsample, nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)]


def _initialise(module: nn.Module) -> None:
    """Normal weights of standard deviation 0.02, as in section 4 of the paper."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class DCGANGenerator(ModelMixin, ConfigMixin):
    """Maps a latent to an image by fractionally strided convolutions with BatchNorm and ReLU, tanh at the end.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image, at least 8.
        out_channels (`int`, defaults to 1): Channels of the image; 1 is grey, 3 is colour.
        latent_dim (`int`, defaults to 100): Length of the latent vector.
        base_channels (`int`, defaults to 64): Channels of the last hidden layer; each earlier layer has twice as many.
        upsampling (`str`, defaults to `"transposed"`): `"transposed"`, the paper's fractionally strided convolutions,
            or `"bilinear"`, interpolation followed by a convolution, which leaves no checkerboard (Odena et al., 2016,
            doi 10.23915/distill.00003).

    Raises:
        ValueError: If `sample_size` is below 8 or `upsampling` is neither of the two.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = 64,
        out_channels: int = 1,
        latent_dim: int = 100,
        base_channels: int = 64,
        upsampling: str = "transposed",
    ):
        super().__init__()
        if upsampling not in ("transposed", "bilinear"):
            raise ValueError(f'upsampling: expected "transposed" or "bilinear", got {upsampling!r}')
        sizes = _map_sizes(sample_size)
        channels = base_channels * 2 ** (len(sizes) - 2)
        layers = [nn.ConvTranspose2d(latent_dim, channels, sizes[0], bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
        for size, new_size in zip(sizes[:-2], sizes[1:-1], strict=True):
            layers += _enlarge(channels, channels // 2, size, new_size, upsampling, bias=False)
            layers += [nn.BatchNorm2d(channels // 2), nn.ReLU()]
            channels //= 2
        layers += [*_enlarge(channels, out_channels, *sizes[-2:], upsampling, bias=True), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, latents: torch.Tensor, return_dict: bool = True) -> DecoderOutput | tuple[torch.Tensor]:
        """Generates images.

        Args:
            latents (`torch.Tensor` of shape `(batch_size, latent_dim)`): Standard normal vectors; an InfoGAN's codes
                are part of them.
            return_dict (`bool`): Whether to return a `DecoderOutput` or a tuple.

        Returns:
            `DecoderOutput` whose `sample` is a `torch.Tensor` of shape `(batch_size, out_channels, sample_size,
            sample_size)` in [-1, 1], or a tuple of it.
        """
        images = self.layers(latents[:, :, None, None])
        return DecoderOutput(sample=images) if return_dict else (images,)


class DCGANDiscriminator(ModelMixin, ConfigMixin):
    """Scores an image by strided convolutions with a norm (not in the first layer) and LeakyReLU of slope 0.2.

    Parameters:
        sample_size (`int`, defaults to 64): Height and width of the image, at least 8.
        in_channels (`int`, defaults to 1): Channels of the image.
        base_channels (`int`, defaults to 64): Channels of the first layer; each later layer has twice as many.
        norm (`str`, defaults to `"batch"`): `"batch"`, the paper's; `"instance"` or `"none"` judge each image by
            itself, which a gradient penalty needs (Gulrajani et al., 2017, arXiv 1704.00028, section 4).

    Raises:
        ValueError: If `sample_size` is below 8 or `norm` is none of the three.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = 64,
        in_channels: int = 1,
        base_channels: int = 64,
        norm: str = "batch",
    ):
        super().__init__()
        if norm not in ("batch", "instance", "none"):
            raise ValueError(f'norm: expected "batch", "instance" or "none", got {norm!r}')
        sizes, channels = _map_sizes(sample_size), base_channels
        layers = [nn.Conv2d(in_channels, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for _ in sizes[1:-1]:
            layers.append(nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1, bias=norm == "none"))
            channels *= 2
            if norm == "batch":
                layers.append(nn.BatchNorm2d(channels))
            elif norm == "instance":
                layers.append(nn.InstanceNorm2d(channels, affine=True))
            layers.append(nn.LeakyReLU(0.2))
        layers.append(nn.Conv2d(channels, 1, sizes[0]))
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores images.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            `torch.Tensor` of shape `(batch_size,)`: Logits, high for images held to be real.
        """
        return self.layers(images).flatten()
