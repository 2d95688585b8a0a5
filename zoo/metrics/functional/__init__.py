"""Metrics as pure functions of tensors; they know neither models nor datasets."""

from zoo.metrics.functional.frechet import FeatureStatistics, frechet_distance
from zoo.metrics.functional.kid import kid
from zoo.metrics.functional.pixel import cc, mse, psnr
from zoo.metrics.functional.ssim import ms_ssim, ssim

__all__ = ["FeatureStatistics", "cc", "frechet_distance", "kid", "ms_ssim", "mse", "psnr", "ssim"]
