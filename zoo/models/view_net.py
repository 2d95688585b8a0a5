"""A network that tells how a heart lies in an image: upright, turned, mirrored, or whether it is there at all."""

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

TURNS = 8  # the ways to lay down a square: by quarters, and mirrored by quarters


def turned(images: torch.Tensor, turn: int) -> torch.Tensor:
    """Square images laid down in one of the eight ways.

    Args:
        images (`torch.Tensor` of shape `(…, size, size)`): As they should lie.
        turn (`int`): Below 4 the quarters to the left; from 4 on the same, after left and right changed places.
    """
    return torch.rot90(images.flip(-1) if turn >= 4 else images, turn % 4, (-2, -1))


def after(first: int, second: int) -> int:
    """The turn that two make, one after the other."""
    quarters = second % 4 + (first % 4 if second < 4 else -first % 4)
    return quarters % 4 + (4 if (first < 4) != (second < 4) else 0)


class ViewNetConfig(PreTrainedConfig):
    """What a [`ViewNet`] is built of.

    Parameters:
        class_names (`list[str]`): At least eight.
        sample_size (`int`, defaults to 64): Height and width of the images; a multiple of 2 to the power of the number
            of convolutions and one.
        in_channels (`int`, defaults to 1): Channels of the images; 1 is grey.
        block_out_channels (`list[int]`): Channels of each convolution.
        norm_num_groups (`int`, defaults to 8): Groups of the group normalisation.
        hidden_features (`int`, defaults to 128): Width of the first linear layer.
        dropout (`float`, defaults to 0.5): Dropout before each linear layer.
        known (`list[int]`): Classes of hearts that lie as some of the training images do: upright ones, and those that
            are stored a quarter turned.
        threshold (`float`, *optional*): The log-probability of the known classes below which an image is none of them.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel of the training images in millimetres.
    """

    model_type = "view-net"

    def __init__(
        self,
        class_names: list[str] = (),
        sample_size: int = 64,
        in_channels: int = 1,
        block_out_channels: list[int] = (32, 64, 128),
        norm_num_groups: int = 8,
        hidden_features: int = 128,
        dropout: float = 0.5,
        known: list[int] = (0,),
        threshold: float | None = None,
        pixel_spacing_mm: float | None = None,
        **kwargs,
    ):
        self.class_names, self.known, self.threshold = list(class_names), list(known), threshold
        self.sample_size, self.in_channels, self.pixel_spacing_mm = sample_size, in_channels, pixel_spacing_mm
        self.block_out_channels, self.norm_num_groups = list(block_out_channels), norm_num_groups
        self.hidden_features, self.dropout = hidden_features, dropout
        labels = dict(enumerate(self.class_names))
        super().__init__(**(kwargs | {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}))


class ViewNet(PreTrainedModel):
    """Convolutions of 3×3, each with group normalisation, ReLU and a halving of the map, then two linear layers.

    How a heart lies is seen from afar: images are looked at in half their resolution. The first eight classes are the
    turns of an upright image, in the order of `turned`; any further one is a picture that shows no heart of that size,
    however it is turned. So an image can be looked at in all eight ways, and what is said of each is brought together:
    `log_probabilities`.

    Args:
        config ([`ViewNetConfig`]): What it is built of.

    Raises:
        ValueError: If `sample_size` cannot be halved often enough, or there are too few classes.
    """

    family = "view"
    config_class = ViewNetConfig
    main_input_name = "pixel_values"

    def __init__(self, config: ViewNetConfig):
        super().__init__(config)
        widths, size, dropout = config.block_out_channels, config.sample_size, config.dropout
        factor = 2 ** (len(widths) + 1)
        if size % factor:
            raise ValueError(f"sample_size: expected a multiple of {factor}, got {size}")
        if len(config.class_names) < TURNS:
            raise ValueError(f"class_names: expected at least {TURNS}, got {len(config.class_names)}")
        layers = [nn.AvgPool2d(2)]
        for before, width in zip((config.in_channels, *widths), widths, strict=False):
            layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.GroupNorm(config.norm_num_groups, width)]
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        flat, features = widths[-1] * (size // factor) ** 2, config.hidden_features
        self.hidden = nn.Sequential(nn.Dropout(dropout), nn.Linear(flat, features), nn.ReLU())
        self.scores = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, len(config.class_names)))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """The layers' own initial weights stay."""

    def forward(self, pixel_values: torch.Tensor, return_dict: bool = True) -> ImageClassifierOutput | tuple:
        """Scores the classes.

        Args:
            pixel_values (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].
            return_dict (`bool`): Whether to return an `ImageClassifierOutput` or a tuple.

        Returns:
            `logits` of shape `(batch_size, num_classes)`.
        """
        output = ImageClassifierOutput(logits=self.scores(self.hidden(self.convolutions(pixel_values))))
        return output if return_dict else output.to_tuple()

    def log_probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """What is said of each image, turned in all eight ways: turning it changes the places of the classes alone.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].

        Returns:
            `torch.Tensor` of shape `(batch_size, num_classes)`: Logarithms of probabilities.
        """
        others = list(range(TURNS, len(self.config.class_names)))
        said = []
        for turn in range(TURNS):
            scores = self(turned(images, turn)).logits.log_softmax(1)
            said.append(scores[:, [after(own, turn) for own in range(TURNS)] + others])
        return torch.stack(said).mean(0).log_softmax(1)

    def known(self, said: torch.Tensor) -> torch.Tensor:
        """From `log_probabilities`, those of the known classes together: `(batch_size,)`."""
        return said[:, list(self.config.known)].logsumexp(1)
