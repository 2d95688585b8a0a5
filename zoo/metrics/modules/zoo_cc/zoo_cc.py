"""CC as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import cc
from zoo.metrics.modules import image_info, tensor


class ZooCC(evaluate.Metric):
    """Pearson's correlation over the pixels of image pairs, averaged over the pairs."""

    def _info(self) -> evaluate.MetricInfo:
        return image_info(cc, citation="Pearson, 1895, Proceedings of the Royal Society of London 58:240")

    def _compute(self, predictions, references) -> dict[str, float]:
        return {"cc": cc(tensor(predictions), tensor(references)).mean().item()}
