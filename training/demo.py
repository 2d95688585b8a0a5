"""What `make demo` runs: two small models trained and judged on a drawn phantom, and the published models beside them.

It types the commands that a user would type, says so as it goes, and writes `outputs/demo/report.md`.
"""

import argparse
import os
import shutil
from pathlib import Path

import zoo
import zoo.hub.datasets
from common.errors import told_in_one_line
from common.shell import ONE_PROCESS, Shell
from zoo.cards.tables import results_table
from zoo.files import write_atomic
from zoo.hardware import describe_hardware
from zoo.published.metrics_file import load_metrics
from zoo.published.places import list_models
from zoo.samples import sample_grid

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = Path("outputs/demo")
SCRIPTS = {"dcgan-phantom-64": "train_gan.py", "ddpm-phantom-64": "train_diffusion.py"}
# Of a drawn phantom; whether patients are copied is a question for models of patients, and would take two minutes
PHANTOM_GROUPS = "cost,diversity,distribution,projection"
SAMPLES = 4  # of each class, in the report; the folders of published models have more


class Demo(Shell):
    """One run of the demo. The working directory is the project's root.

    Args:
        output (`Path`): Folder to write.
        dataset (`Path`, *optional*): A folder written by `cardiac-zoo data`, to measure the published models on.
        overrides (`list[str]`): Recipe keys of both trainings, as on their command line.

    Raises:
        ZooError: If `dataset` is no such folder.
    """

    def __init__(self, output: Path = OUTPUT, dataset: Path | None = None, overrides: list[str] = ()):
        super().__init__()
        self.output, self.dataset, self.overrides = output, dataset, overrides
        self.published = list_models("model_cards")
        if dataset is not None:
            zoo.hub.datasets.load(dataset)  # better refused now than after the trainings

    def run(self) -> Path:
        """Does all of it and returns the report's path."""
        phantom, runs, models = (self.output / name for name in ("phantom-64", "runs", "models"))
        for folder in (runs, models):  # of an earlier demo
            shutil.rmtree(folder, ignore_errors=True)

        self.say("A phantom: drawn hearts with masks, phases and pathologies, no download")
        self.command("cardiac-zoo", "data", "phantom", "--output", phantom, "--overwrite")
        self.say(f"Training {' and '.join(SCRIPTS)} on it, side by side, about two minutes")
        trainings = {}
        for name, script in SCRIPTS.items():
            recipe = ["--config", f"training/recipes/{name}.yaml", "--dataset", phantom, "--output_dir", runs]
            trainings[name] = "accelerate", "launch", *ONE_PROCESS, f"training/{script}", *recipe, *self.overrides
        self.side_by_side(trainings)
        trained = {runs / name / "pipeline": models / name for name in SCRIPTS}
        self.evaluate(trained, phantom, "--groups", PHANTOM_GROUPS)
        trained = list_models(models)
        sections = [self.section("Trained here", "measured here, on the phantom", trained)]

        if not self.published:
            self.say("No published models yet: model_cards/ holds none")
        elif self.dataset is None:
            sections.append(self.section("Published models", "published, not measured here", self.published))
        else:
            measured = self.output / "published"
            shutil.rmtree(measured, ignore_errors=True)
            for folder in self.published:
                self.evaluate({folder: measured / folder.name}, self.dataset)
            origin = f"measured here, on {self.dataset}"
            sections.append(self.section("Published models", origin, list_models(measured)))
        return self.report(sections)

    def evaluate(self, models: dict[Path, Path], dataset: Path, *options: str) -> None:
        """Measures copies of models' folders, so that the figures of the folders themselves stay as they are."""
        self.say(f"Judging {', '.join(copy.name for copy in models.values())} on {dataset}")
        for model, copy in models.items():  # one by one: reference rows are measured once, and no speed beside another
            shutil.copytree(model, copy)
            cache = self.output / "cache"
            self.command("cardiac-zoo", "evaluate", copy, "--dataset", dataset, "--cache", cache, *options)

    def section(self, title: str, origin: str, folders: list[Path]) -> str:
        """A part of the report: the table of some models and a picture of each, and where the figures come from."""
        parts = [f"## {title}"]
        if any("dataset" in load_metrics(folder) for folder in folders):
            self.console.print(f"\n{title} ({origin}):\n{results_table(folders, 'text')}")
            parts += [f"Figures: **{origin}**.", results_table(folders)]
        else:
            parts.append("None of them has been evaluated yet.")
        for folder in folders:
            self.say(f"Generating hearts with {folder.name}")
            pipe = zoo.from_pretrained(folder)
            pipe.set_progress_bar_config(disable=True)
            picture = f"{folder.name}.png"
            sample_grid(pipe, SAMPLES).save(self.output / picture)
            classes = next(iter(pipe.class_names.values()), [])
            rows = f"rows {', '.join(classes)}" if classes else "no classes"
            parts.append(f"**{folder.name}**, generated here: {rows}, samples 0–{SAMPLES - 1} of seed 0, uncurated.")
            parts.append(f"![{folder.name}]({picture})")
        return "\n\n".join(parts)

    def report(self, sections: list[str]) -> Path:
        """Writes the report and says where it is."""
        head = f"# Cardiac MRI Zoo: the demo\n\n{describe_hardware()}; {self.minutes:.1f} minutes."
        commands = "\n".join(["## What was run", "```bash", *self.commands, "```"])
        path = write_atomic(self.output / "report.md", "\n\n".join([head, *sections, commands]) + "\n")
        self.say(f"Done: {path}")
        return path


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, help="folder of `cardiac-zoo data` to measure the published models on")
    dataset = parser.parse_args(arguments).dataset
    os.chdir(ROOT)  # recipes and model_cards are named from there
    with told_in_one_line():
        Demo(dataset=dataset).run()


if __name__ == "__main__":
    main()
