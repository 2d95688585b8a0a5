"""Is it the heart that was asked for? Of models that take a mask and quantities in millimetres (PROTOCOL.md)."""

import torch

from zoo import anatomy
from zoo.metrics.anatomy import knows_hearts
from zoo.metrics.context import Context, Group
from zoo.metrics.image_set import from_floats, masks_of
from zoo.metrics.intervals import mean_figure, one_sample_figure, share_figure, within
from zoo.metrics.judges import none_of
from zoo.metrics.mask_copies import mask_copy_figures
from zoo.pipelines import sample_generators
from zoo.progress import track

PERCENTILES = (5, 25, 50, 75, 95)
LEAST_SLICES = 10  # of a class, phase and level, for their percentiles to mean something
STRUCTURES = {"RV": 1, "myocardium": 2, "LV": 3}
SECONDS_PER_EVALUATION = 0.012  # of a network, on one core at 128x128


def pooled_dice(found: torch.Tensor, truth: torch.Tensor, ids: list[str]) -> dict[str, dict]:
    """Dice over all images together, 2 Σ|A ∩ B| / Σ(|A| + |B|), of each structure and their mean as `mask_dice`.

    Args:
        found, truth (`torch.Tensor` of shape `(n, height, width)`): Labels.
        ids (`list[str]` of length `n`): The patient of each image.
    """
    counts = []
    for label in STRUCTURES.values():
        ours, theirs = found == label, truth == label
        counts += [2 * (ours & theirs).sum((1, 2)), ours.sum((1, 2)) + theirs.sum((1, 2))]
    counts = torch.stack(counts, 1).double()  # (n, two a structure)

    def scores(rows: torch.Tensor) -> torch.Tensor:
        shared, both = rows.sum(0).reshape(-1, 2).T
        return shared / both

    group = {"mask_dice": one_sample_figure(lambda rows: scores(rows).mean().item(), counts, ids)}
    for place, name in enumerate(STRUCTURES):
        group[f"mask_dice_{name}"] = one_sample_figure(lambda rows, k=place: scores(rows)[k].item(), counts, ids)
    return {name: within(entry, 0.0, 1.0) for name, entry in group.items()}


def agreement(asked: torch.Tensor, measured: torch.Tensor) -> dict[str, dict]:
    """How near what was measured comes to what was asked for, over samples that are independent of each other.

    Args:
        asked, measured (`torch.Tensor` of shape `(n,)`): In the same unit; NaN where nothing could be measured.

    Returns:
        `dict`: `mae`, the mean absolute error; `bias`; `r`, Pearson's correlation; `slope` of measured on asked; and
        `share_failed`, the share of NaN, which are in no other figure.
    """
    ids = [str(index) for index in range(len(asked))]
    there = ~measured.isnan()
    pairs, known = torch.stack([asked, measured], 1)[there].double(), [ids[i] for i in there.nonzero().flatten()]

    def slope(rows: torch.Tensor) -> float:
        x, y = (rows - rows.mean(0)).T
        return ((x * y).sum() / x.square().sum()).item()

    def correlation(rows: torch.Tensor) -> float:
        return torch.corrcoef(rows.T)[0, 1].item()

    error = pairs[:, 1] - pairs[:, 0]
    return {
        "mae": mean_figure(error.abs(), known),
        "bias": mean_figure(error, known),
        "r": within(one_sample_figure(correlation, pairs, known), -1.0, 1.0),
        "slope": one_sample_figure(slope, pairs, known),
        "share_failed": share_figure(~there, ids),
    }


def measured(masks: torch.Tensor, spacing_mm: float) -> dict[str, torch.Tensor]:
    """The quantities of masks `(n, height, width)` by name: `(n,)`, NaN where a slice does not show it."""
    found = [anatomy.quantities(mask, spacing_mm) for mask in masks.cpu().numpy()]
    return {name: torch.tensor([entry[name] for entry in found]) for name in anatomy.QUANTITIES}


def asked_values(rows, names: list[str], values: torch.Tensor) -> list[tuple[dict, float]]:
    """What is asked for of a quantity: its percentiles among the training slices of each class, phase and level.

    Args:
        rows (`datasets.Dataset`): The training rows, with masks.
        names (`list[str]`): The conditions.
        values (`torch.Tensor` of shape `(n,)`): The quantity in each row, NaN where a slice does not show it.

    Returns:
        `list`: For each, the index of its class by condition, and the value.
    """
    columns = torch.tensor([rows[name][:] for name in names]).T
    asked = []
    for classes in columns.unique(dim=0):
        own = values[(columns == classes).all(1) & ~values.isnan()]
        if len(own) < LEAST_SLICES:
            continue
        wanted = torch.quantile(own.double(), torch.tensor(PERCENTILES).double() / 100)
        asked += [(dict(zip(names, classes.tolist(), strict=True)), value) for value in wanted.tolist()]
    return asked


def _call(pipe, classes: list[dict], **more) -> dict:
    """Keywords of a call for samples of given classes."""
    first, *others = pipe.class_names
    columns = {name: [entry[name] for entry in classes] for name in pipe.class_names}
    return {"class_labels": columns[first], **{name: columns[name] for name in others}, **more}


def _painted(run: Context, name: str, classes: list[dict], **columns) -> torch.Tensor:
    """Labels of samples of given classes, with one value a sample for each further keyword.

    Those that the segmenter sees in the images, `(n, height, width)`; of a model of label maps alone, its label maps.
    """
    found = []
    starts = range(0, len(classes), run.batch_size)
    for start in track(starts, f"  {name}", disable=not run.progress):
        batch = slice(start, min(start + run.batch_size, len(classes)))
        given = {key: values[batch] for key, values in columns.items()}

        def sample(batch=batch, given=given) -> torch.Tensor:
            generators = sample_generators(run.seed, range(batch.start, batch.stop))
            call = _call(run.pipe, classes[batch], **given) | run.settings
            output = run.pipe(batch.stop - batch.start, generator=generators, output_type="pt", **call)
            return from_floats(output.images, name) if _paints(run.pipe) else output.masks

        depends_on = [run.weights, run.sampling_settings, run.seed, run.data.info["fingerprint"], run.split]
        key = [name, run.batch_size, batch.start, batch.stop]
        found.append(run.model_cache.tensor("control", [*depends_on, *key], sample))
    return run.segmenter.masks(torch.cat(found)) if _paints(run.pipe) else torch.cat(found)


def _paints(pipe) -> bool:
    """Whether a model makes images and takes masks, rather than draw label maps alone."""
    return hasattr(pipe, "edit")


def mask_figures(run: Context) -> dict:
    """Images painted on the masks of the split, labelled by the segmenter, beside the same of the real images."""
    rows = run.data.dataset[run.split]
    masks, names = masks_of(rows), list(run.pipe.class_names)
    classes = [dict(zip(names, entry, strict=True)) for entry in zip(*(rows[name][:] for name in names), strict=True)]
    ours = pooled_dice(_painted(run, "on real masks", classes, masks=masks), masks, run.reference.ids)
    real = pooled_dice(_real_labels(run), masks, run.reference.ids)
    for name, entry in ours.items():
        entry["ratio_to_real"] = entry["value"] / real[name]["value"]
    return ours | {f"{name}_real": entry for name, entry in real.items()}


def _real_labels(run: Context) -> torch.Tensor:
    """The labels of the real images of the split, as the segmenter sees them."""
    return run.once("real labels", lambda: run.segmenter.masks(run.reference.images))


def _real_quantities(run: Context) -> dict[str, dict[str, torch.Tensor]]:
    """The quantities of the training masks, of the masks of the split, and of the segmenter's there."""

    def compute() -> dict:
        spacing, splits = run.segmenter.network.config.pixel_spacing_mm, run.data.dataset
        masks = {"train": masks_of(splits["train"]), "split": masks_of(splits[run.split]), "seen": _real_labels(run)}
        return {name: measured(found, spacing) for name, found in masks.items()}

    return run.once("real quantities", compute)


def quantity_figures(run: Context, quantity: str) -> dict:
    """What was asked for of a quantity beside what the segmenter measures on the image, and its own error."""
    spacing, names = run.segmenter.network.config.pixel_spacing_mm, list(run.pipe.class_names)
    span, known = run.pipe.quantities[quantity], _real_quantities(run)
    asked = asked_values(run.data.dataset["train"], names, known["train"][quantity])
    asked = [(classes, min(max(value, span["min"]), span["max"])) for classes, value in asked]
    classes, values = [entry[0] for entry in asked], [entry[1] for entry in asked]
    found = measured(_painted(run, quantity, classes, **{quantity: values}), spacing)[quantity]
    unit = quantity.rpartition("_")[2]
    group = {_named(quantity, name, unit): entry for name, entry in agreement(torch.tensor(values), found).items()}
    truth, real = known["split"][quantity], known["seen"][quantity]
    both = ~(truth.isnan() | real.isnan())
    ids = [item for item, there in zip(run.reference.ids, both.tolist(), strict=True) if there]
    group[f"{_named(quantity, 'mae', unit)}_real"] = mean_figure((real - truth)[both].abs(), ids)
    return group


def _named(quantity: str, figure: str, unit: str) -> str:
    """`wall_thickness_mae_mm` and the like: the unit ends the name of a figure that has one."""
    stem = quantity.removesuffix(f"_{unit}")
    return f"{stem}_{figure}_{unit}" if figure in ("mae", "bias") else f"{stem}_{figure}"


def measure(run: Context) -> tuple[dict, dict]:
    """Group `control`: masks and quantities that were asked for, beside what the segmenter finds in the images."""
    count = len(run.reference) + len(run.pipe.quantities) * 30 * len(PERCENTILES)
    seconds = count * run.pipe.network_evaluations(**run.settings) * SECONDS_PER_EVALUATION
    run.announce("control", f"asked masks and quantities, labelled by {run.segmenter}", seconds)
    group = mask_figures(run) if _paints(run.pipe) else {}
    for quantity in run.pipe.quantities:
        group |= quantity_figures(run, quantity)
    return {"segmenter": str(run.segmenter), **group, **mask_copy_figures(run)}, {}


def why_not(run: Context) -> str | None:
    if not getattr(run.pipe, "quantities", None):
        return "the model takes no quantities"
    if run.segmenter is None:
        return none_of("segmenter", run.data)
    if not knows_hearts(run.segmenter):
        return f"{run.segmenter.name} knows no hearts"
    features = run.data.dataset[run.split].features
    if "mask" not in features:
        return "the dataset has no masks"
    known = {name: getattr(features.get(name), "names", None) for name in run.pipe.class_names}
    return None if known == run.pipe.class_names else "the dataset has other classes than the model"


GROUP = Group("control", measure, why_not)
