"""Makes a run's best model a published folder: half precision, the chosen sampler, sample grid, recipe, log and card.

    python training/publish.py outputs/runs/ddpm-acdc-64 --num_inference_steps 25

`cardiac-zoo evaluate` then adds the figures. `compare_sampling.py` helps to choose the sampler's settings.
"""

import argparse
from pathlib import Path
from typing import get_args

import torch
import yaml

import zoo
from common.errors import told_in_one_line
from common.origin import copy_origin
from common.recipe import AlgorithmType
from common.schedulers import set_scheduler
from zoo.cards.model_card import CODES_FILE, OUTLINES_FILE, REMARK_FILE, SAMPLES_FILE, render_card
from zoo.errors import ZooError
from zoo.files import atomic_folder, write_atomic
from zoo.pipelines import ScorePipeline, StyleTransferPipeline
from zoo.published.metrics_file import load_metrics, save
from zoo.samples import code_grid, outline_grid, sample_grid
from zoo.style import hand_in

# Keys of recipes that can be chosen once a model is trained, and what its pipeline calls them
DEFAULTS = {
    "sampler": "sampler",
    "flow_above": "flow_above",
    "num_inference_steps": "default_steps",
    "guidance_scale": "default_guidance",
    "temperature": "default_temperature",
    "last_ratio": "last_ratio",
    "last_steps": "last_steps",
    "edit_alpha_bar": "edit_alpha_bar",
}


def record(file: Path, chosen: dict) -> None:
    """Writes what was chosen after the training into the recipe, where there is one."""
    if file.is_file():
        write_atomic(file, yaml.safe_dump({**yaml.safe_load(file.read_text()), **chosen}, sort_keys=False))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of the run")
    parser.add_argument("--output_dir", type=Path, default=Path("model_cards"))
    parser.add_argument("--name", help="of the published folder, the run's by default")
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16", help="of the stored weights")
    parser.add_argument("--scheduler", help="a scheduler class of diffusers, the default sampler from now on")
    parser.add_argument("--algorithm_type", choices=get_args(AlgorithmType), help="of the default sampler")
    parser.add_argument("--sampler", choices=ScorePipeline.samplers, help="default sampler of a score model")
    parser.add_argument("--flow_above", type=float, help="σ above which its predictor follows the probability flow")
    parser.add_argument("--num_inference_steps", type=int, help="default sampling steps")
    parser.add_argument("--guidance_scale", type=float, help="default guidance")
    parser.add_argument("--temperature", type=float, help="default temperature of a one-pass generator's latents")
    parser.add_argument("--last_ratio", type=float, help="share of the timesteps of the last steps of a heart")
    parser.add_argument("--last_steps", type=int, help="how many these are")
    parser.add_argument("--edit_alpha_bar", type=float, help="share of the signal that an edit of a heart keeps")
    parser.add_argument("--remark", help="first line of its card, such as what it is not for")
    options = parser.parse_args(arguments)

    source = options.run / "pipeline"
    pipe = zoo.from_pretrained(source)
    if getattr(pipe, "holds_style_images", False):
        raise ZooError(f"{source}: holds real images as its style; a model of style 'mean' can be published")
    chosen = {key: getattr(options, key) for key in DEFAULTS if getattr(options, key) is not None}
    for key, value in chosen.items():
        if DEFAULTS[key] not in pipe.config:
            raise ZooError(f"{source}: a {type(pipe).__name__} has no {DEFAULTS[key]}")
        pipe.register_to_config(**{DEFAULTS[key]: value})
    if options.scheduler or options.algorithm_type:
        set_scheduler(pipe, options.scheduler, options.algorithm_type)
    if options.algorithm_type:
        chosen["algorithm_type"] = options.algorithm_type

    metrics = load_metrics(source)
    metrics["model"]["name"] = options.name or metrics["model"]["name"]
    target = options.output_dir / metrics["model"]["name"]
    with atomic_folder(target) as folder:
        pipe.save_pretrained(folder, torch_dtype=getattr(torch, options.dtype))
        save(folder / "metrics.json", metrics)
        copy_origin(options.run, folder)
        record(folder / "recipe.yaml", chosen)
        if options.remark:
            (folder / REMARK_FILE).write_text(options.remark + "\n")
        stored = zoo.from_pretrained(folder)  # pictures are by the weights as they are stored
        if isinstance(stored, StyleTransferPipeline):
            hand_in(stored)
        sample_grid(stored).save(folder / SAMPLES_FILE)
        if hasattr(stored, "num_labels"):
            outline_grid(stored).save(folder / OUTLINES_FILE)
        if stored.config.get("categories"):
            code_grid(stored).save(folder / CODES_FILE)
    render_card(target)
    print(target)


if __name__ == "__main__":
    with told_in_one_line():
        main()
