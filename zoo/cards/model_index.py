"""The `model-index` of a card: at most fifteen figures, all of the model itself, each with a name that no other has."""

from zoo.cards.figures_text import EXTRACTORS, metric_name, value_of
from zoo.published.metrics_file import graded_by_itself

LIMIT = 15
# Group and key of each figure, the most telling first; FID is one metric, told apart by its extractor
FIGURES = (
    ("distribution", "fid_inception_v3"),
    ("distribution", "fd_efficientnet_lite0"),
    ("distribution", "fd_dinov2"),
    ("distribution", "fd_skinlesnet_acdc"),
    ("distribution", "cmmd_clip"),
    ("distribution", "kid_efficientnet_lite0"),
    ("projection", "ssim"),
    ("projection", "cc"),
    ("projection", "mse"),
    ("diversity", "ms_ssim"),
    ("copying", "share_copies"),
    ("anatomy", "ring_closed"),
    ("control", "mask_dice"),
    ("control", "wall_thickness_mae_mm"),
    ("conditioning", "class_accuracy"),
    ("distribution", "recall_efficientnet_lite0"),
    ("distribution", "coverage_efficientnet_lite0"),
    ("copying", "membership_auc"),
    ("utility", "nas_cnn"),
    ("utility", "dice_shared_generator_100"),
)
# Names that would be taken for those of another group
NAMES = {
    ("projection", "ssim"): "SSIM of projections",
    ("projection", "cc"): "CC of projections",
    ("projection", "mse"): "MSE of projections",
    ("diversity", "ms_ssim"): "MS-SSIM of pairs of samples",
}
# Of networks that this project trained: only where the headline's network had a part in the model
STAND_INS = {"fd_skinlesnet_acdc": "fd_efficientnet_lite0"}
NAMED_BY_GROUP = ("projection", "diversity")
AIM = "aim"  # argument of a figure that is the better the nearer it is to that of real images


def index_figures(metrics: dict) -> list[dict]:
    """Type, name, arguments and value of each figure of a `metrics.json` that the index holds.

    FID has the customary type `fid` and its feature extractor as an argument.
    """
    found = []
    for group, key in FIGURES:
        figure = metrics.get(group, {}).get(key)
        if value_of(figure) is None or isinstance(figure, str | list) or graded_by_itself(metrics, key):
            continue
        if key in STAND_INS and not graded_by_itself(metrics, STAND_INS[key]):
            continue
        entry = {"type": f"{group}_{key}" if group in NAMED_BY_GROUP else key, "args": None}
        if key.startswith(("fd_", "fid_")):
            extractor = key.split("_", 1)[1]
            entry |= {"type": "fid", "args": {"feature_extractor": EXTRACTORS.get(extractor, extractor)}}
        else:
            aims = (value_of(metrics[group].get(f"{key}{end}")) for end in ("_real", "_train"))
            if (aim := next((aim for aim in aims if aim is not None), None)) is not None and group != "copying":
                entry["args"] = {AIM: aim}
        entry |= {"name": NAMES.get((group, key)) or metric_name(key), "value": value_of(figure)}
        found.append(entry)
    return found[:LIMIT]


def metric_key(metric_type: str, arguments: dict | None) -> str:
    """How a figure of the index is asked for: its type, of FID with the extractor, such as `fid_inception_v3`."""
    if metric_type != "fid" or not arguments:
        return metric_type
    return f"fid_{str(arguments.get('feature_extractor', '')).lower().replace('-', '_').replace(' ', '_')}"
