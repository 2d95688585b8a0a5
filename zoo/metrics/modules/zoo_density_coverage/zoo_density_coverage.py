"""Density and coverage as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import density_coverage
from zoo.metrics.modules import feature_info, tensor


class ZooDensityCoverage(evaluate.Metric):
    """Density and coverage of a set of features. Higher is better."""

    def _info(self) -> evaluate.MetricInfo:
        return feature_info(density_coverage, citation="Naeem et al., 2020, arXiv 2002.09797")

    def _compute(self, predictions, references, k: int = 5) -> dict[str, float]:
        density, coverage = density_coverage(tensor(predictions), tensor(references), k)
        return {"density": density, "coverage": coverage}
