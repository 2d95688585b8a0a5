"""ACGAN: a generator told its classes, a discriminator that names them (Odena et al., 2017, arXiv 1610.09585)."""

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
    """Normal weights of standard deviation 0.02, as in appendix A of the paper; zeros for a label left open."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.Embedding):
        nn.init.zeros_(module.weight[module.padding_idx])


class ACGANGenerator(ModelMixin, ConfigMixin):
    """Maps a normal latent and classes to an image by fractionally strided convolutions with BatchNorm and ReLU; tanh.

    Each condition has an embedding table; the embeddings are added up and follow the latent. A condition with `k`
    classes has the indices 0 … k-1; index `k` means "left open".

    Parameters:
        conditions (`list[str]`): Names of the conditions, for instance `["pathology", "phase", "slice_level"]`.
        class_names (`dict[str, list[str]]`): Names of the classes of each condition, in the order of their indices.
        class_frequencies (`dict[str, list[float]]`): Share of each class in the training images, in the same order.
        sample_size (`int`, defaults to 64): Height and width of the image, at least 8.
        out_channels (`int`, defaults to 1): Channels of the image; 1 is grey, 3 is colour.
        latent_dim (`int`, defaults to 100): Length of the latent vector.
        embedding_dim (`int`, defaults to 32): Length of a class embedding.
        base_channels (`int`, defaults to 32): Channels of the last hidden layer; each earlier layer has twice as many.
        upsampling (`str`, defaults to `"transposed"`): `"transposed"`, the paper's fractionally strided convolutions,
            or `"bilinear"`, interpolation followed by a convolution, which leaves no checkerboard (Odena et al., 2016,
            doi 10.23915/distill.00003).

    Raises:
        ValueError: If `sample_size` is below 8 or `upsampling` is neither of the two.
    """

    @register_to_config
    def __init__(
        self,
        conditions: list[str],
        class_names: dict[str, list[str]],
        class_frequencies: dict[str, list[float]],
        sample_size: int = 64,
        out_channels: int = 1,
        latent_dim: int = 100,
        embedding_dim: int = 32,
        base_channels: int = 32,
        upsampling: str = "transposed",
    ):
        super().__init__()
        if upsampling not in ("transposed", "bilinear"):
            raise ValueError(f'upsampling: expected "transposed" or "bilinear", got {upsampling!r}')
        counts = [len(class_names[name]) for name in conditions]
        # A label left open adds nothing, so that a training can begin without classes and bring them in later
        self.embeddings = nn.ModuleList(nn.Embedding(count + 1, embedding_dim, padding_idx=count) for count in counts)
        sizes = _map_sizes(sample_size)
        channels = base_channels * 2 ** (len(sizes) - 2)
        self.first = nn.Linear(latent_dim + embedding_dim, channels * sizes[0] ** 2)
        layers = [nn.Unflatten(1, (channels, sizes[0], sizes[0])), nn.BatchNorm2d(channels), nn.ReLU()]
        for size, new_size in zip(sizes[:-2], sizes[1:-1], strict=True):
            layers += _enlarge(channels, channels // 2, size, new_size, upsampling, bias=False)
            layers += [nn.BatchNorm2d(channels // 2), nn.ReLU()]
            channels //= 2
        layers += [*_enlarge(channels, out_channels, *sizes[-2:], upsampling, bias=True), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    @property
    def open_labels(self) -> torch.Tensor:
        """The label row that leaves every condition open: `(num_conditions,)` integers, one number of classes each."""
        labels = torch.tensor([table.num_embeddings - 1 for table in self.embeddings])
        return labels if self.device.type == "meta" else labels.to(self.device)  # meta: the weights wait elsewhere

    def forward(
        self, latents: torch.Tensor, class_labels: torch.Tensor | None = None, return_dict: bool = True
    ) -> DecoderOutput | tuple[torch.Tensor]:
        """Generates images.

        Args:
            latents (`torch.Tensor` of shape `(batch_size, latent_dim)`): Standard normal vectors.
            class_labels (`torch.Tensor` of shape `(batch_size, num_conditions)`, *optional*): Class indices; all
                conditions are left open without them.
            return_dict (`bool`): Whether to return a `DecoderOutput` or a tuple.

        Returns:
            `DecoderOutput` whose `sample` is a `torch.Tensor` of shape `(batch_size, out_channels, sample_size,
            sample_size)` in [-1, 1], or a tuple of it.
        """
        if class_labels is None:
            class_labels = self.open_labels.to(latents.device).expand(latents.shape[0], -1)
        embedding = sum(table(class_labels[:, column]) for column, table in enumerate(self.embeddings))
        images = self.layers(self.first(torch.cat([latents, embedding], dim=1)))
        return DecoderOutput(sample=images) if return_dict else (images,)


class ACGANDiscriminator(ModelMixin, ConfigMixin):
    """Scores an image and names its classes: strided convolutions with LeakyReLU of slope 0.2, one head a question.

    Parameters:
        conditions (`list[str]`): Names of the conditions.
        class_names (`dict[str, list[str]]`): Names of the classes of each condition, in the order of their indices.
        sample_size (`int`, defaults to 64): Height and width of the image, at least 8.
        in_channels (`int`, defaults to 1): Channels of the image.
        base_channels (`int`, defaults to 32): Channels of the first layer; each later layer has twice as many.
        norm (`str`, defaults to `"batch"`): `"batch"`, the paper's, or `"instance"` or `"none"`, which judge each image
            by itself.
        dropout (`float`, defaults to 0.0): Share of the features that the heads do without in training; the paper has
            0.5.

    Raises:
        ValueError: If `sample_size` is below 8 or `norm` is none of the three.
    """

    @register_to_config
    def __init__(
        self,
        conditions: list[str],
        class_names: dict[str, list[str]],
        sample_size: int = 64,
        in_channels: int = 1,
        base_channels: int = 32,
        norm: str = "batch",
        dropout: float = 0.0,
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
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout))
        width = channels * sizes[0] ** 2
        self.score = nn.Linear(width, 1)
        self.classes = nn.ModuleList(nn.Linear(width, len(class_names[name])) for name in conditions)
        self.apply(_initialise)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Scores images and names their classes.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            A tuple of tensors: the logits `(batch_size,)`, high for images held to be real, and for each condition the
            logits of its classes, `(batch_size, num_classes)`.
        """
        features = self.layers(images)
        return self.score(features).flatten(), *(head(features) for head in self.classes)
