"""Fréchet distance as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import frechet_distance
from zoo.metrics.modules import feature_info, tensor


class ZooFrechetDistance(evaluate.Metric):
    """Fréchet distance between two sets of features. Lower is better."""

    def _info(self) -> evaluate.MetricInfo:
        return feature_info(frechet_distance, citation="Heusel et al., 2017, arXiv 1706.08500")

    def _compute(self, predictions, references) -> dict[str, float]:
        return {"frechet_distance": frechet_distance(tensor(predictions), tensor(references))}
