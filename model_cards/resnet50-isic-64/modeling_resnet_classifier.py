"""A ResNet-50 (He et al., 2016, arXiv 1512.03385) with a head of six linear layers, for transfer learning."""

from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


class ResNet50Classifier(ModelMixin, ConfigMixin):
    """The ResNet of transformers, and linear layers of 1024, 512, 256, 128 and 64 features before the classes.

    It may answer several questions at once, such as pathology and slice level: the last layer has scores for all.

    Parameters:
        conditions (`list[str]`): What is asked, for instance `["pathology", "slice_level"]`.
        class_names (`dict[str, list[str]]`): Names of the classes of each condition, in the order of their indices.
        in_channels (`int`, defaults to 1): Channels of the images; grey is repeated to the three of the network.
        embedding_size (`int`, defaults to 64): Channels of the first convolution.
        hidden_sizes (`list[int]`): Channels of each stage.
        depths (`list[int]`): Residual blocks of each stage.
        head_features (`list[int]`): Widths of the linear layers before the classes.
        pixel_spacing_mm (`float`, *optional*): Side of a pixel of the training images in millimetres.

    Raises:
        ValueError: If `in_channels` is neither 1 nor 3.
    """

    family = "classifier"

    @register_to_config
    def __init__(
        self,
        conditions: list[str],
        class_names: dict[str, list[str]],
        in_channels: int = 1,
        embedding_size: int = 64,
        hidden_sizes: list[int] = (256, 512, 1024, 2048),
        depths: list[int] = (3, 4, 6, 3),
        head_features: list[int] = (1024, 512, 256, 128, 64),
        pixel_spacing_mm: float | None = None,
    ):
        super().__init__()
        from transformers import ResNetConfig, ResNetModel  # of diffusers' users not all have transformers

        if in_channels not in (1, 3):
            raise ValueError(f"in_channels: expected 1 or 3, got {in_channels}")
        stages = {"embedding_size": embedding_size, "hidden_sizes": list(hidden_sizes), "depths": list(depths)}
        self.backbone = ResNetModel(ResNetConfig(**stages))
        layers = []
        for before, after in pairwise((hidden_sizes[-1], *head_features)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.head = nn.Sequential(*layers)
        self.scores = nn.Linear(head_features[-1], sum(len(class_names[name]) for name in conditions))

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

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores the classes.

        Args:
            images (`torch.Tensor` of shape `(batch_size, in_channels, height, width)`): In [-1, 1].

        Returns:
            `dict[str, torch.Tensor]`: By condition, logits of shape `(batch_size, num_classes)`.
        """
        sizes = [len(self.config.class_names[name]) for name in self.config.conditions]
        return dict(zip(self.config.conditions, self.scores(self.features(images)).split(sizes, dim=1), strict=True))
