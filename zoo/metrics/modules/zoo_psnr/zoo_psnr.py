"""PSNR as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import psnr
from zoo.metrics.modules import image_info, tensor


class ZooPSNR(evaluate.Metric):
    """Peak signal-to-noise ratio of image pairs in decibel, averaged over the pairs."""

    def _info(self) -> evaluate.MetricInfo:
        return image_info(psnr, citation="Peak signal-to-noise ratio")

    def _compute(self, predictions, references) -> dict[str, float]:
        return {"psnr": psnr(tensor(predictions), tensor(references)).mean().item()}
