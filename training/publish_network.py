"""Makes a trained segmenter or classifier a published folder: half precision, source, recipe, log and card.

    python training/publish_network.py outputs/runs/segmenter-acdc-64

`cardiac-zoo evaluate` then adds the figures.
"""

import argparse
from pathlib import Path

import torch

from common.errors import told_in_one_line
from common.origin import copy_origin
from zoo.cards.network_card import render_network_card
from zoo.files import atomic_folder
from zoo.published.metrics_file import load_metrics, save
from zoo.published.networks import load_judge
from zoo.published.saving import save_network


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of the run")
    parser.add_argument("--output_dir", type=Path, default=Path("model_cards"))
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16", help="of the stored weights")
    options = parser.parse_args(arguments)

    source = options.run / "pipeline"
    network = load_judge(source).network
    metrics = load_metrics(source)
    metrics["training"]["parameters"] = network.num_parameters()
    target = options.output_dir / metrics["model"]["name"]
    with atomic_folder(target) as folder:
        save_network(network, folder, getattr(torch, options.dtype))
        save(folder / "metrics.json", metrics)
        copy_origin(options.run, folder)
    render_network_card(target)
    print(target)


if __name__ == "__main__":
    with told_in_one_line():
        main()
