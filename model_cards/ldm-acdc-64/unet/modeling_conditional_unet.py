"""A `UNet2DModel` that is told classes, quantities and a label map, each of which may be left open."""

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import nn


class QuantityEmbedding(nn.Module):
    """Embeds numbers with a unit, such as millimetres; one that is NaN is left open and has an embedding of its own.

    A number is standardised and, with its sines and cosines of low frequency (Vaswani et al., 2017, arXiv 1706.03762,
    section 3.5, for positions), goes through two linear layers. High frequencies would learn the few patients by heart.

    Args:
        means, deviations (`list[float]` of length `count`): Of each quantity in the training images.
        width (`int`): Of the embedding.
    """

    FREQUENCIES = (0.25, 0.5, 1.0)  # in half turns a standard deviation

    def __init__(self, means: list[float], deviations: list[float], width: int):
        super().__init__()
        count, features = len(means), 1 + 2 * len(self.FREQUENCIES)
        self.means, self.deviations = means, deviations  # numbers of the config, so that no half precision rounds them
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(features, 64), nn.SiLU(), nn.Linear(64, width)) for _ in range(count)
        )
        self.open = nn.Parameter(0.02 * torch.randn(count, width))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Sums the embeddings of `values`, `(batch_size, count)`, to `(batch_size, width)`."""
        is_open = values.isnan()
        means, deviations, frequencies = map(values.new_tensor, (self.means, self.deviations, self.FREQUENCIES))
        scores = (values.nan_to_num() - means) / deviations
        angles = scores[..., None] * (torch.pi * frequencies)
        features = torch.cat([scores[..., None], angles.sin(), angles.cos()], -1).to(self.open.dtype)
        embedded = torch.stack([layer(features[:, i]) for i, layer in enumerate(self.layers)], 1)
        return torch.where(is_open[..., None], self.open, embedded).sum(1)


class ConditionalUNet2DModel(ModelMixin, ConfigMixin):
    """diffusers' `UNet2DModel` with one embedding table a condition, summed and added to the time embedding.

    A condition with `k` classes has the indices 0 … k-1; index `k` means "left open" and is what classifier-free
    guidance uses (Ho & Salimans, 2022, arXiv 2207.12598).

    Parameters:
        conditions (`list[str]`): Names of the conditions, for instance `["pathology", "phase", "slice_level"]`.
        class_names (`dict[str, list[str]]`): Names of the classes of each condition, in the order of their indices.
        class_frequencies (`dict[str, list[float]]`): Share of each class in the training images, in the same order.
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
        map_channels (`int`, defaults to 0): Further channels that are given and not predicted, such as a label map.
        quantities (`list[str]`): Names of the quantities, each with its unit, such as `"wall_thickness_mm"`.
        quantity_ranges (`dict[str, dict[str, float]]`, *optional*): The `mean`, `std`, `min` and `max` of each quantity
            in the training images.

    Raises:
        ValueError: If `sample_size` is no multiple of `patch_size`.
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        conditions: list[str],
        class_names: dict[str, list[str]],
        class_frequencies: dict[str, list[float]],
        sample_size: int = 64,
        channels: int = 1,
        block_out_channels: list[int] = (16, 32, 64, 128),
        attention_levels: list[int] = (2, 3),
        layers_per_block: int = 1,
        attention_head_dim: int = 32,
        norm_num_groups: int = 8,
        dropout: float = 0.0,
        patch_size: int = 1,
        map_channels: int = 0,
        quantities: list[str] = (),
        quantity_ranges: dict[str, dict[str, float]] | None = None,
    ):
        super().__init__()
        if sample_size % patch_size:
            raise ValueError(f"patch_size: expected a divisor of sample_size {sample_size}, got {patch_size}")
        levels = range(len(block_out_channels))
        down = ["AttnDownBlock2D" if level in attention_levels else "DownBlock2D" for level in levels]
        self.unet = UNet2DModel(
            sample_size=sample_size // patch_size,
            in_channels=(channels + map_channels) * patch_size**2,
            out_channels=channels * patch_size**2,
            block_out_channels=tuple(block_out_channels),
            down_block_types=tuple(down),
            up_block_types=tuple(name.replace("Down", "Up") for name in reversed(down)),
            layers_per_block=layers_per_block,
            attention_head_dim=attention_head_dim,
            norm_num_groups=norm_num_groups,
            dropout=dropout,
            class_embed_type="identity",
        )
        width = self.unet.time_embedding.linear_2.out_features
        self.embeddings = nn.ModuleList(nn.Embedding(len(class_names[name]) + 1, width) for name in conditions)
        for table in self.embeddings:
            nn.init.normal_(table.weight, 0.0, 0.02)
        if quantities:
            means, deviations = ([quantity_ranges[name][key] for name in quantities] for key in ("mean", "std"))
            self.quantity_embedding = QuantityEmbedding(means, deviations, width)

    @property
    def open_labels(self) -> torch.Tensor:
        """The label row that leaves every condition open: `(num_conditions,)` integers, one number of classes each."""
        labels = torch.tensor([table.num_embeddings - 1 for table in self.embeddings], dtype=torch.int64)
        return labels if self.device.type == "meta" else labels.to(self.device)  # meta: the weights wait elsewhere

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | int,
        class_labels: torch.Tensor | None = None,
        quantities: torch.Tensor | None = None,
        maps: torch.Tensor | None = None,
        return_dict: bool = True,
    ) -> UNet2DOutput | tuple[torch.Tensor]:
        """Predicts noise, velocity or image, whichever the network was trained for.

        Args:
            sample (`torch.Tensor` of shape `(batch_size, channels, sample_size, sample_size)`): Noisy images.
            timestep (`torch.Tensor` of shape `(batch_size,)` or `int`): Diffusion steps.
            class_labels (`torch.Tensor` of shape `(batch_size, num_conditions)`, *optional*): Class indices; all
                conditions are left open without them.
            quantities (`torch.Tensor` of shape `(batch_size, num_quantities)`, *optional*): In their units, NaN where
                one is left open; all are without them.
            maps (`torch.Tensor` of shape `(batch_size, map_channels, sample_size, sample_size)`): What is given; only
                for a network with `map_channels`.
            return_dict (`bool`): Whether to return a `UNet2DOutput` or a tuple.

        Returns:
            `UNet2DOutput` whose `sample` is a `torch.Tensor` of the shape of `sample`, or a tuple of it.
        """
        batch_size = sample.shape[0]  # `len` would make it a constant of a traced network
        if class_labels is None:
            class_labels = self.open_labels.to(sample.device).expand(batch_size, -1)
        embedding = sample.new_zeros(batch_size, self.unet.time_embedding.linear_2.out_features)
        for column, table in enumerate(self.embeddings):
            embedding = embedding + table(class_labels[:, column])
        if self.config.quantities:
            if quantities is None:
                quantities = torch.full((batch_size, len(self.config.quantities)), torch.nan, device=sample.device)
            embedding = embedding + self.quantity_embedding(quantities)
        if self.config.map_channels:
            sample = torch.cat([sample, maps], dim=1)
        patches = F.pixel_unshuffle(sample, self.config.patch_size)
        (found,) = self.unet(patches, timestep, class_labels=embedding, return_dict=False)
        found = F.pixel_shuffle(found, self.config.patch_size)
        return UNet2DOutput(sample=found) if return_dict else (found,)

    def unconditional_unet(self) -> UNet2DModel:
        """The same network with every condition left open, as a plain `UNet2DModel` with weights of its own.

        The embedding of "left open" is a constant, so it is folded into the bias of the time embedding's last layer:
        the two networks give the same output.

        Raises:
            ValueError: If the network works on patches, which a plain `UNet2DModel` cannot.
        """
        if self.config.patch_size != 1:
            raise ValueError(f"patch_size: expected 1 for a plain UNet2DModel, got {self.config.patch_size}")
        config = {key: value for key, value in self.unet.config.items() if not key.startswith("_")}
        plain = UNet2DModel.from_config({**config, "class_embed_type": None})
        plain.load_state_dict(self.unet.state_dict())
        with torch.no_grad():
            plain.time_embedding.linear_2.bias += sum(table.weight[-1] for table in self.embeddings)
        return plain.to(device=self.device, dtype=self.dtype)
