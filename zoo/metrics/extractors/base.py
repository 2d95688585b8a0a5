"""What turns images into features, and the features of a set of images, computed once."""

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.progress import track

# Of the Inception v3 of 2015-12-05 in its conversion from TensorFlow, which torch-fidelity and pytorch-fid publish
FID_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class FeatureExtractor(ABC):
    """Turns images into feature vectors. A distance computed with it carries its name.

    Attributes:
        name (`str`): The name in the keys of `metrics.json`, such as `efficientnet_lite0`.
        preprocessing (`str`): Resize, channels and normalisation, in words.
        dimensions (`int`): Length of a feature vector.
        sha256 (`str`): Hash of the weights.
        knows_patients (`bool`): Whether the network was trained on the patients of the dataset. Its features then set
            them apart from any others, real ones included: copies cannot be told from look-alikes by them.
    """

    knows_patients = False
    name: str
    preprocessing: str
    dimensions: int
    sha256: str

    @abstractmethod
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Maps `(n, channels, height, width)` in [0, 1] to float32 features `(n, dimensions)`."""

    def probabilities(self, features: torch.Tensor) -> torch.Tensor | None:
        """Class probabilities `(n, classes)` that belong to features; `None` where the network does not classify."""
        return None

    @property
    def frechet_name(self) -> str:
        """What a Fréchet distance of these features may be called: FID only with the weights that define it."""
        return f"fid_{self.name}" if self.sha256 == FID_SHA256 else f"fd_{self.name}"

    def describe(self) -> dict:
        """The entry of this extractor in `metrics.json`."""
        return {"preprocessing": self.preprocessing, "dimensions": self.dimensions, "sha256": self.sha256}


@torch.inference_mode()
def extract(
    extractor: FeatureExtractor,
    images: torch.Tensor,
    *,
    batch_size: int = 4,
    cache_dir: str | Path | None = None,
    progress: bool = False,
) -> torch.Tensor:
    """The features of a set of 8-bit images, read from the cache where these images were seen before.

    Args:
        extractor (`FeatureExtractor`): What makes the features.
        images (`torch.Tensor` of shape `(n, channels, height, width)`): uint8.
        batch_size (`int`): Images a forward pass. On a CPU few are quicker than many: they fit into its cache.
        cache_dir (path, *optional*): Where features are kept, in a safetensors file named by the hash of the images
            and of the extractor. Without it nothing is kept.
        progress (`bool`): Whether to show a progress bar.

    Returns:
        `torch.Tensor` of shape `(n, dimensions)`, float32.

    Raises:
        ZooError: If a feature is NaN or infinite.
    """
    path = None
    if cache_dir is not None:
        digest = hashlib.sha256(f"{extractor.describe()} {tuple(images.shape)}".encode())
        digest.update(images.contiguous().numpy().tobytes())
        path = Path(cache_dir) / f"features-{extractor.name}-{digest.hexdigest()[:32]}.safetensors"
        if path.exists():
            return load_file(path)["features"]
    distinct, place = torch.unique(images.flatten(1), dim=0, return_inverse=True)  # a repeated image is seen once
    batches = distinct.reshape(-1, *images.shape[1:]).split(batch_size)
    batches = track(batches, f"  {extractor.name}, {len(distinct):,} images", disable=not progress)
    features = torch.cat([extractor(batch.float() / 255) for batch in batches]).float()[place]
    if not torch.isfinite(features).all():
        raise ZooError(f"extractor {extractor.name}: NaN or infinite features")
    if path is not None:
        write_atomic(path, save({"features": features.contiguous()}))
    return features
