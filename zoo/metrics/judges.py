"""The segmenter and the classifier, trained on real `train` images, that judge samples of a dataset."""

from pathlib import Path

from zoo.datasets import BuiltDataset
from zoo.errors import ZooError
from zoo.published.networks import Judge, load_judge

HEARTS = "ACDC"
# By the name of the dataset that they were trained on
PUBLISHED = {
    HEARTS: {"segmenter": "model_cards/segmenter-acdc-64", "classifier": "model_cards/classifier-acdc-64"},
    "ISIC": {"segmenter": "model_cards/segmenter-isic-64", "classifier": "model_cards/classifier-isic-64"},
}


def find_judge(
    family: str, data: BuiltDataset, folder: str | Path | None = None, required: bool = False
) -> Judge | None:
    """The judge for a dataset: the one that is named, or the published one.

    Args:
        family (`str`): `"segmenter"` or `"classifier"`.
        data (`BuiltDataset`): What it is to judge.
        folder (path, *optional*): Of another one than the published.
        required (`bool`): Whether there must be one: that of hearts, where none was trained on the dataset. It need not
            be by default.

    Returns:
        `Judge`, or `None` where none was asked for and none is at hand or fits.

    Raises:
        ZooError: If the one that was asked for is absent, damaged or does not fit.
    """
    required = required or folder is not None
    name = data.info["name"]
    folder = Path(folder or PUBLISHED.get(name, PUBLISHED[HEARTS])[family])
    if not required and (name not in PUBLISHED or not folder.is_dir()):
        return None
    judge = load_judge(folder, family)
    reason = judge.misfit(data)
    if reason and required:
        raise ZooError(f"dataset {data.info['preset']}: {judge.name} {reason}")
    return None if reason else judge
