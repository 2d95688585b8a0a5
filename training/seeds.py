"""Trains the recipes of published models again with other seeds, and says how far their figures spread.

    python training/seeds.py vae-acdc-64 gan-acdc-64 --seeds 1 2 --update training/EXPERIMENTS.md

Seed 0 is the published model itself; the first stages of a recipe are trained again as well. Each is judged on the test
patients with 1,000 samples of seed 0, as the published one. What is finished is not done again, and a training that was
stopped goes on. `--update` writes the table between the markers of a page.
"""

import argparse
from pathlib import Path

import numpy as np

from common.errors import told_in_one_line
from common.shell import ONE_PROCESS, Shell, resume_or_clear
from common.yaml_file import read_yaml
from zoo.cards.tables import update_section
from zoo.errors import ZooError
from zoo.families import FAMILIES
from zoo.published.metrics_file import load_metrics

RECIPES, CARDS = Path("training/recipes"), Path("model_cards")
STAGES = ("init_from", "expert_of", "autoencoder")  # keys of a recipe that name a model it starts from
GROUPS = "distribution,diversity,anatomy"
COLUMNS = {
    "FD": ("distribution", "fd_efficientnet_lite0", "{:.0f}"),
    "KID": ("distribution", "kid_efficientnet_lite0", "{:.3f}"),
    "MS-SSIM of pairs": ("diversity", "ms_ssim", "{:.3f}"),
    "Closed rings": ("anatomy", "ring_closed", "{:.1%}"),
}


class Seeds(Shell):
    """The trainings and evaluations of some seeds. The working directory is the project's root.

    Args:
        dataset (`Path`): Written by `cardiac-zoo data`.
        cards (`Path`): Folder of the published models.
        recipes (`Path`): Folder of the recipes, `NAME.yaml`.
        output (`Path`): Folder of the runs.
        groups (`str`): Of the protocol, separated by commas.
        samples (`int`): Fréchet distances take exactly 1,000.
    """

    def __init__(self, dataset: Path, cards: Path, recipes: Path, output: Path, groups: str, samples: int):
        super().__init__()
        self.dataset, self.cards, self.recipes, self.output = dataset, cards, recipes, output
        self.groups, self.samples = groups, samples

    def figures(self, name: str, seed: int) -> dict:
        """The metrics of a model trained with a seed: trains and judges it first, unless that is done.

        Raises:
            ZooError: If no model of this name is published, or its family has no training script.
        """
        published = load_metrics(self.cards / name)
        family = FAMILIES.get(published.get("model", {}).get("family"))
        if family is None:
            raise ZooError(f"{self.cards / name}: expected a published model of a family that is trained")
        if seed == 0:
            return published
        pipeline = self.train(name, seed, family.script)
        if not all(group in load_metrics(pipeline) for group in self.groups.split(",")):
            self.say(f"Judging {name}, seed {seed}")
            options = ["--dataset", self.dataset, "--samples", self.samples, "--groups", self.groups]
            self.command("cardiac-zoo", "evaluate", pipeline, *options, "--cache", self.output.parent / "cache")
        return load_metrics(pipeline)

    def train(self, name: str, seed: int, script: str) -> Path:
        """The model that a recipe makes with a seed, its first stages included; trained unless it is there.

        Raises:
            ZooError: If there is no such recipe, or its training leaves no model.
        """
        file = self.recipes / f"{name}.yaml"
        if not file.is_file():
            raise ZooError(f"{file}: not found; expected the recipe of {name}")
        recipe = read_yaml(file)
        run = self.output / f"{name}-seed{seed}"
        options = ["--dataset", self.dataset, "--output_dir", self.output, "--name", run.name, "--seed", seed]
        for key in STAGES:
            stage = Path(recipe.get(key) or "")
            if stage.name == "pipeline":  # of a run; what is published stays as it is
                earlier = "training/train_autoencoder.py" if key == "autoencoder" else script
                options += [f"--{key}", self.train(stage.parent.name, seed, earlier)]
        if not (run / "finished").is_file():
            self.say(f"Training {name}, seed {seed}")
            resume = resume_or_clear(run)
            self.command("accelerate", "launch", *ONE_PROCESS, script, "--config", file, *options, *resume)
            if not (run / "pipeline").is_dir():
                raise ZooError(f"{run}: the training ended without a model")
            (run / "finished").touch()
        return run / "pipeline"


def spread(values: list[float], form: str) -> str:
    """Mean ± standard deviation of the values over the seeds, which are a sample of all seeds."""
    if len(values) < 2:
        return form.format(values[0]) if values else "–"
    return f"{form.format(np.mean(values))} ± {form.format(np.std(values, ddof=1))}"


def table(found: dict[str, dict[int, dict]]) -> str:
    """Rows of Markdown.

    Args:
        found (`dict`): The metrics of each seed of each model.
    """
    lines = [f"| Model | Seeds | {' | '.join(COLUMNS)} |", f"|---|---|{'---|' * len(COLUMNS)}"]
    for name, by_seed in found.items():
        cells = [f"`{name}`", ", ".join(map(str, by_seed))]
        for group, key, form in COLUMNS.values():
            figures = [metrics.get(group, {}).get(key) for metrics in by_seed.values()]
            cells.append(spread([figure["value"] for figure in figures if figure], form).replace("%", " %"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="names of published models")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2], help="beside the published one's, 0")
    parser.add_argument("--dataset", type=Path, default=Path("outputs/data/acdc-64"))
    parser.add_argument("--model_cards", type=Path, default=CARDS)
    parser.add_argument("--recipes", type=Path, default=RECIPES)
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/runs"))
    parser.add_argument("--groups", default=GROUPS)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument(
        "--update", type=Path, help="a page with the markers <!-- seeds:begin --> and <!-- seeds:end -->"
    )
    options = parser.parse_args(arguments)
    paths = options.dataset, options.model_cards, options.recipes, options.output_dir
    seeds = Seeds(*paths, options.groups, options.samples)
    found = {name: {seed: seeds.figures(name, seed) for seed in sorted({0, *options.seeds})} for name in options.models}
    text = table(found)
    if options.update:
        update_section(options.update, text, "seeds")
    print(text)


if __name__ == "__main__":
    with told_in_one_line():
        main()
