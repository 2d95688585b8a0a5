"""CMMD as a module of `evaluate`."""

import evaluate

from zoo.metrics.functional import cmmd
from zoo.metrics.modules import feature_info, tensor


class ZooCMMD(evaluate.Metric):
    """The kernel distance of CMMD between two sets of features. Lower is better."""

    def _info(self) -> evaluate.MetricInfo:
        return feature_info(cmmd, citation="Jayasumana et al., 2024, arXiv 2401.09603")

    def _compute(self, predictions, references) -> dict[str, float]:
        return {"cmmd": cmmd(tensor(predictions), tensor(references))}
