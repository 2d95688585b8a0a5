"""SSIM as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import ssim
from zoo.metrics.modules import image_info, tensor


class ZooSSIM(evaluate.Metric):
    """Structural similarity of image pairs, averaged over the pairs; 1 for equal images."""

    def _info(self) -> evaluate.MetricInfo:
        return image_info(ssim, citation="Wang et al., 2004, IEEE Transactions on Image Processing 13:600")

    def _compute(self, predictions, references) -> dict[str, float]:
        return {"ssim": ssim(tensor(predictions), tensor(references)).mean().item()}
