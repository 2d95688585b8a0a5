"""Names of diseases: those that mean a class of ACDC get its name, others stay as they are."""

import re

from zoo.datasets.schema import PATHOLOGIES
from zoo.errors import ZooError

ALIASES = {
    "NOR": ("nor", "normal", "healthy", "control", "controls", "n", "hc", "healthycontrol", "healthyvolunteer"),
    "MINF": ("minf", "mi", "infarct", "infarction", "myocardialinfarction"),
    "DCM": ("dcm", "dilatedcardiomyopathy"),
    "HCM": ("hcm", "hypertrophiccardiomyopathy"),
    "RV": ("rv", "arv", "abnormalrightventricle", "abnormalrv"),
}
_BY_ALIAS = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
_OTHERS = {
    "sick", "disease", "diseased", "pathological", "abnormal", "hhd", "lvnc", "ihd", "ahs", "dlv", "drv", "arr", "fall",
    "cia", "tri", "hf", "hyp", "amyloidosis", "myocarditis", "benign", "malignant",
}  # fmt: skip


def is_class(word: str) -> bool:
    """Whether a folder of that name is a class, whatever lies in it; single letters are too short for that."""
    return len(word) > 1 and (class_of(word) is not None or word.lower() in _OTHERS)


def class_of(word: str) -> str | None:
    """ACDC's name of a disease, such as `"HCM"` of `"hypertrophic cardiomyopathy"`; `None` for others."""
    return _BY_ALIAS.get(re.sub(r"[^a-z]", "", word.lower())) if not re.search(r"\d", word) else None


def class_names(words) -> tuple[list[str], dict[str, str]]:
    """The names of classes, ACDC's first and in its order, and the one of each word.

    If all are ACDC's, all five of them are named, so that a class has the number that it has in ACDC.
    """
    name_of = one_spelling(words)
    name_of = {word: class_of(word) or name for word, name in name_of.items()}
    if not name_of:
        return [], {}
    found = set(name_of.values())
    others = sorted(found - set(PATHOLOGIES))
    return [name for name in PATHOLOGIES if name in found or not others] + others, name_of


def one_spelling(words) -> dict[str, str]:
    """The name of each word: that of the first, in their order, that differs from it by case alone."""
    first = {}
    return {word: first.setdefault(word.casefold(), word) for word in sorted(words)}


def respelled(words) -> list[str]:
    """What is to be said of classes that are taken for others."""
    return [f"{word} is taken for {name}" for word, name in one_spelling(words).items() if word != name]


def chosen(wanted: list[str] | None, known: list[str], source, what: str = "classes") -> list[str]:
    """The names that are asked for, in the order of the known ones; all of them where `wanted` is `None`.

    Raises:
        ZooError: If one is unknown.
    """
    if wanted is not None:
        by_case = {name.casefold(): name for name in known}
        wanted = [name if name in known else by_case.get(name.casefold(), name) for name in wanted]
    if unknown := sorted(set(wanted or []) - set(known)):
        raise ZooError(f"{what}: {source} has no {unknown[0]!r}; expected some of {', '.join(known) or 'none'}")
    return [name for name in known if wanted is None or name in wanted]
