"""What group `utility` says: one table, and one sentence on whether the samples help."""

from zoo.cards.figures_text import is_share, metric_name
from zoo.cards.tables import to_text

HEAD = ["Tested on real patients", "real images alone", "samples alone (CAS)", "both (NAS)", "change by adding samples"]
TITLE = (
    "Accuracy by slice, balanced by class; Dice with a share of the real patients. "
    "Mean ± standard deviation over seeds [95 % interval]"
)
CLASSIFIERS = ("hog_svm", "cnn")
TASKS = {"": "all classes", "_hcm": "HCM against the rest"}
FURTHER = {"accuracy": "unbalanced", "patient_vote": "by patient"}
CASES = {"shared_generator": "shared generator", "same_data": "same data"}
ARMS = ("baseline", "cas", "nas")
WHOLE = "dice_shared_generator_100"


def utility_table(group: dict) -> list[list[str]]:
    """Lines of cells under `HEAD`; what was not measured is an empty cell.

    Args:
        group (`dict`): Group `utility` of `metrics.json`.
    """
    lines = []
    for classifier in CLASSIFIERS:
        for task, name in TASKS.items():
            arms = [_parts(group.get(f"{arm}_{classifier}{task}", {})) for arm in ARMS]
            for part in {**arms[0], **arms[1], **arms[2]}:
                figures, key = [arm.get(part, {}) for arm in arms], f"nas_{classifier}"
                cells = [*(_cell(figure, key) for figure in figures), _change(figures[-1], key)]
                lines.append([f"{metric_name(classifier)}, {name}{part}", *cells])
    for key, figure in group.items():
        case, _, share = key.removeprefix("dice_").rpartition("_")
        if key.startswith("dice_") and case in CASES:
            title = f"Dice, {share} %: {CASES[case]}"
            lines.append(
                [title, _cell(figure.get("real_alone", {}), key), "", _cell(figure, key), _change(figure, key)]
            )
    return lines


def _parts(figure: dict) -> dict[str, dict]:
    """A figure and those within it, by what is said of each: further averages, and single classes by condition."""
    parts = {"": figure} if figure else {}
    for name, inner in figure.items():
        if name in FURTHER:
            parts[f": {FURTHER[name]}"] = inner
        elif isinstance(inner, dict) and "value" not in inner:
            parts |= {f": {item}": entry for item, entry in inner.items()}
    return parts


def verdict(group: dict) -> str | None:
    """Whether the samples help, in one sentence; `None` if neither of its two figures was measured.

    They are named beforehand, so that nothing can be picked among many: what the samples add to the CNN's accuracy on
    all classes, and to the Dice of a segmenter that has all real patients. A change counts if its 95 % interval
    excludes zero.
    """
    parts, changes = [], []
    if "gain" in group.get("nas_cnn", {}) and "baseline_cnn" in group:
        parts.append(_sentence("the balanced accuracy of a CNN", "nas_cnn", group["baseline_cnn"], group["nas_cnn"]))
        changes.append(group["nas_cnn"]["gain"])
    if "gain" in group.get(WHOLE, {}):
        parts.append(_sentence("the Dice of a segmenter", WHOLE, group[WHOLE]["real_alone"], group[WHOLE]))
        changes.append(group[WHOLE]["gain"])
    if not changes:
        return None
    better, worse = any(gain["low"] > 0 for gain in changes), any(gain["high"] < 0 for gain in changes)
    nothing = f"no difference that {changes[0]['n']} patients can show"
    if not better and not worse:
        return f"{nothing[0].upper()}{nothing[1:]}: {'; '.join(parts)}."
    said = [
        part if gain["low"] > 0 or gain["high"] < 0 else f"{part}, {nothing}"
        for part, gain in zip(parts, changes, strict=True)
    ]
    word = "Helps and harms" if better and worse else "Helps" if better else "Does not help"
    return f"{word}: {'; '.join(said)}."


def _sentence(what: str, key: str, before: dict, after: dict) -> str:
    values = [_number(figure["value"], key) + (" %" if is_share(key) else "") for figure in (before, after)]
    return f"with the samples {what} is {values[1]} instead of {values[0]} ({_change(after, key)})"


def _number(value: float, key: str, sign: str = "") -> str:
    return f"{100 * value:{sign}.1f}" if is_share(key) else f"{value:{sign}.3f}"


def _cell(figure: dict, key: str) -> str:
    """A figure as mean ± standard deviation over seeds, with its bounds."""
    if not figure:
        return ""
    spread = f" ± {_number(figure['std'], key)}" if "std" in figure else ""
    bounds = f" [{_number(figure['low'], key)}, {_number(figure['high'], key)}]" if "low" in figure else ""
    return f"{_number(figure['value'], key)}{spread}{' %' if is_share(key) else ''}{bounds}"


def _change(figure: dict, key: str) -> str:
    """The difference to what real images alone reach."""
    if "gain" not in figure:
        return ""
    value, low, high = (_number(figure["gain"][part], key, "+") for part in ("value", "low", "high"))
    return f"{value}{' points' if is_share(key) else ''} [{low}, {high}]"


def utility_text(group: dict) -> str:
    """The table and the sentence for a terminal."""
    from rich.table import Table

    table = Table(HEAD[0], title=TITLE, title_justify="left")
    for heading in HEAD[1:]:
        table.add_column(heading, justify="right")
    for line in utility_table(group):
        table.add_row(*line)
    return to_text(table) + (f"{sentence}\n" if (sentence := verdict(group)) else "")
