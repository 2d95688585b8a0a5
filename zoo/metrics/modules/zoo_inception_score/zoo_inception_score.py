"""Inception Score as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import inception_score
from zoo.metrics.modules import probability_info, tensor


class ZooInceptionScore(evaluate.Metric):
    """Inception Score on the class probabilities of any classifier. Higher is better."""

    def _info(self) -> evaluate.MetricInfo:
        return probability_info(inception_score, citation="Salimans et al., 2016, arXiv 1606.03498")

    def _compute(self, predictions) -> dict[str, float]:
        return {"inception_score": inception_score(tensor(predictions))}
