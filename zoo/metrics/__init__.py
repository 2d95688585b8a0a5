"""How good is a generator? The zoo's evaluation protocol and the metrics it is made of.

`evaluate` measures a pipeline on a dataset and returns the groups of `metrics.json`. `ssim`, `ms_ssim`, `cc`, `mse` and
`psnr` compare images `(n, channels, height, width)` in [0, 1] pair by pair; `frechet_distance` (also of the streaming
`FeatureStatistics`) and `kid` compare sets of features, which a `FeatureExtractor` makes and `extract` keeps on disk.
`nearest_training` finds the training image that each sample is nearest to.
"""

from zoo.metrics.copying import nearest_training
from zoo.metrics.evaluate import evaluate
from zoo.metrics.extractors import EfficientNetLite0Extractor, FeatureExtractor, extract
from zoo.metrics.functional import FeatureStatistics, cc, frechet_distance, kid, ms_ssim, mse, psnr, ssim

__all__ = [
    "EfficientNetLite0Extractor",
    "FeatureExtractor",
    "FeatureStatistics",
    "cc",
    "evaluate",
    "extract",
    "frechet_distance",
    "kid",
    "ms_ssim",
    "mse",
    "nearest_training",
    "psnr",
    "ssim",
]
