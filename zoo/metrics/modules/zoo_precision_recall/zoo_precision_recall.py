"""Precision and recall as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import precision_recall
from zoo.metrics.modules import feature_info, tensor


class ZooPrecisionRecall(evaluate.Metric):
    """Improved precision and recall of a set of features. Higher is better."""

    def _info(self) -> evaluate.MetricInfo:
        return feature_info(precision_recall, citation="Kynkaanniemi et al., 2019, arXiv 1904.06991")

    def _compute(self, predictions, references, k: int = 3) -> dict[str, float]:
        precision, recall = precision_recall(tensor(predictions), tensor(references), k)
        return {"precision": precision, "recall": recall}
