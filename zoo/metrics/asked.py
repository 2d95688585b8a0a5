"""What samples are asked for: the classes of a pipeline, and which of them a classifier can judge."""

import torch

from zoo.pipelines import sample_generators
from zoo.published.networks import Judge


def asked_classes(pipe, settings: dict, seed: int, count: int) -> dict[str, tuple[list[str], torch.Tensor]]:
    """What samples were asked for, by condition: names of the classes, and an index for each sample.

    Args:
        pipe: A pipeline of the zoo; an unconditional one was asked for nothing.
        settings (`dict`): Keywords of its call.
        seed (`int`): Of the samples, which also draws the classes that `settings` does not name.
        count (`int`): Samples.
    """
    names = getattr(pipe, "class_names", {})
    if not names:
        return {}
    conditions = {name: settings[name] for name in names if name in settings}
    generators = sample_generators(seed, range(count))
    labels = pipe.draw_labels(settings.get("class_labels"), conditions, generators).cpu()
    return {name: (list(names[name]), column) for name, column in zip(names, labels.T, strict=True)}


def shared_conditions(pipe, classifier: Judge | None) -> list[str]:
    """What a pipeline can be asked for and the classifier can judge; none where it cannot judge the first of them."""
    asked = getattr(pipe, "class_names", {})
    known = classifier.network.config.class_names if classifier is not None else {}
    shared = [name for name in asked if list(known.get(name, ())) == list(asked[name])]
    return shared if shared[:1] == list(asked)[:1] else []
