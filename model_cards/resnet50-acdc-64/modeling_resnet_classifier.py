"""A ResNet-50 (He et al., 2016, arXiv 1512.03385) with a head of six linear layers, for transfer learning."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, ResNetConfig, ResNetModel
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


class ResNet50ClassifierConfig(PreTrainedConfig):
    """What a [`ResNet50Classifier`] is built of.

    Parameters:
        conditions (`list[str]`): What is asked, for instance `["pathology", "slice_level"]`.
        class_names (`dict[str, list[str]]`): Names of the classes of each condition, in the order of their indices.
        in_channels (`int`, defaults to 1): Channels of the images; grey is repeated to the three of the network.
        embedding_size (`int`, defaults to 64): Channels of the first convolution.
        hidden_sizes (`list[int]`): Channels of each stage.
        depths (`list[int]`): Residual blocks of each stage.
        head_features (`list[int]`): Widths of the linear layers before the classes.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel of the training images in millimetres.
    """

    model_type = "resnet50-classifier"

    def __init__(
        self,
        conditions: list[str] = (),
        class_names: dict[str, list[str]] | None = None,
        in_channels: int = 1,
        embedding_size: int = 64,
        hidden_sizes: list[int] = (256, 512, 1024, 2048),
        depths: list[int] = (3, 4, 6, 3),
        head_features: list[int] = (1024, 512, 256, 128, 64),
        pixel_spacing_mm: float | None = None,
        **kwargs,
    ):
        self.conditions, self.class_names = list(conditions), dict(class_names or {})
        self.in_channels, self.pixel_spacing_mm, self.embedding_size = in_channels, pixel_spacing_mm, embedding_size
        self.hidden_sizes, self.depths, self.head_features = list(hidden_sizes), list(depths), list(head_features)
        labels = class_labels(self.conditions, self.class_names)
        kwargs |= {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}
        super().__init__(**(kwargs | {"problem_type": "multi_label_classification"}))


class ResNet50Classifier(PreTrainedModel):
    """The ResNet of transformers, and linear layers of 1024, 512, 256, 128 and 64 features before the classes.

    It may answer several questions at once, such as pathology and slice level: the last layer has scores for all.

    Args:
        config ([`ResNet50ClassifierConfig`]): What it is built of.

    Raises:
        ValueError: If `in_channels` is neither 1 nor 3.
    """

    family = "classifier"
    config_class = ResNet50ClassifierConfig
    main_input_name = "pixel_values"

    def __init__(self, config: ResNet50ClassifierConfig):
        super().__init__(config)
        if config.in_channels not in (1, 3):
            raise ValueError(f"in_channels: expected 1 or 3, got {config.in_channels}")
        hidden_sizes, head_features = config.hidden_sizes, config.head_features
        stages = {"embedding_size": config.embedding_size, "hidden_sizes": hidden_sizes, "depths": config.depths}
        self.backbone = ResNetModel(ResNetConfig(**stages))
        layers = []
        for before, after in pairwise((hidden_sizes[-1], *head_features)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.head = nn.Sequential(*layers)
        self.scores = nn.Linear(head_features[-1], len(config.id2label))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """The layers' own initial weights stay."""

    def load_backbone(self, folder: str) -> None:
        """Takes the weights of a ResNet that transformers can load, such as one trained on ImageNet, and fixes them.

        Training then moves the linear layers alone.

        Args:
            folder (`str`): A folder with `model.safetensors`, or a repo id on the Hub.
        """
        trained = type(self.backbone).from_pretrained(folder, use_safetensors=True)
        self.backbone.load_state_dict(trained.state_dict())
        self.backbone.requires_grad_(False)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """All but the last layer: `(batch_size, head_features[-1])`."""
        return self.head(self.backbone(images.expand(-1, 3, -1, -1)).pooler_output.flatten(1))

    def forward(self, pixel_values: torch.Tensor, return_dict: bool = True) -> ClassifierOutput | tuple:
        """Scores the classes.

        Args:
            pixel_values (`torch.Tensor` of shape `(batch_size, in_channels, height, width)`): In [-1, 1].
            return_dict (`bool`): Whether to return a `ClassifierOutput` or a tuple.
        """
        sizes = [len(self.config.class_names[name]) for name in self.config.conditions]
        scores = self.scores(self.features(pixel_values)).split(sizes, dim=1)
        output = ClassifierOutput(
            logits=torch.cat([log_odds(own) for own in scores], dim=1),
            by_condition=dict(zip(self.config.conditions, scores, strict=True)),
        )
        return output if return_dict else output.to_tuple()
