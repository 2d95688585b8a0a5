"""A U-Net that estimates the score of noisy images at any noise level."""

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d import UNet2DOutput


class ScoreUNet2DModel(ModelMixin, ConfigMixin):
    """diffusers' `UNet2DModel`, conditioned on log σ, in the preconditioning of Karras et al. (2022, arXiv 2206.00364).

    For `x = image + σ · noise` it gives the expected image D, and the score is (D - x) / σ² (equation 3). Input, output
    and target of the U-Net have about the variance 1 at every σ (equation 7), however far σ ranges.

    Parameters:
        data_scale (`float`): Root mean square of the training images, which are in [-1, 1].
        sample_size (`int`, defaults to 64): Height and width of the image.
        channels (`int`, defaults to 1): Channels of the image; 1 is grey, 3 is colour.
        block_out_channels (`list[int]`): Channels of each resolution, from the image's own to the coarsest.
        attention_levels (`list[int]`): Which of these resolutions, counted from 0, have self-attention.
        layers_per_block (`int`, defaults to 1): Residual blocks a resolution.
        attention_head_dim (`int`, defaults to 32): Channels of one attention head.
        norm_num_groups (`int`, defaults to 8): Groups of the group normalisation.
        dropout (`float`, defaults to 0.0): Dropout of the residual blocks.
        patch_size (`int`, defaults to 1): Side of the square patches whose pixels the U-Net takes as channels of one
            position. 2 makes a network of the same cost four times as wide at its finest resolution.

    Raises:
        ValueError: If `sample_size` is no multiple of `patch_size`.
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        data_scale: float,
        sample_size: int = 64,
        channels: int = 1,
        block_out_channels: list[int] = (16, 32, 64, 128),
        attention_levels: list[int] = (2, 3),
        layers_per_block: int = 1,
        attention_head_dim: int = 32,
        norm_num_groups: int = 8,
        dropout: float = 0.0,
        patch_size: int = 1,
    ):
        super().__init__()
        if sample_size % patch_size:
            raise ValueError(f"patch_size: expected a divisor of sample_size {sample_size}, got {patch_size}")
        levels = range(len(block_out_channels))
        down = ["AttnDownBlock2D" if level in attention_levels else "DownBlock2D" for level in levels]
        self.unet = UNet2DModel(
            sample_size=sample_size // patch_size,
            in_channels=channels * patch_size**2,
            out_channels=channels * patch_size**2,
            block_out_channels=tuple(block_out_channels),
            down_block_types=tuple(down),
            up_block_types=tuple(name.replace("Down", "Up") for name in reversed(down)),
            layers_per_block=layers_per_block,
            attention_head_dim=attention_head_dim,
            norm_num_groups=norm_num_groups,
            dropout=dropout,
        )

    def forward(
        self, sample: torch.Tensor, sigma: torch.Tensor | float, return_dict: bool = True
    ) -> UNet2DOutput | tuple[torch.Tensor]:
        """The expected image D(x; σ).

        Args:
            sample (`torch.Tensor` of shape `(batch_size, channels, sample_size, sample_size)`): Noisy images x.
            sigma (`torch.Tensor` of shape `(batch_size,)` or `float`): Standard deviation of their noise.
            return_dict (`bool`): Whether to return a `UNet2DOutput` or a tuple.

        Returns:
            `UNet2DOutput` whose `sample` is a `torch.Tensor` of the shape of `sample`, images of about [-1, 1], or a
            tuple of it.
        """
        sigma = torch.as_tensor(sigma, dtype=torch.float32, device=sample.device).expand(sample.shape[0])
        timestep = 100 * sigma.log()  # of the order of a diffusion step's number, for which the embedding is made
        sigma, scale = sigma.reshape(-1, 1, 1, 1), self.config.data_scale
        variance = sigma**2 + scale**2
        patches = F.pixel_unshuffle((sample / variance.sqrt()).to(self.dtype), self.config.patch_size)
        found = F.pixel_shuffle(self.unet(patches, timestep).sample, self.config.patch_size)
        expected = scale**2 / variance * sample + sigma * scale / variance.sqrt() * found
        return UNet2DOutput(sample=expected) if return_dict else (expected,)
