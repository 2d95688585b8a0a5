"""MSE as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import mse
from zoo.metrics.modules import image_info, tensor


class ZooMSE(evaluate.Metric):
    """Mean squared error of image pairs."""

    def _info(self) -> evaluate.MetricInfo:
        return image_info(mse, citation="Mean squared error")

    def _compute(self, predictions, references) -> dict[str, float]:
        return {"mse": mse(tensor(predictions), tensor(references)).mean().item()}
