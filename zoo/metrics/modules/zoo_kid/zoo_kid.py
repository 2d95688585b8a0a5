"""KID as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import kid
from zoo.metrics.modules import feature_info, tensor


class ZooKID(evaluate.Metric):
    """Kernel distance between two sets of features, unbiased. Lower is better."""

    def _info(self) -> evaluate.MetricInfo:
        return feature_info(kid, citation="Binkowski et al., 2018, arXiv 1801.01401")

    def _compute(self, predictions, references) -> dict[str, float]:
        return {"kid": kid(tensor(predictions), tensor(references))}
