"""Trains every system of one of the three studies, judges them, and lays our figures beside the study's own.

    python training/study.py a --fraction 1.0 --dataset outputs/data/acdc-64

`make study-a`, `study-b` and `study-c` type this; `outputs/study_a/report.md` is what comes out. At a fraction of 1.0
each system is trained for as many epochs as in its study and judged with all groups of the protocol at 1,000 samples. A
smaller fraction is a trial of the machinery: that share of the epochs (at least one; of the iterations of a style
transfer) and of the samples (at least 50), and no Fréchet distances, which the protocol refuses at other counts. A
model that is finished is not trained again.

    python training/study.py a --published README.md

lays the figures of the published models beside the study's instead, between the markers of a page.
"""

import argparse
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

import zoo
import zoo.datasets
import zoo.hub.datasets
from common.errors import told_in_one_line
from common.shell import ONE_PROCESS, Shell, resume_or_clear
from common.study_table import Row, study_table
from common.yaml_file import read_yaml
from zoo.cards.tables import update_section
from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.hardware import describe_hardware
from zoo.pipelines import sample_generators
from zoo.published.metrics_file import load_metrics

ROOT = Path(__file__).resolve().parents[1]
STUDIES = Path(__file__).with_name("studies.yaml")
SAMPLES, LEAST_SAMPLES = 1000, 50
TRIAL_GROUPS = "cost,copying,diversity,projection"
PICTURE_ROWS = 3
# The sources of data, by what the option is called
OPTIONS = {"acdc": "dataset", "mednist": "dataset_mednist", "isic": "dataset_isic"}


@dataclass
class System:
    """One row of a study: what `studies.yaml` says of it, and what has become of it here.

    Args:
        key (`str`): The name of its recipe and of its run's folder.
        title (`str`): As the study calls it.
        script (`str`): The training script.
        made_of (`str`, *optional*): The key of the trained system that this one is configured of, without training.
        data (`str`): Where its images come from: `acdc`, `mednist` or `isic`.
        classes (`str`, *optional*): The only class that it is trained on.
        reported (`dict`): The study's figures by their names there.
        also (`str`): What else the study reports.
        dataset, folder (`Path`): What it is trained on, and its run.
        plan (`dict`): Recipe, length and fingerprint of the dataset: a run that was begun by another plan is another.
    """

    key: str
    title: str
    script: str
    data: str
    made_of: str | None = None
    classes: str | None = None
    reported: dict = field(default_factory=dict)
    also: str = ""
    dataset: Path | None = None
    folder: Path | None = None
    plan: dict = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """What the fraction is one of: the length of its training, or of each of its samplings if it has none."""
        return "num_iterations" if self.made_of else "epochs"

    @property
    def length(self) -> int:
        return self.plan[self.unit]

    @property
    def metrics(self) -> dict:
        return load_metrics(self.folder / "pipeline")


class Study(Shell):
    """One run of a study. The working directory is the project's root.

    Args:
        name (`str`): `a`, `b` or `c`.
        fraction (`float`): The share of each recipe's epochs, above 0.
        datasets (`dict[str, Path]`): For `acdc`, `mednist` and `isic` a folder written by `cardiac-zoo data`, or the
            download. Without ACDC the phantom stands in; a system without its data is left out.
        recipes (`Path`, *optional*): The folder of the recipes; the study's own by default.
        output (`Path`, *optional*): The folder to write.

    Raises:
        ZooError: If the study is unknown, the fraction is not positive or a folder is missing.
    """

    def __init__(
        self,
        name: str,
        fraction: float,
        datasets: dict[str, Path],
        recipes: Path | None = None,
        output: Path | None = None,
    ):
        super().__init__()
        about = _about(name)
        if not fraction > 0:
            raise ZooError(f"--fraction: expected a number above 0, got {fraction}")
        for kind, folder in datasets.items():
            if not folder.exists():
                raise ZooError(f"--{OPTIONS[kind]}: {folder} not found")
        self.about, self.fraction, self.datasets = about, fraction, datasets
        self.recipes = recipes or Path(f"training/recipes/study_{name}")
        self.output = output or Path(f"outputs/study_{name}")
        self.systems = [System(key, **entry) for key, entry in self.about["systems"].items()]
        self.samples = min(SAMPLES, max(LEAST_SAMPLES, round(SAMPLES * fraction)))
        self.skipped: list[str] = []

    def run(self) -> Path:
        """Does all of it and returns the report's path."""
        done = []
        for system in self.systems:
            if reason := self.prepare(system):
                self.skipped.append(f"{system.title}: {reason}")
                self.say(f"Left out: {self.skipped[-1]}")
                continue
            self.train(system)
            self.evaluate(system)
            done.append(system)
        return self.report(done)

    # Each system

    def prepare(self, system: System) -> str | None:
        """Finds recipe, dataset and folder of a system; says why it must be left out, if it must."""
        file = self.recipes / f"{system.key}.yaml"
        if not file.is_file():
            return f"no recipe {file}"
        if system.made_of and not (self.recipes / f"{system.made_of}.yaml").is_file():
            return f"no recipe of {system.made_of}, which it is made of"
        recipe = read_yaml(file)
        if system.data in self.datasets:
            source = self.datasets[system.data]
            system.dataset = self.built(source, system, preset=Path(recipe["dataset"]).name)
            if system.classes and (others := _classes(system.dataset) - {system.classes}):
                return f"{source} also holds {min(others)}; give the download, or a dataset of {system.classes} alone"
        elif system.data == "acdc":
            system.dataset = self.output / "data" / "phantom-64"
            if not system.dataset.exists():
                self.say("No ACDC was named: a drawn phantom stands in")
                self.command("cardiac-zoo", "data", "phantom", "--output", system.dataset)
        else:
            return f"needs --{OPTIONS[system.data]} (make: {OPTIONS[system.data].upper()}=…)"
        info = zoo.hub.datasets.load(system.dataset).info
        system.folder = self.output / f"{info['preset']}-{self.fraction:g}" / system.key
        length = max(1, round(recipe[system.unit] * self.fraction))
        system.plan = {"recipe": recipe, system.unit: length, "dataset": info["fingerprint"]}
        return None

    def built(self, source: Path, system: System, preset: str) -> Path:
        """The dataset itself, or what is built of a download."""
        if (source / "zoo_dataset.json").is_file():
            return source
        chosen = ["--classes", system.classes] if system.classes else ["--preset", preset]
        folder = (
            self.output / "data" / f"{system.data}-{system.classes}"
            if system.classes
            else self.output / "data" / preset
        )
        if not folder.exists():
            self.say(f"Building {folder.name}")
            self.command("cardiac-zoo", "data", system.data, "--source", source, *chosen, "--output", folder)
        return folder

    def train(self, system: System) -> None:
        """Trains a system, or goes on where it stopped; what is finished stays.

        Raises:
            ZooError: If the folder holds a run of another recipe or dataset, or the training leaves no model.
        """
        state = self.state(system)
        if state.get("plan", system.plan) != system.plan:
            message = "holds a run of another recipe or dataset; remove it or name another --output"
            raise ZooError(f"{system.folder}: {message}")
        if state.get("trained"):
            self.say(f"{system.title} is trained already: {system.folder}")
            return
        resume = resume_or_clear(system.folder)
        self.say(f"{'Making' if system.made_of else 'Training'} {system.title}, {system.unit} {system.length:,}")
        self.remember(system, {"plan": system.plan})
        chosen = ["--config", self.recipes / f"{system.key}.yaml", "--dataset", system.dataset]
        chosen += ["--output_dir", system.folder.parent, "--name", system.key, f"--{system.unit}", system.length]
        script = f"training/{system.script}"
        if system.made_of:
            source = system.folder.with_name(system.made_of) / "pipeline"
            self.command("python", script, *chosen, "--content_model", source)
        else:
            self.command("accelerate", "launch", *ONE_PROCESS, script, *chosen, *resume)
        if not (system.folder / "pipeline").is_dir():
            raise ZooError(f"{system.folder}: the training ended without a model")
        self.remember(system, {"plan": system.plan, "trained": True})

    def evaluate(self, system: System) -> None:
        """Measures a system on the test split, once."""
        wanted = {"samples": self.samples, "groups": None if self.samples == SAMPLES else TRIAL_GROUPS}
        state = self.state(system)
        if state.get("evaluated") == wanted:
            return
        self.say(f"Judging {system.title}")
        options = ["--dataset", system.dataset, "--samples", self.samples, "--cache", self.output / "cache"]
        options += ["--groups", wanted["groups"]] if wanted["groups"] else []
        self.command("cardiac-zoo", "evaluate", system.folder / "pipeline", *options)
        self.remember(system, state | {"evaluated": wanted})

    @staticmethod
    def state(system: System) -> dict:
        file = system.folder / "study.json"
        return json.loads(file.read_text()) if file.is_file() else {}

    @staticmethod
    def remember(system: System, state: dict) -> None:
        write_atomic(system.folder / "study.json", json.dumps(state, indent=1) + "\n")

    # The report

    def report(self, systems: list[System]) -> Path:
        """Writes the report and says where it is."""
        parts = [f"# {self.about['title']}", f"The study: {self.about['source']}.", self.conditions(systems)]
        if systems:
            parts += ["## The study's figures beside ours", *map(self.table, _by_dataset(systems))]
            parts += [_also(system.title, system.also) for system in systems if system.also]
        parts += ["## What they can and cannot mean", self.about["reading"].strip()]
        if systems:
            parts += ["## Pictures", *self.pictures(systems), "## Loss curves", *self.curves(systems)]
        if self.skipped:
            parts.append("\n".join(["## Left out", "", *(f"- {reason}" for reason in self.skipped)]))
        parts.append("\n".join(["## What was run", "", "```bash", *self.commands, "```"]))
        path = write_atomic(self.output / "report.md", "\n\n".join(parts) + "\n")
        self.say(f"Done: {path}")
        return path

    def conditions(self, systems: list[System]) -> str:
        """What the figures were measured on, and what they are worth."""
        said = [f"{describe_hardware()}; {self.minutes:.1f} minutes."]
        if any(system.data == "acdc" for system in systems) and "acdc" not in self.datasets:
            said.append("**No ACDC was named (`DATASET=…`): all of it is of a drawn phantom, not of hearts.**")
        if self.fraction < 1:
            said.append(
                f"**A trial:** each system was trained for {self.fraction:.4g} of its epochs and judged with "
                f"{self.samples} samples, without Fréchet distances, which need 1,000. `FRACTION=1.0` is the study."
            )
        return " ".join(said)

    def table(self, systems: list[System]) -> str:
        """The table of systems of one dataset."""

        def card(system: System) -> str:
            return str((system.folder / "pipeline" / "README.md").relative_to(self.output))

        rows = [Row(system.title, system.reported, system.metrics, card(system)) for system in systems]
        return study_table(self.about["figures"], rows)

    def pictures(self, systems: list[System]) -> list[str]:
        """A picture for each dataset: real images, and samples of each system, uncurated."""
        parts = []
        for number, members in enumerate(_by_dataset(systems)):
            dataset, name = members[0].dataset, f"pictures/samples-{number}.png"
            _draw_samples(dataset, members, self.output / name)
            titles = ", ".join(["original", *(system.title for system in members)])
            said = f"From left to right: {titles}. Samples 0 to {PICTURE_ROWS - 1} of seed 0, uncurated."
            parts += [f"![Samples]({name})", f"{said} The originals are of `{dataset}`: this report stays here."]
        return parts

    def curves(self, systems: list[System]) -> list[str]:
        """The loss curves of each run, and what its samples looked like at the end."""
        parts = []
        for system in systems:
            for name, file in (("curves", system.folder / "curves.png"), ("samples", _last_samples(system.folder))):
                if file is not None and file.is_file():
                    copy = self.output / "pictures" / f"{system.key}-{name}.png"
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, copy)
                    parts.append(f"{system.title}, {name}:\n\n![{system.title}](pictures/{copy.name})")
        return parts


def published_section(name: str, root: Path = Path("model_cards")) -> str:
    """A study's figures beside those of the published models of its families, and how to read them, as Markdown.

    Raises:
        ZooError: If the study is unknown.
    """
    about, rows, also = _about(name), {}, []
    for key, entry in about["systems"].items():
        folder = root / (f"{key}-acdc-64" if entry["data"] == "acdc" else key)
        if folder.is_dir():
            row = Row(entry["title"], entry.get("reported", {}), load_metrics(folder), str(folder / "README.md"))
            rows.setdefault((entry["data"], entry.get("classes")), []).append(row)
            also += [_also(entry["title"], entry["also"])] if "also" in entry else []
    tables = [study_table(about["figures"], of_one_dataset) for of_one_dataset in rows.values()]
    return "\n\n".join([*tables, *also, about["reading"]])


def _also(title: str, also: str) -> str:
    return f"{title}, also reported by the study: {also}."


def _about(name: str) -> dict:
    """What `studies.yaml` says of a study."""
    studies = yaml.safe_load(STUDIES.read_text(encoding="utf-8"))
    if name not in studies:
        raise ZooError(f"study: expected one of {', '.join(studies)}, got {name!r}")
    return studies[name]


def _by_dataset(systems: list[System]) -> list[list[System]]:
    """The systems that were trained on one dataset, for each dataset."""
    datasets = dict.fromkeys(system.dataset for system in systems)
    return [[system for system in systems if system.dataset == dataset] for dataset in datasets]


def _classes(dataset: Path) -> set[str]:
    """The labels of a dataset's training images."""
    train = zoo.hub.datasets.load(dataset).dataset["train"]
    if "label" not in train.column_names:
        return set()
    return {train.features["label"].names[index] for index in set(train["label"][:])}


def _last_samples(folder: Path) -> Path | None:
    return max((folder / "samples").glob("*.png"), default=None)


def _draw_samples(dataset: Path, systems: list[System], path: Path) -> None:
    """Draws a column of originals of the test split and one of samples for each system."""
    from matplotlib.figure import Figure

    test = zoo.hub.datasets.load(dataset).dataset["test"]
    chosen = np.linspace(0, len(test) - 1, PICTURE_ROWS + 2)[1:-1].round().astype(int)  # not the first and last slices
    columns = {"original": zoo.datasets.images(test.select(chosen)) / 255}
    for system in systems:
        pipe = zoo.from_pretrained(system.folder / "pipeline")
        pipe.set_progress_bar_config(disable=True)
        generators = sample_generators(0, range(PICTURE_ROWS))
        columns[system.title] = pipe(PICTURE_ROWS, generator=generators, output_type="np").images
    figure = Figure(figsize=(1.5 * len(columns), 1.5 * PICTURE_ROWS + 0.3), layout="constrained")
    axes = figure.subplots(PICTURE_ROWS, len(columns), squeeze=False)
    for column, (title, images) in enumerate(columns.items()):
        axes[0, column].set_title(title, fontsize=10)
        for axis, image in zip(axes[:, column], images, strict=True):
            axis.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1)
            axis.axis("off")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", help="a, b or c")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the epochs; 1.0 is the study")
    for kind, option in OPTIONS.items():
        parser.add_argument(f"--{option}", type=Path, help=f"{kind}: a folder of `cardiac-zoo data`, or the download")
    parser.add_argument("--recipes", type=Path, help="folder of the recipes, training/recipes/study_… by default")
    parser.add_argument("--output", type=Path, help="folder to write, outputs/study_… by default")
    parser.add_argument("--published", type=Path, help="Markdown file to lay the published models' figures into")
    options = parser.parse_args(arguments)
    given = {kind: getattr(options, option) for kind, option in OPTIONS.items() if getattr(options, option)}
    os.chdir(ROOT)  # recipes and outputs are named from there
    with told_in_one_line():
        if options.published:
            update_section(options.published, published_section(options.study), f"study-{options.study}")
        else:
            Study(options.study, options.fraction, given, options.recipes, options.output).run()


if __name__ == "__main__":
    main()
