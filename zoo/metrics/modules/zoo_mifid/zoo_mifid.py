"""MIFID as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import mifid
from zoo.metrics.modules import feature_info, tensor


class ZooMIFID(evaluate.Metric):
    """Fréchet distance of features, divided by the distance to the training images where that is small."""

    def __init__(self, *args, training, threshold: float = 0.1, **more):
        super().__init__(*args, **more)
        self.training, self.threshold = training, threshold

    def _info(self) -> evaluate.MetricInfo:
        return feature_info(mifid, citation="Bai et al., 2021, arXiv 2106.03062")

    def _compute(self, predictions, references) -> dict[str, float]:
        training = tensor(self.training).double()
        return {"mifid": mifid(tensor(predictions), tensor(references), training, self.threshold)}
