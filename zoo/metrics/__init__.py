"""How good is a generator? The zoo's evaluation protocol and the metrics it is made of.

`evaluate` measures a pipeline on a dataset and returns the groups of `metrics.json`. `ssim`, `ms_ssim`, `cc`, `mse` and
`psnr` compare images `(n, channels, height, width)` in [0, 1] pair by pair; `frechet_distance` (also of the streaming
`FeatureStatistics`), `kid`, `cmmd`, `mifid`, `precision_recall` and `density_coverage` compare sets of features, which
a `FeatureExtractor` makes and `extract` keeps on disk; `inception_score` takes the class probabilities of any
classifier.
`nearest_training` finds the training image that each sample is nearest to. `dataset_share` keeps a share of a dataset's
patients, on which a generator is trained whose use for them is then measured.
"""

from zoo.metrics.evaluate import evaluate
from zoo.metrics.extractors import EfficientNetLite0Extractor, FeatureExtractor, InceptionV3Extractor, extract
from zoo.metrics.functional import (
    FeatureStatistics,
    cc,
    cmmd,
    density_coverage,
    frechet_distance,
    inception_score,
    kid,
    mifid,
    ms_ssim,
    mse,
    precision_recall,
    psnr,
    ssim,
)
from zoo.metrics.nearest import nearest_training
from zoo.metrics.utility.segmentation import dataset_share

__all__ = [
    "EfficientNetLite0Extractor",
    "FeatureExtractor",
    "FeatureStatistics",
    "InceptionV3Extractor",
    "cc",
    "cmmd",
    "dataset_share",
    "density_coverage",
    "evaluate",
    "extract",
    "frechet_distance",
    "inception_score",
    "kid",
    "mifid",
    "ms_ssim",
    "mse",
    "nearest_training",
    "precision_recall",
    "psnr",
    "ssim",
]
