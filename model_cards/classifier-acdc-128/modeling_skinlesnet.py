"""SkinLesNet: a classifier of four convolutions and two linear layers (Azeem et al., 2023, Cancers 16(1):108)."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput


def class_labels(conditions: list[str], class_names: dict[str, list[str]]) -> dict[int, str]:
    """The classes of all conditions by the place of their score; with the condition where two share a name."""
    pairs = [(condition, name) for condition in conditions for name in class_names[condition]]
    names = [name for _, name in pairs]
    return {i: name if names.count(name) == 1 else f"{condition}: {name}" for i, (condition, name) in enumerate(pairs)}


@dataclass
class ClassifierOutput(ModelOutput):
    """What a classifier says.

    Args:
        logits (`torch.Tensor` of shape `(batch_size, num_labels)`): Of every class, in the order of `config.id2label`;
            its sigmoid is the probability of the class among those of its condition.
        by_condition (`dict[str, torch.Tensor]`): By condition, `(batch_size, num_classes)` scores whose softmax are
            the same probabilities.
    """

    logits: torch.Tensor | None = None
    by_condition: dict[str, torch.Tensor] | None = None


def log_odds(scores: torch.Tensor) -> torch.Tensor:
    """What has the softmax of `(batch_size, num_classes)` scores as its sigmoid."""
    own = torch.eye(scores.shape[1], dtype=torch.bool, device=scores.device)
    others = scores[:, None].expand(-1, scores.shape[1], -1).masked_fill(own, -torch.inf)
    return scores - others.logsumexp(2)


class SkinLesNetConfig(PreTrainedConfig):
    """What a [`SkinLesNet`] is built of.

    Parameters:
        conditions (`list[str]`): What is asked, for instance `["pathology", "slice_level"]`.
        class_names (`dict[str, list[str]]`): Names of the classes of each condition, in the order of their indices.
        sample_size (`int`, defaults to 64): Height and width of the images; a multiple of 2 to the power of the number
            of convolutions.
        in_channels (`int`, defaults to 1): Channels of the images; 1 is grey, 3 is colour.
        block_out_channels (`list[int]`): Channels of each convolution.
        hidden_features (`int`, defaults to 128): Width of the first linear layer.
        dropout (`float`, defaults to 0.5): Dropout before each linear layer.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel of the training images in millimetres.
    """

    model_type = "skinlesnet"

    def __init__(
        self,
        conditions: list[str] = (),
        class_names: dict[str, list[str]] | None = None,
        sample_size: int = 64,
        in_channels: int = 1,
        block_out_channels: list[int] = (32, 64, 128, 256),
        hidden_features: int = 128,
        dropout: float = 0.5,
        pixel_spacing_mm: float | None = None,
        **kwargs,
    ):
        self.conditions, self.class_names = list(conditions), dict(class_names or {})
        self.sample_size, self.in_channels, self.pixel_spacing_mm = sample_size, in_channels, pixel_spacing_mm
        self.block_out_channels, self.hidden_features = list(block_out_channels), hidden_features
        self.dropout = dropout
        labels = class_labels(self.conditions, self.class_names)
        kwargs |= {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}
        super().__init__(**(kwargs | {"problem_type": "multi_label_classification"}))


class SkinLesNet(PreTrainedModel):
    """Convolutions of 3×3, each with ReLU and a halving of the map, then two linear layers.

    It may answer several questions at once, such as pathology and slice level: the last layer has scores for all.

    Args:
        config ([`SkinLesNetConfig`]): What it is built of.

    Raises:
        ValueError: If `sample_size` cannot be halved often enough.
    """

    family = "classifier"
    config_class = SkinLesNetConfig
    main_input_name = "pixel_values"

    def __init__(self, config: SkinLesNetConfig):
        super().__init__(config)
        conditions, class_names, in_channels = config.conditions, config.class_names, config.in_channels
        block_out_channels, hidden_features = config.block_out_channels, config.hidden_features
        sample_size, dropout = config.sample_size, config.dropout
        factor = 2 ** len(block_out_channels)
        if sample_size % factor:
            raise ValueError(f"sample_size: expected a multiple of {factor}, got {sample_size}")
        layers = []
        for before, after in zip((in_channels, *block_out_channels), block_out_channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        flat = block_out_channels[-1] * (sample_size // factor) ** 2
        self.hidden = nn.Sequential(nn.Dropout(dropout), nn.Linear(flat, hidden_features), nn.ReLU())
        num_classes = sum(len(class_names[name]) for name in conditions)
        self.scores = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden_features, num_classes))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """The layers' own initial weights stay."""

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the last layer judges by: `(batch_size, hidden_features)`."""
        return self.hidden(self.convolutions(images))

    def forward(self, pixel_values: torch.Tensor, return_dict: bool = True) -> ClassifierOutput | tuple:
        """Scores the classes.

        Args:
            pixel_values (`torch.Tensor` of shape `(batch_size, in_channels, sample_size, sample_size)`): In [-1, 1].
            return_dict (`bool`): Whether to return a `ClassifierOutput` or a tuple.
        """
        sizes = [len(self.config.class_names[name]) for name in self.config.conditions]
        scores = self.scores(self.features(pixel_values)).split(sizes, dim=1)
        output = ClassifierOutput(
            logits=torch.cat([log_odds(own) for own in scores], dim=1),
            by_condition=dict(zip(self.config.conditions, scores, strict=True)),
        )
        return output if return_dict else output.to_tuple()
