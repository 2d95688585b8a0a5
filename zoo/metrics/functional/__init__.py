"""Metrics as pure functions of tensors; they know neither models nor datasets."""

from zoo.metrics.functional.anatomy import measure_anatomy
from zoo.metrics.functional.auc import auc
from zoo.metrics.functional.cafd import cafd
from zoo.metrics.functional.classification import binary_scores, confusion_matrix
from zoo.metrics.functional.cmmd import cmmd
from zoo.metrics.functional.dice import volume_dice
from zoo.metrics.functional.frechet import FeatureStatistics, frechet_distance
from zoo.metrics.functional.inception_score import inception_score
from zoo.metrics.functional.kid import kid
from zoo.metrics.functional.manifold import density_coverage, precision_recall
from zoo.metrics.functional.mifid import mifid
from zoo.metrics.functional.pixel import cc, mse, psnr
from zoo.metrics.functional.ssim import dssim, ms_ssim, ssim, three_ssim

__all__ = [
    "FeatureStatistics",
    "auc",
    "binary_scores",
    "cafd",
    "cc",
    "cmmd",
    "confusion_matrix",
    "density_coverage",
    "dssim",
    "frechet_distance",
    "inception_score",
    "kid",
    "measure_anatomy",
    "mifid",
    "ms_ssim",
    "mse",
    "precision_recall",
    "psnr",
    "ssim",
    "three_ssim",
    "volume_dice",
]
