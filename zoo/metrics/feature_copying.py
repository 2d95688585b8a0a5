"""Does it copy patients, as a network sees it? The copy check in features, and MIFID."""

from functools import cached_property
from pathlib import Path

import torch

from zoo.metrics.extractors import FeatureExtractor, extract
from zoo.metrics.functional import frechet_distance
from zoo.metrics.functional.mifid import memorisation_distance, penalty
from zoo.metrics.image_set import ImageSet
from zoo.metrics.intervals import share_figure, two_sample_figure
from zoo.metrics.nearest import distance_ratio


class FeatureCopies:
    """The training images in the features of one extractor, and what is near to them.

    Left-right mirror images of the training images count as training images. Small shifts are not tried one by one,
    since features change little under them; how well shifted copies are caught shows in the calibrated threshold.

    Args:
        extractor (`FeatureExtractor`): What makes the features.
        train (`ImageSet`): The training images.
        cache_dir (path, *optional*): Where features are kept.
        progress (`bool`): Whether to show progress bars.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        train: ImageSet,
        cache_dir: str | Path | None = None,
        progress: bool = False,
    ):
        self.name = extractor.name
        self.extractor, self.train = extractor, train
        self.cache_dir, self.progress = cache_dir, progress

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Features of 8-bit images, `(n, dimensions)` in float64."""
        return extract(self.extractor, images, cache_dir=self.cache_dir, progress=self.progress).double()

    @cached_property
    def training(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of the training images and of their mirror images."""
        return self.features(self.train.images), self.features(self.train.images.flip(-1))

    def ratio(self, images: ImageSet) -> torch.Tensor:
        """The distance of each image to the nearest training image, relative to those of other patients; `(n,)`."""
        ours = self.features(images.images)
        distances = torch.minimum(*(torch.cdist(ours, training) for training in self.training))
        return distance_ratio(distances, distances.argmin(1), self.train.ids)

    def row(self, images: ImageSet, limit: float) -> dict:
        """The share of images whose ratio is at most `limit`."""
        return {f"share_copies_{self.name}": share_figure(self.ratio(images) <= limit, images.ids)}

    def mifid_threshold(self, unseen: ImageSet) -> float:
        """Half the mean cosine distance that real images of unseen patients have to the nearest training image.

        The customary 0.1 belongs to Inception v3; how far apart features lie differs from network to network.
        """
        return memorisation_distance(self.features(unseen.images), self.training[0]).mean().item() / 2

    def mifid(self, samples: ImageSet, reference: ImageSet, limit: float) -> dict:
        """The memorisation-informed Fréchet distance of 1,000 samples from all images of a split."""
        ours, theirs = self.features(samples.images), self.features(reference.images)
        near = memorisation_distance(ours, self.training[0])

        def statistic(of_samples: torch.Tensor, of_real: torch.Tensor) -> float:
            return frechet_distance(ours[of_samples], theirs[of_real]) / penalty(near[of_samples], limit)

        places = torch.arange(len(ours)), torch.arange(len(theirs))
        return {f"mifid_{self.name}": two_sample_figure(statistic, *places, samples.ids, reference.ids)}
