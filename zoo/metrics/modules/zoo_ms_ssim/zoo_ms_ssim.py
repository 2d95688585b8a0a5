"""MS-SSIM as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import ms_ssim
from zoo.metrics.modules import image_info, tensor


class ZooMSSSIM(evaluate.Metric):
    """Multi-scale structural similarity of image pairs for images of 28 pixels and more, averaged over the pairs."""

    def _info(self) -> evaluate.MetricInfo:
        return image_info(ms_ssim, citation="Wang et al., 2003, Asilomar Conference on Signals, Systems and Computers")

    def _compute(self, predictions, references) -> dict[str, float]:
        return {"ms_ssim": ms_ssim(tensor(predictions), tensor(references)).mean().item()}
