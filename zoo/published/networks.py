"""Loading a published network that judges single images: a segmenter, a classifier, or one that tells their view."""

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import zoo.models
from zoo.errors import ZooError
from zoo.files import sha256
from zoo.published import layout
from zoo.published.layout import CONFIG_FILE
from zoo.published.loading import DESCRIPTION, find_folder, name_of
from zoo.published.metrics_file import load_metrics
from zoo.published.places import Source

FAMILIES = ("segmenter", "classifier", "view")
WEIGHTS_FILE = "model.safetensors"
BATCH_SIZE = 50


@contextmanager
def quiet():
    """Inside, transformers shows no bar for what takes a blink, and no table of what becomes an error of one line."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


@dataclass(frozen=True)
class Judge:
    """A network of a published folder, in eval mode and float32.

    Args:
        name (`str`): The folder's name.
        network (`PreTrainedModel`): Of `zoo.models`, of one of `FAMILIES`.
        sha256 (`str`): Hash of its weights.
        trained_on (`str`, *optional*): Name of the dataset that it was trained on, where its `metrics.json` says so.
    """

    name: str
    network: Any
    sha256: str
    trained_on: str | None = None

    def __str__(self) -> str:
        return f"{self.name} (sha256 {self.sha256[:16]}…)"

    def misfit(self, data) -> str | None:
        """Why the network cannot judge images like those of a dataset, in words; `None` if it can.

        Args:
            data (`BuiltDataset`): The dataset.
        """
        return misfit(self.network.config.to_dict(), data)

    @torch.inference_mode()
    def masks(self, images: torch.Tensor) -> torch.Tensor:
        """A segmenter's labels of 8-bit images `(n, channels, height, width)`: uint8 `(n, height, width)`."""
        return torch.cat([self.network.segment(batch) for batch in _batches(images)])

    @torch.inference_mode()
    def probabilities(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """A classifier's probabilities for 8-bit images `(n, channels, height, width)`: `(n, classes)` by condition."""
        found = [self.network(batch).by_condition for batch in _batches(images)]
        return {name: torch.cat([scores[name] for scores in found]).softmax(1) for name in found[0]}

    @torch.inference_mode()
    def views(self, images: torch.Tensor) -> torch.Tensor:
        """How 8-bit images `(n, channels, height, width)` lie: log-probabilities `(n, classes)` of a `ViewNet`."""
        return torch.cat([self.network.log_probabilities(batch) for batch in _batches(images)])


def misfit(config: Mapping, data) -> str | None:
    """Why a network of this config cannot judge images like those of a dataset, in words; `None` if it can."""
    row = next(iter(data.dataset.values()))[0]
    (width, height), channels = row["image"].size, len(row["image"].getbands())
    size = config.get("sample_size", height)  # a ResNet takes any
    if (height, width, channels) != (size, size, config["in_channels"]):
        return f"expects {size}x{size} pixels and {config['in_channels']} channel(s), got {height}x{width}, {channels}"
    found, own = row.get("pixel_spacing"), config["pixel_spacing_mm"]
    if (found is None) != (own is None) or any(abs(side - own) > 1e-3 for side in found or []):
        expected = "no pixel spacing" if own is None else f"pixels of {own} mm"
        return f"expects {expected}, got {found or 'none'}"
    return None


def read_config(folder: Path, family: str | None = None) -> dict:
    """The `config.json` of a published network that judges; its weights need not be there.

    Raises:
        ZooError: If it is none of the kind, or damaged.
    """
    file = folder / CONFIG_FILE
    if not file.is_file():
        raise ZooError(f"{file}: not found, expected the folder of a published {family or 'network'}")
    config = layout.read_config(file)
    if "_class_name" in config:
        raise ZooError(f"{file}: architectures: expected those of transformers; training/convert_network.py adds them")
    name = layout.network_name(config)
    families = FAMILIES if family is None else (family,)
    if getattr(getattr(zoo.models, str(name), None), "family", None) not in families:
        raise ZooError(f"{file}: architectures: expected a {' or '.join(families)} of zoo.models, got {name!r}")
    if not isinstance(config.get("in_channels"), int):
        raise ZooError(f"{file}: in_channels: expected a number of channels, got {config.get('in_channels')!r}")
    spacing = config.setdefault("pixel_spacing_mm", None)
    if spacing is not None and (isinstance(spacing, bool) or not isinstance(spacing, int | float)):
        raise ZooError(f"{file}: pixel_spacing_mm: expected millimetres or null, got {spacing!r}")
    return config


def describe_judge(source: Source, family: str) -> tuple[dict, str | None]:
    """Config of a published judge, and the name of the dataset that it was trained on; no weights are read.

    Raises:
        ZooError: If it is none of the kind, or damaged.
    """
    folder = find_folder(source, files=DESCRIPTION)
    return read_config(folder, family), _trained_on(folder)


def load_judge(source: str | Path, family: str | None = None) -> Judge:
    """Loads a published network that judges.

    Args:
        source (path): A folder with `config.json` and the weights; a repo id on the Hub, or a published name.
        family (`str`, *optional*): One of `FAMILIES`; any is accepted without it.

    Raises:
        ZooError: If there is none of the kind, or it is damaged.
    """
    folder = find_folder(source)
    network_class = getattr(zoo.models, layout.network_name(read_config(folder, family)))
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise ZooError(f"{weights}: not found, expected the folder of a published {family or 'network'}")
    try:
        with quiet():
            network, report = network_class.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True
            )
    except Exception as error:  # of a damaged configuration a class raises what it stumbles on
        raise ZooError(f"{folder}: cannot be loaded: {(str(error).splitlines() or [error])[0]}") from error
    if wrong := sorted([*report["missing_keys"], *report["unexpected_keys"]]):
        raise ZooError(f"{weights}: {len(wrong)} missing or unexpected weights, such as {wrong[0]}")
    return Judge(name_of(folder), network.eval().requires_grad_(False), sha256(weights), _trained_on(folder))


def _trained_on(folder: Path) -> str | None:
    """Name of the dataset that the `metrics.json` of a folder tells of."""
    return load_metrics(folder).get("training", {}).get("dataset", {}).get("name")


def _batches(images: torch.Tensor):
    """8-bit images as the networks see them, float32 in [-1, 1], a batch at a time."""
    return (batch.float() / 127.5 - 1 for batch in images.split(BATCH_SIZE))
