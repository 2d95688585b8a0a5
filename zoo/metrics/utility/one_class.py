"""CAS and NAS of several generators that each make one class, as study C trains them, taken together."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from zoo.datasets import BuiltDataset, check_compatible
from zoo.errors import ZooError
from zoo.files import sha256
from zoo.metrics.cache import Cache
from zoo.metrics.image_set import from_floats, from_split, of_samples
from zoo.metrics.utility import classification
from zoo.metrics.utility.classes import class_indices, classification_group, shared_classes
from zoo.metrics.utility.group import SEEDS
from zoo.pipelines import sample_generators
from zoo.progress import track
from zoo.published.metrics_file import SCHEMA_VERSION

BATCH_SIZE = 50  # samples at a time


def utility_of_classes(
    models: dict[str, tuple],
    data: BuiltDataset,
    split: str = "test",
    *,
    num_samples: int = 1000,
    seed: int = 0,
    seeds: int = SEEDS,
    classifiers: dict[str, Callable] | None = None,
    descriptions: dict[str, str] | None = None,
    cache_dir: str | Path | None = None,
    progress: bool = True,
) -> dict:
    """What classifiers gain from samples of generators of one class each, when they are tested on real images.

    Args:
        models (`dict[str, (pipeline, folder)]`): A generator for each class, by the class's name, and where its weights
            lie (`None` where it is not known, so that its samples are not kept). The first class is the one that
            precision, recall and F1 are told of where there are two.
        data (`BuiltDataset`): With these classes in a column `label` or `pathology`.
        split (`str`): What classifiers are tested on.
        num_samples (`int`): Of all classes together, as many of each.
        seed (`int`): Of the samples and of the first training.
        seeds (`int`): Trainings of each classifier, at least 3.
        classifiers, descriptions (`dict`, *optional*): As in `classification_figures`; those of group `utility` by
            default.
        cache_dir (path, *optional*): Where samples are kept.
        progress (`bool`): Whether to show bars on stderr.

    Returns:
        `dict`: `model`, `dataset`, `samples` and the group `utility` of `metrics.json`.

    Raises:
        ZooError: If there are fewer than two classes or three seeds, the dataset lacks a class, or a model does not
            fit it.
    """
    names = list(models)
    if len(names) < 2:
        raise ZooError(f"classes: expected at least two models, got {len(names)}")
    if seeds < SEEDS:
        raise ZooError(f"seeds: expected at least {SEEDS}, got {seeds}")
    for pipe, _ in models.values():
        check_compatible(data, pipe.sample_size, pipe.num_channels)
    condition = "pathology" if "pathology" in data.dataset["train"].column_names else "label"
    found = [class_indices(data.dataset[name], condition, names) for name in ("train", split)]
    known = [] if None in found else shared_classes(names, *found)
    if missing := [name for index, name in enumerate(names) if index not in known]:
        raise ZooError(f"classes: train and {split} have no images of {missing[0]!r}")

    files = {name: sorted(Path(folder).rglob("*.safetensors")) for name, (_, folder) in models.items() if folder}
    weights = {name: {file.name: sha256(file) for file in found} for name, found in files.items()}
    counts = [len(part) for part in torch.arange(num_samples).tensor_split(len(names))]
    images, settings = [], {}
    for (name, (pipe, _)), count in zip(models.items(), counts, strict=True):
        pipe.set_progress_bar_config(disable=True)
        settings[name] = dict(pipe.default_settings)
        cache = Cache(cache_dir if weights.get(name) else None)  # without hashes no model is known again
        images.append(_samples(pipe, [weights.get(name)], count, seed, cache, f"  samples of {name}", progress))
    labels = torch.repeat_interleave(torch.arange(len(names)), torch.tensor(counts))
    group = classification_group(
        data,
        split,
        from_split(data, "train"),
        of_samples(torch.cat(images)),
        from_split(data, split),
        {condition: (names, labels)},
        list(range(seed, seed + seeds)),
        device=next(iter(models.values()))[0].device,
        progress=progress,
        classifiers=classifiers,
        positive=names[0] if len(names) == 2 else None,
    )
    described = classification.DESCRIPTIONS if descriptions is None else descriptions
    return {
        "schema_version": SCHEMA_VERSION,
        "model": {
            "name": " + ".join(names),
            "family": "one model a class",
            "sha256": {f"{name}/{file}": digest for name, own in weights.items() for file, digest in own.items()},
        },
        "dataset": data.describe(split),
        "samples": {"count": num_samples, "seed": seed, "settings": settings},
        "utility": group | described | {"settings": {"seeds": seeds}},
    }


def _samples(pipe, made_by: list, count: int, seed: int, cache: Cache, title: str, progress: bool) -> torch.Tensor:
    """Samples 0 … count - 1, `(count, channels, height, width)` uint8, each batch kept."""
    parts = []

    def sample(batch: list[int]) -> torch.Tensor:
        output = pipe(batch_size=len(batch), generator=sample_generators(seed, batch), output_type="pt")
        return from_floats(output.images, "samples")

    for batch in track(torch.arange(count).split(BATCH_SIZE), title, disable=not progress):
        depends_on = [made_by, pipe.default_settings, seed, batch[0].item(), batch[-1].item()]
        parts.append(cache.tensor("samples", depends_on, partial(sample, batch.tolist())))
    return torch.cat(parts)
