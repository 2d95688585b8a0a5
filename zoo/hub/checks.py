"""What must be true of a model's folder before it is published. A model is a generator or a single network."""

import json
import re
import shutil
import tempfile
from pathlib import Path

from zoo.cards import model_card, network_card
from zoo.cards.licence import LICENSE_FILE
from zoo.errors import ZooError
from zoo.files import sha256, write_atomic
from zoo.hub.upload import files_of
from zoo.published import layout
from zoo.published.metrics_file import METRICS_FILE, load_metrics

# Figures of the validation split choose a model, and are not published
PRIVATE_FILES = {"metrics-validation.json"}
PICKLES = {".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth"}
REQUIRED_FIELDS = ("library_name", "pipeline_tag", "license", "datasets", "metrics", "model_name", "eval_results")
# Where the names in the YAML are others than those of `ModelCardData`
HERE = re.compile(r'from_pretrained\("([^"]+)"')  # where a card's code loads the model from
YAML_NAMES = {"model_name": "model-index", "eval_results": "model-index"}


def published_files(folder: Path) -> dict[str, Path]:
    """What of a model's folder is published, by path in the repo.

    Raises:
        ZooError: If a required file is missing, or one is a pickle.
    """
    files = files_of(folder, ignored=lambda inside: inside.name in PRIVATE_FILES)
    required = {METRICS_FILE: "evaluate", model_card.CARD_FILE: "card", LICENSE_FILE: "card"}
    if not layout.is_network(folder):
        layout.read_index(folder)
        required[model_card.SAMPLES_FILE] = "card"
    for name, command in required.items():
        if name not in files:
            raise ZooError(f"{folder / name}: not found; `cardiac-zoo {command} {folder}` makes it")
    if pickles := [name for name in files if Path(name).suffix in PICKLES]:
        raise ZooError(f"{folder / pickles[0]}: a pickle, expected weights as safetensors")
    return files


def check_model(folder: Path) -> dict[str, Path]:
    """Checks files, weights and card of a model's folder, and that it loads.

    Returns:
        What is to be published, by path in the repo.

    Raises:
        ZooError: If a file is missing, the weights are not those that were measured, the card lacks a field or is not
            what `metrics.json` says, its code is not that of this version, or the model does not load.
    """
    from zoo.pipelines.auto import code_files, from_pretrained
    from zoo.published.networks import load_judge

    files = published_files(folder)
    check_weights(folder, files)
    (load_judge if layout.is_network(folder) else from_pretrained)(folder)
    for name, text in code_files(folder).items():
        if name not in files or files[name].read_text() != text:
            raise ZooError(f"{folder / name}: not what this version writes; `cardiac-zoo code {folder}` does")
    check_card(folder)
    check_private(folder)
    return files


def check_private(folder: Path) -> None:
    """Refuses a style transfer that holds real images as its style: they may be patients'.

    Raises:
        ZooError: If a component of the model does.
    """
    for config in folder.glob(f"*/{layout.CONFIG_FILE}"):
        if json.loads(config.read_text()).get("_class_name") == "StyleImages":
            raise ZooError(f"{config.parent}: holds real images; a style transfer of style 'mean' can be published")


def check_weights(folder: Path, files: dict[str, Path]) -> None:
    """Compares the weights with the hashes that `metrics.json` has of the measured ones.

    Raises:
        ZooError: If one is another, was not measured, or is missing.
    """
    measured = load_metrics(folder).get("model", {}).get("sha256", {})
    weights = {name for name in files if name.endswith(".safetensors")}
    if not weights:
        raise ZooError(f"{folder}: no weights, expected *.safetensors")
    for name in sorted(weights | measured.keys()):
        if name not in measured or name not in weights or measured[name] != sha256(folder / name):
            where = f"{folder / METRICS_FILE}: model: sha256"
            raise ZooError(f"{where}: not that of {name}; `cardiac-zoo evaluate` measures these weights")


def check_card(folder: Path) -> None:
    """Checks that the card is that of `metrics.json`, and that its metadata has what the Hub shows.

    Raises:
        ZooError: If it is not, or a field is missing.
    """
    from huggingface_hub import ModelCard
    from yaml import YAMLError

    path = folder / model_card.CARD_FILE
    try:
        data = ModelCard.load(path).data
    except (ValueError, YAMLError) as error:
        raise ZooError(f"{path}: metadata: expected valid YAML ({' '.join(str(error).split())})") from error
    for field in REQUIRED_FIELDS:
        if not getattr(data, field, None):
            raise ZooError(f"{path}: {YAML_NAMES.get(field, field)}: not found in the metadata")
    library = "transformers" if layout.is_network(folder) else "diffusers"
    if data.library_name != library:
        raise ZooError(f"{path}: library_name: expected {library}, got {data.library_name}")
    with tempfile.TemporaryDirectory() as work_dir:
        copy = shutil.copytree(folder, Path(work_dir) / folder.resolve().name)
        (network_card.render_network_card if layout.is_network(copy) else model_card.render_card)(copy)
        if here := HERE.search(path.read_text(encoding="utf-8")):  # of a pulled folder the repo id
            text = network_card.network_card_text if layout.is_network(copy) else model_card.card_text
            write_atomic(copy / model_card.CARD_FILE, text(copy, here[1]))
        for name in (model_card.CARD_FILE, LICENSE_FILE):
            if (folder / name).read_bytes() != (copy / name).read_bytes():
                message = f"not what {METRICS_FILE} says; `cardiac-zoo card {folder}` renders it"
                raise ZooError(f"{folder / name}: {message}")
