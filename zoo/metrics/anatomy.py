"""Is it a heart? A segmenter labels samples and real images alike, and the labels are measured in millimetres."""

from dataclasses import dataclass

import torch
from scipy.stats import wasserstein_distance

from zoo.metrics.context import Context, Group
from zoo.metrics.functional import measure_anatomy, volume_dice
from zoo.metrics.image_set import ImageSet, masks_of
from zoo.metrics.intervals import mean_figure, share_figure
from zoo.metrics.judges import none_of
from zoo.metrics.judging import dice_figures
from zoo.published.networks import Judge

SHARES = ("ring_closed", "empty")
LEVEL = "slice_level"
SECONDS_PER_HEART = 0.015  # on one core at 64x64
STRUCTURES = ["background", "RV", "myocardium", "LV"]  # by the labels that `measure_anatomy` takes


@dataclass(frozen=True)
class Hearts:
    """What was measured on a set of images.

    Args:
        measures (`dict[str, torch.Tensor of shape (n,)]`): As from `measure_anatomy`.
        ids (`list[str]` of length `n`): The patient of each image, or the image itself.
        classes (`dict[str, tuple[list[str], torch.Tensor]]`): By condition, the names of its classes and the index of
            each image's; an index beyond the names says that the class is not known.
    """

    measures: dict[str, torch.Tensor]
    ids: list[str]
    classes: dict[str, tuple[list[str], torch.Tensor]]

    def of_class(self, condition: str, name: str) -> torch.Tensor:
        """Which images are of a class: `(n,)` bool."""
        names, index = self.classes[condition]
        return index == names.index(name)


def knows_hearts(segmenter: Judge) -> bool:
    """Whether a segmenter labels the structures of a heart, on pixels of known size."""
    config = segmenter.network.config
    return list(config.class_names) == STRUCTURES and config.pixel_spacing_mm is not None


def measure_hearts(
    images: ImageSet,
    segmenter: Judge,
    classifier: Judge | None = None,
    pathology: tuple[list[str], torch.Tensor] | None = None,
) -> Hearts:
    """Labels images by a segmenter and measures the labels.

    Args:
        images (`ImageSet`): The images.
        segmenter (`Judge`): What labels them.
        classifier (`Judge`, *optional*): What judges the slice level, alike for samples and real images.
        pathology (`(list[str], torch.Tensor of shape (n,))`, *optional*): Names of the classes and an index for each
            image, as in `Hearts`.
    """
    measures = measure_anatomy(segmenter.masks(images.images), segmenter.network.config.pixel_spacing_mm)
    classes = {} if pathology is None else {"pathology": pathology}
    if classifier is not None and LEVEL in classifier.network.config.class_names:
        judged = classifier.probabilities(images.images)[LEVEL].argmax(1)
        classes[LEVEL] = (list(classifier.network.config.class_names[LEVEL]), judged)
    return Hearts(measures, images.ids, classes)


def patient_pathology(rows: list, ids: list[str]) -> tuple[list[str], torch.Tensor] | None:
    """The pathology of each image's patient, beyond the names for an id that is no patient.

    Args:
        rows (list of `datasets.Dataset`): Splits of one dataset.
        ids (`list[str]` of length `n`): The patient of each image.

    Returns:
        The names of the classes and an index of each image, or `None` where the dataset does not know of them.
    """
    if not {"pathology", "patient_id"} <= set(rows[0].column_names):
        return None
    names = list(rows[0].features["pathology"].names)
    class_of = {}
    for split in rows:
        class_of |= dict(zip(split["patient_id"][:], split["pathology"][:], strict=True))
    return names, torch.tensor([class_of.get(item, len(names)) for item in ids])


def anatomy_row(hearts: Hearts, real: Hearts | None = None, by_class: bool = False) -> dict:
    """The figures of a set of images; what fewer than two patients (or samples) show is left out.

    Args:
        hearts (`Hearts`): What is described.
        real (`Hearts`, *optional*): The real images to compare with: each figure gets `wasserstein_to_real`, the first
            Wasserstein distance between the two sets' values, in the unit of the figure (of shares their difference).
        by_class (`bool`): Whether each figure also holds those of single classes, by condition. They are compared with
            real images of the same class.

    Returns:
        `dict`: A figure by the name of its measure.
    """
    row, everything = {}, torch.ones(len(hearts.ids), dtype=torch.bool)
    for name in hearts.measures:
        figure = _figure(name, hearts, everything, real)
        if figure is None:
            continue
        for condition, (classes, _) in hearts.classes.items() if by_class else ():
            found = {
                item: _figure(name, hearts, hearts.of_class(condition, item), real, (condition, item))
                for item in classes
            }
            figure[condition] = {item: entry for item, entry in found.items() if entry is not None}
        row[name] = figure
    return row


def _figure(
    name: str, hearts: Hearts, which: torch.Tensor, real: Hearts | None, same_class: tuple[str, str] | None = None
) -> dict | None:
    """Mean or share of one measure over some of the images, or `None` where too few show it."""
    values = hearts.measures[name]
    known = which & ~values.isnan()
    values, ids = values[known], [item for item, kept in zip(hearts.ids, known.tolist(), strict=True) if kept]
    if len(set(ids)) < 2:
        return None
    figure = share_figure(values, ids) if name in SHARES else mean_figure(values, ids)
    if real is not None:
        theirs = real.measures[name]
        if same_class is not None:
            theirs = theirs[real.of_class(*same_class)]
        theirs = theirs[~theirs.isnan()]
        if len(theirs):
            figure["wasserstein_to_real"] = float(wasserstein_distance(values, theirs))
    return figure


def agreement_figure(images: ImageSet, masks: torch.Tensor, segmenter: Judge) -> dict | None:
    """How far masks are those that a segmenter finds in their images: Dice an image, the mean over its structures.

    A structure counts if either mask holds it, an image if it has a structure.

    Args:
        images (`ImageSet`): The images.
        masks (`torch.Tensor` of shape `(n, height, width)`): Their masks, uint8.
        segmenter (`Judge`): What labels the images.

    Returns:
        The figure, or `None` if fewer than two patients (or samples) have a structure.
    """
    labels = range(1, len(segmenter.network.config.class_names))
    _, scores = volume_dice(segmenter.masks(images.images), masks, range(len(masks)), labels)
    scores = scores.nanmean(1)
    there = ~scores.isnan()
    ids = [item for item, kept in zip(images.ids, there.tolist(), strict=True) if kept]
    return mean_figure(scores[there], ids) if len(set(ids)) > 1 else None


def add_train_to_test(row: dict, train: dict) -> dict:
    """Puts beside each `wasserstein_to_real` the distance that real training images have, `wasserstein_train_to_test`.

    Args:
        row (`dict`): Figures, those of single classes within them.
        train (`dict`): The figures of training images, of the same form.
    """
    for name, entry in row.items():
        if isinstance(entry, dict) and name in train:
            if "wasserstein_to_real" in train[name]:
                entry["wasserstein_train_to_test"] = train[name]["wasserstein_to_real"]
            add_train_to_test(entry, train[name])
    return row


def anatomy_group(row: dict, real: dict) -> dict:
    """The figures of the samples, each followed by that of the real images of the split under `<name>_real`."""
    group = {}
    for name in real:
        if name in row:
            group[name] = row[name]
        group[f"{name}_real"] = real[name]
    return group


def measure(run: Context) -> tuple[dict, dict]:
    """Group `anatomy`: samples, real images and the reference rows as the segmenter sees them."""
    seconds = (len(run.samples) + len(run.reference)) * SECONDS_PER_HEART
    run.announce("anatomy", f"{len(run.samples):,} samples labelled by {run.segmenter}", seconds)
    judges = [judge.sha256 if judge else None for judge in (run.segmenter, run.classifier)]
    found = run.references("anatomy", lambda: _references(run), judges)
    row = anatomy_row(sample_hearts(run), real_hearts(run), by_class=True)
    group = anatomy_group(add_train_to_test(row, found["train"]), found["split"])
    return {"segmenter": str(run.segmenter), **found["dice"], **_mask_agreement(run), **group}, found["rows"]


def sample_hearts(run: Context) -> Hearts:
    """The samples as the segmenter sees them; their pathology is the one that was asked for."""

    def compute() -> Hearts:
        return measure_hearts(run.samples, run.segmenter, run.classifier, run.asked.get("pathology"))

    return run.once("sample hearts", compute)


def real_hearts(run: Context) -> Hearts:
    """The real images of the split as the segmenter sees them."""
    return run.once("real hearts", lambda: _hearts(run, run.reference))


def _hearts(run: Context, images: ImageSet) -> Hearts:
    splits = [run.data.dataset[name] for name in ("train", run.split)]
    return measure_hearts(images, run.segmenter, run.classifier, patient_pathology(splits, images.ids))


def _references(run: Context) -> dict:
    """The rows, the figures of training and real images by class, and how good the segmenter is."""
    rows, train, real = {}, {}, real_hearts(run)
    for name, images in run.rows():
        hearts = _hearts(run, images)
        rows[name] = anatomy_row(hearts, real)
        if name == "real":
            train = anatomy_row(hearts, real, by_class=True)
    rows = {name: add_train_to_test(row, rows["real"]) for name, row in rows.items()}
    dataset = run.data.dataset[run.split]
    masked = {"mask", "patient_id", "frame"} <= set(dataset.column_names)
    dice = {"segmenter_dice": dice_figures(run.segmenter, run.reference, dataset)["dice"]} if masked else {}
    return {"rows": rows, "train": train, "split": anatomy_row(real, by_class=True), "dice": dice}


def _mask_agreement(run: Context) -> dict:
    """Of a model of pairs: how far its masks are those of the segmenter, beside the same of real masks."""
    if run.drawn.shape[1] == run.pipe.num_channels:
        return {}
    sets = {"mask_agreement_dice": (run.samples, run.drawn[:, -1])}
    rows = run.data.dataset[run.split]
    if "mask" in rows.column_names:
        sets["mask_agreement_dice_real"] = (run.reference, masks_of(rows))
    found = {name: agreement_figure(*pairs, run.segmenter) for name, pairs in sets.items()}
    return {name: figure for name, figure in found.items() if figure is not None}


def why_not(run: Context) -> str | None:
    if run.segmenter is None:
        return none_of("segmenter", run.data)
    return None if knows_hearts(run.segmenter) else f"{run.segmenter.name} knows no hearts"


GROUP = Group("anatomy", measure, why_not)
