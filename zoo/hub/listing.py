"""The zoo's models on the Hub, ranked by any figure of their cards' `model-index`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.cards.columns import EXTRACTOR
from zoo.cards.figures_text import text
from zoo.cards.model_index import AIM, metric_key
from zoo.cards.tables import to_text
from zoo.errors import ZooError
from zoo.hub.client import hub_errors
from zoo.published.places import TAG

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, HfApi

DEFAULT_METRIC = f"fid_{EXTRACTOR}"
SHOWN = (DEFAULT_METRIC, f"kid_{EXTRACTOR}", "projection_ssim", "share_copies")
LOWER_IS_BETTER = ("fid_", "fd_", "kid_", "mifid_", "cmmd_", "share_copies", "projection_mse")


@dataclass
class HubModel:
    """A model on the Hub.

    Args:
        id (`str`): `owner/name`.
        private (`bool`): Whether only the owner can read it.
        results (`list[EvalResult]`): The figures of its `model-index`.
    """

    id: str
    private: bool
    results: "list[EvalResult]"

    @property
    def subject(self) -> tuple[str, str, str]:
        """Name, split and version of the dataset that it was measured on; models are compared where these agree."""
        first = self.results[0]
        return first.dataset_name, first.dataset_split or "", first.dataset_revision or ""

    @property
    def figures(self) -> dict[str, float]:
        """Numbers by metric."""
        return {metric_key(result.metric_type, result.metric_args): result.metric_value for result in self.results}

    @property
    def aims(self) -> dict[str, float]:
        """What real images score, by metric, where that is the aim."""
        return {result.metric_type: result.metric_args[AIM] for result in self.results if AIM in _args(result)}


def find_models(owner: str, api: "HfApi | None" = None) -> list[HubModel]:
    """The zoo's models of a user or organisation that the token in use may read, by id.

    Raises:
        ZooError: If the Hub cannot be asked.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.repocard_data import model_index_to_eval_results

    with hub_errors(owner):
        api = api or HfApi()
        found = list(api.list_models(author=owner, filter=TAG, expand=["model-index", "private"]))
    models = []
    for info in found:
        try:
            results = model_index_to_eval_results(info.model_index)[1] if info.model_index else []
        except (KeyError, TypeError, ValueError, IndexError):  # somebody's own card: it has no figures for us
            results = []
        models.append(HubModel(info.id, bool(info.private), results))
    return sorted(models, key=lambda model: model.id)


def hub_table(owner: str, metric: str | None = None, api: "HfApi | None" = None) -> str:
    """The models of a user or organisation as text for a terminal, the best by a metric first.

    Models are ranked only against those that were measured on the same split of the same dataset.

    Args:
        owner (`str`): User or organisation.
        metric (`str`, *optional*): A metric of the `model-index`, as `metric_key` calls it; FID (EfficientNet-Lite0)
            otherwise. Where the figure of real images is the aim, the one nearest to that comes first.
        api (`HfApi`, *optional*): The client; that of the environment otherwise.

    Raises:
        ZooError: If there are no models, or none has such a metric.
    """
    from rich.table import Table

    models = find_models(owner, api)
    if not models:
        raise ZooError(f"{owner}: no models with the tag {TAG} on the Hub that the token in use may read")
    known = sorted({name for model in models for name in model.figures})
    if metric is not None and metric not in known:
        raise ZooError(f"--sort: expected one of {', '.join(known) or '(no model has figures)'}, got {metric}")
    metric = metric or DEFAULT_METRIC
    columns = list(dict.fromkeys([metric, *SHOWN]))
    subjects = {}
    for model in models:
        subjects.setdefault(model.subject if model.results else None, []).append(model)
    parts = []
    for subject, group in sorted(subjects.items(), key=lambda item: (item[0] is None, item[0])):
        title = "not evaluated" if subject is None else f"{subject[0]}, {subject[1]}; {metric}, {_order(metric, group)}"
        table = Table(title=title, title_justify="left")
        table.add_column("")
        table.add_column("Model")
        for name in columns if subject else ():
            table.add_column(name, justify="right")
        for rank, model in enumerate(sorted(group, key=lambda model: _rank(metric, model)), 1):
            figures = model.figures
            cells = (text(figures[name], name) if name in figures else "–" for name in columns) if subject else ()
            table.add_row(str(rank) if metric in figures else "–", model.id, *cells)
        parts.append(table)
    return to_text(*parts)


def _args(result) -> dict:
    return result.metric_args or {}


def _rank(metric: str, model: HubModel) -> tuple:
    """Sorts the best first, models without the metric last."""
    figures = model.figures
    if metric not in figures:
        return (True, 0.0, model.id)
    value, aim = figures[metric], model.aims.get(metric)
    sign = 1 if metric.startswith(LOWER_IS_BETTER) else -1
    return (False, sign * value if aim is None else abs(value - aim), model.id)


def _order(metric: str, group: list[HubModel]) -> str:
    if metric.startswith(LOWER_IS_BETTER):
        return "lowest first"
    aimed = any(metric in model.aims for model in group)
    return "nearest to real images first" if aimed else "highest first"
