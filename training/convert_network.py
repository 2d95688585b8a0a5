"""Makes published segmenters and classifiers of an earlier version, which were diffusers', transformers' own.

    python training/convert_network.py model_cards/segmenter-acdc-64 model_cards/classifier-acdc-64

The file of weights keeps its content, and so its hash, and gets the name that transformers looks for.
"""

import argparse
import json
import shutil
from pathlib import Path

import zoo.models
from common.errors import told_in_one_line
from zoo.cards.network_card import render_network_card
from zoo.errors import ZooError
from zoo.files import atomic_folder
from zoo.published import layout
from zoo.published.metrics_file import METRICS_FILE, load_metrics, save
from zoo.published.networks import WEIGHTS_FILE, load_judge
from zoo.published.saving import describe_network

EARLIER_WEIGHTS = "diffusion_pytorch_model.safetensors"


def convert(folder: Path) -> bool:
    """Converts one folder, whole or not at all.

    Returns:
        Whether there was anything to do.

    Raises:
        ZooError: If it is no network that judges, or damaged.
    """
    if not (folder / layout.CONFIG_FILE).is_file():
        raise ZooError(f"{folder / layout.CONFIG_FILE}: not found, expected the folder of a published network")
    config = json.loads((folder / layout.CONFIG_FILE).read_text())
    if "_class_name" not in config:
        return False
    name = config["_class_name"]
    if name not in zoo.models.JUDGES or not (folder / EARLIER_WEIGHTS).is_file():
        raise ZooError(f"{folder}: expected one of {', '.join(zoo.models.JUDGES)} with {EARLIER_WEIGHTS}, got {name!r}")
    network_class = getattr(zoo.models, name)
    settings = {key: value for key, value in config.items() if not key.startswith("_")}
    with atomic_folder(folder.resolve()) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        (copy / EARLIER_WEIGHTS).rename(copy / WEIGHTS_FILE)
        for source in copy.glob("*.py"):
            source.unlink()
        describe_network(network_class.config_class(**settings), network_class, copy)
        metrics = load_metrics(copy)
        hashes = metrics.get("model", {}).get("sha256", {})
        if EARLIER_WEIGHTS in hashes:
            hashes[WEIGHTS_FILE] = hashes.pop(EARLIER_WEIGHTS)
            save(copy / METRICS_FILE, metrics)
        load_judge(copy)
    return True


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="of a published network")
    for folder in parser.parse_args(arguments).folders:
        if convert(folder):
            render_network_card(folder)
            print(folder)


if __name__ == "__main__":
    with told_in_one_line():
        main()
