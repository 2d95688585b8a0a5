"""The segmenter and the classifier, trained on real `train` images, that judge samples of a dataset."""

from pathlib import Path

from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.published.networks import Judge, describe_judge, load_judge, misfit
from zoo.published.places import looked_in, networks

HEARTS = "ACDC"  # the dataset of the judges that are taken for hearts of others, if they are asked for


def find_judge(
    family: str, data: BuiltDataset, source: str | Path | None = None, required: bool = False
) -> Judge | None:
    """The judge for a dataset: the one that is named, or the first published one that was trained on it and fits.

    Published judges are called by their family, such as `segmenter-acdc-64`. Weights are loaded of the chosen alone.

    Args:
        family (`str`): `"segmenter"` or `"classifier"`.
        data (`BuiltDataset`): What it is to judge.
        source (path, *optional*): Folder, Hub id or published name of another one.
        required (`bool`): Whether there must be one: that of hearts, where none was trained on the dataset. It need not
            be by default.

    Returns:
        `Judge`, or `None` where none was asked for and none is at hand or fits.

    Raises:
        ZooError: If the one that was asked for is absent or does not fit, or one is damaged.
    """
    preset = data.info["preset"]
    if source is not None:
        judge = load_judge(source, family)
        if reason := judge.misfit(data):
            raise ZooError(f"dataset {preset}: {judge.name} {reason}")
        return judge
    known = {name: (place, *describe_judge(place, family)) for name, place in networks(f"{family}-").items()}
    reasons = []
    for dataset in dict.fromkeys([data.info["name"], *([HEARTS] if required else [])]):
        for name, (place, config, trained_on) in known.items():
            if trained_on != dataset:
                continue
            reason = misfit(config, data)
            if reason is None:
                return load_judge(place, family)
            reasons.append(f"{name} {reason}")
    if required:
        raise ZooError(f"dataset {preset}: {'; '.join(reasons) or none_of(family, data)}")
    return None


def none_of(family: str, data: BuiltDataset) -> str:
    """Why `find_judge` has found none, in words."""
    return f"no published {family} of {data.info['name']} fits {data.info['preset']} ({looked_in()})"
