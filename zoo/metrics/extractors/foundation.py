"""Features of networks that were trained on very many pictures: DINOv2 and CLIP, by way of transformers.

DINOv2 is what Stein et al. (2023, arXiv 2306.04675) found nearest to what people see; CLIP is CMMD's own network
(Jayasumana et al., 2024, arXiv 2401.09603). Their weights come from the Hub, or from a folder of one's own.
"""

from pathlib import Path

import torch
from torch.nn import functional as F

from zoo.errors import ZooError
from zoo.files import sha256
from zoo.metrics.extractors.base import FeatureExtractor

WEIGHTS_FILE = "model.safetensors"


class FoundationExtractor(FeatureExtractor):
    """An image encoder of transformers, at its own image size.

    Args:
        weights (`str`, *optional*): A folder that `save_pretrained` wrote, or a Hub id; `default` otherwise.

    Raises:
        ZooError: If transformers or the weights cannot be had, or the network is of another kind.
    """

    default: str
    model_type: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __init__(self, weights: str | None = None):
        place = str(weights or self.default)
        try:
            from transformers import AutoModel
            from transformers.utils import cached_file
        except ImportError as error:
            raise ZooError(f"extractor {self.name}: needs transformers, run `pip install transformers`") from error
        try:
            network = AutoModel.from_pretrained(place, use_safetensors=True)
            file = Path(cached_file(place, WEIGHTS_FILE))
        except (OSError, ValueError) as error:
            raise ZooError(
                f"extractor {self.name}: no network in {place}; expected a folder of transformers with {WEIGHTS_FILE}, "
                "named by --weights, or a Hub id that can be reached"
            ) from error
        if network.config.model_type != self.model_type:
            found = network.config.model_type
            raise ZooError(f"extractor {self.name}: expected a {self.model_type} in {place}, got a {found}")
        self.network, self.sha256 = network.eval().requires_grad_(False), sha256(file)
        self.size = self._config.image_size
        self.preprocessing = (
            f"antialiased bicubic to {self.size}x{self.size}, grey repeated to 3 channels, mean {self.mean}, "
            f"standard deviation {self.std}"
        )
        with torch.inference_mode():
            self.dimensions = self(torch.zeros(1, 3, self.size, self.size)).shape[1]

    @property
    def _config(self):
        """The configuration of the part that sees images."""
        return self.network.config

    def _prepared(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.float().expand(-1, 3, -1, -1)
        pixels = F.interpolate(pixels, (self.size, self.size), mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (pixels.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (pixels - mean) / std


class DINOv2Extractor(FoundationExtractor):
    """The class token of DINOv2 (Oquab et al., 2023, arXiv 2304.07193), after the last normalisation."""

    name, model_type, default = "dinov2", "dinov2", "facebook/dinov2-base"
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(pixel_values=self._prepared(images)).pooler_output.float()


class CLIPExtractor(FoundationExtractor):
    """CLIP's embeddings of images (Radford et al., 2021, arXiv 2103.00020), which CMMD brings to length 1."""

    name, model_type, default = "clip", "clip", "openai/clip-vit-large-patch14-336"
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

    @property
    def _config(self):
        return self.network.config.vision_config

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        vision = self.network.vision_model(pixel_values=self._prepared(images))
        return self.network.visual_projection(vision.pooler_output).float()
