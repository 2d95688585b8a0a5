"""Trains every system of one of the three studies, judges them, and lays our figures beside the study's own.

    python training/study.py a --fraction 1.0 --dataset outputs/data/acdc-64

`make study-a`, `study-b` and `study-c` type this; `outputs/study_a/reports/README.md` is what comes out. At a fraction
of 1.0 each system is trained for as many epochs as in its study and judged with all groups of the protocol at 1,000
samples. A smaller fraction is a trial: that share of the epochs (at least one; of the iterations of a style transfer)
and of the samples (at least 50), and no Fréchet distances, which the protocol refuses at other counts.

A study may take several sittings, on several machines: `--only` runs some systems, and what `--reports` keeps of those
that are finished (figures, log, curves, samples, no weights) is neither trained nor judged again.

    python training/study.py a --only gan dcgan --dataset outputs/data/acdc-64 --reports training/reports/study_a

`--dry_run` times each training for some seconds and says how many hours all of it takes.

    python training/study.py a --update README.md

lays what is kept in `training/reports` beside the study's figures, between the markers of a page.
"""

import argparse
import json
import os
import re
import shlex
from pathlib import Path

import numpy as np

import zoo.datasets
from common.errors import told_in_one_line
from common.shell import ONE_PROCESS, Shell, resume_or_clear
from common.study_hours import hours_table, time_training
from common.study_plan import System, narrow, read_study, recipe_of, systems_of
from common.study_record import find_record, is_done, keep_record
from common.study_report import PICTURE_ROWS, by_dataset, draw_beside_originals, draw_segmentations, write_report
from common.study_table import Row, besides_table, study_table
from common.study_weights import why_no_weights
from zoo.cards.tables import update_section
from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.published.metrics_file import METRICS_FILE, load_metrics

ROOT = Path(__file__).resolve().parents[1]
SAMPLES, LEAST_SAMPLES = 1000, 50
TRIAL_GROUPS = "cost,copying,diversity,projection,unpaired"
# The sources of data, by what the option is called
OPTIONS = {"acdc": "dataset", "mednist": "dataset_mednist", "isic": "dataset_isic"}


class Study(Shell):
    """One sitting of a study. The working directory is the project's root.

    Args:
        name (`str`): `a`, `b` or `c`.
        fraction (`float`): The share of each recipe's epochs, above 0.
        datasets (`dict[str, Path]`): For `acdc`, `mednist` and `isic` a folder written by `cardiac-zoo data`, or the
            download. Without ACDC the phantom stands in; a system without its data is left out.
        only (`list[str]`, *optional*): The systems to run; all by default.
        recipes (`Path`, *optional*): The folder of the recipes; the study's own by default.
        output (`Path`, *optional*): The folder to write.
        reports (`Path`, *optional*): Where finished systems and the report are kept; `reports` in `output` by default.
        launch (`str`): Options of `accelerate launch`; one process by default.

    Raises:
        ZooError: If the study or a system is unknown, the fraction is not positive or a folder is missing.
    """

    def __init__(
        self,
        name: str,
        fraction: float,
        datasets: dict[str, Path],
        only: list[str] | None = None,
        recipes: Path | None = None,
        output: Path | None = None,
        reports: Path | None = None,
        launch: str = "",
    ):
        super().__init__()
        self.about = read_study(name)
        if not fraction > 0:
            raise ZooError(f"--fraction: expected a number above 0, got {fraction}")
        for kind, folder in datasets.items():
            if not folder.exists():
                raise ZooError(f"--{OPTIONS[kind]}: {folder} not found")
        self.fraction, self.datasets = fraction, datasets
        self.recipes = recipes or Path(f"training/recipes/study_{name}")
        self.output = output or Path(f"outputs/study_{name}")
        self.reports = reports or self.output / "reports"
        self.launch = shlex.split(launch) or ONE_PROCESS
        self.systems = systems_of(self.about, only)
        self.samples = min(SAMPLES, max(LEAST_SAMPLES, round(SAMPLES * fraction)))
        self.left_out: dict[str, str] = {}

    def run(self) -> Path:
        """Does all of it and returns the report's path."""
        for system in self.systems:
            if reason := self.prepare(system) or self.finish(system):
                self.left_out[system.key] = f"{system.title}: {reason}"
                self.say(f"Left out: {self.left_out[system.key]}")
        return self.report()

    def dry_run(self) -> str:
        """Times each training on this machine and returns a table of the hours that all of it takes."""
        rows = []
        for system in self.systems:
            reason = self.prepare(system)
            script = None if reason or system.bases else self.script(system)
            rows.append((system, reason, script and time_training(self, script, self.recipe(system), system)))
        return hours_table(rows)

    # Each system

    def prepare(self, system: System) -> str | None:
        """Finds recipe, dataset and folder of a system; says why it must be left out, if it must."""
        recipe = recipe_of(system, self.recipes)
        if recipe is None:
            return f"no recipe {self.recipe(system)}"
        origin = recipe
        for base in systems_of(self.about, system.bases) if system.bases else ():
            base_recipe = recipe_of(base, self.recipes)
            if base_recipe is None:
                return f"no recipe of {base.key}, which it is made of"
            origin = base_recipe if system.sampler else origin
        if system.data in self.datasets:
            source = self.built(self.datasets[system.data], system, Path(origin["dataset"]).name)
        elif system.data == "acdc":
            source = self.output / "data" / "phantom-64"
            if not source.exists():
                self.say("No ACDC was named: a drawn phantom stands in")
                self.command("cardiac-zoo", "data", "phantom", "--output", source)
        else:
            return f"needs --{OPTIONS[system.data]} (make: {OPTIONS[system.data].upper()}=…)"
        try:
            system.dataset = self.chosen_of(source, system)
        except ZooError as error:
            return str(error)
        if system.weights and (reason := why_no_weights(system.weights, recipe)):
            return reason
        info = zoo.datasets.load(system.dataset).info
        system.folder = self.output / f"{info['preset']}-{self.fraction:g}" / system.key
        length = max(1, round(recipe[system.unit] * self.fraction))
        system.plan = {"recipe": recipe, system.unit: length, "dataset": info["fingerprint"]}
        return None

    def recipe(self, system: System) -> Path:
        return self.recipes / f"{system.recipe or system.key}.yaml"

    def built(self, source: Path, system: System, preset: str) -> Path:
        """The dataset itself, or what is built of a download."""
        if not (source / "zoo_dataset.json").is_file():
            chosen = ["--preset", preset]
            folder = self.output / "data" / preset
            if system.data == "mednist":  # of a big download the other classes would be read for nothing
                chosen = ["--classes", ",".join(system.classes)]
                folder = self.output / "data" / "-".join([system.data, *system.classes])
            elif system.data == "isic":
                chosen = ["--undersample"]  # as the study does
                folder = self.output / "data" / "isic-64"
            if not folder.exists():
                self.say(f"Building {folder.name}")
                self.command("cardiac-zoo", "data", system.data, "--source", source, *chosen, "--output", folder)
            source = folder
        return source

    def chosen_of(self, source: Path, system: System) -> Path:
        """The part of a built dataset that a system is trained on."""
        names = [name for names in system.chosen.values() for name in names]
        return narrow(source, self.output / "data" / "-".join([source.name, *names]), **system.chosen)

    def finish(self, system: System) -> str | None:
        """Trains, judges and keeps a system, unless that is done; says why it cannot be, if it cannot."""
        evaluated = self.evaluated(system)
        if is_done(system, find_record(self.reports, system.key), evaluated):
            self.say(f"{system.title} is finished already: {self.reports / system.key}")
            return None
        if missing := [key for key in system.bases if not self.base(system, key).is_dir()]:
            return f"the weights of {missing[0]}, which it is made of, are not here; run both with --only"
        if system.utility:
            self.measure_utility(system, evaluated)
        else:
            self.train(system)
            self.evaluate(system, evaluated)
        keep_record(system, self.reports, evaluated)
        return None

    def base(self, system: System, key: str) -> Path:
        """The model of another system that this one needs."""
        (base,) = systems_of(self.about, [key])
        info = zoo.datasets.load(system.dataset).info
        return self.output / f"{info['preset']}-{self.fraction:g}" / base.key / "pipeline"

    def evaluated(self, system: System) -> dict:
        """How a system is judged: number of samples, and in which groups if not in all."""
        samples = min(system.samples or self.samples, self.samples)
        few = len(zoo.datasets.load(system.dataset).dataset["train"]) < SAMPLES  # reference rows have as many images
        groups = system.groups or (TRIAL_GROUPS if samples < SAMPLES or few else None)
        return {"samples": samples, "groups": groups}

    def script(self, system: System) -> list:
        """The command by which a system is trained, but for its recipe."""
        return ["accelerate", "launch", *self.launch, f"training/{system.script}"]

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
        where = ["--output_dir", system.folder.parent, "--name", system.key]
        if system.sampler:
            sampler = system.sampler | {system.unit: system.length}
            chosen = [word for key, value in sampler.items() for word in (f"--{key}", value)]
            run = self.base(system, system.made_of).parent
            self.command("python", "training/publish.py", run, "--dtype", "float32", *where, *chosen)
        else:
            chosen = ["--config", self.recipe(system), "--dataset", system.dataset, *where]
            chosen += [f"--{system.unit}", system.length]
            if system.made_of:
                self.command(
                    "python", f"training/{system.script}", *chosen, "--content_model", self.base(system, system.made_of)
                )
            else:
                self.command(*self.script(system), *chosen, *resume)
        if system.judge:
            out = ["--dtype", "float32", "--output_dir", system.model.parent]
            self.command("python", "training/publish_network.py", system.folder, *out)
        if not system.model.is_dir():
            raise ZooError(f"{system.folder}: the training ended without a model")
        self.remember(system, {"plan": system.plan, "trained": True})

    def measure_utility(self, system: System, wanted: dict) -> None:
        """CAS and NAS of systems that make one class each, by the classifiers of the study."""
        self.say(f"Judging {system.title}")
        names = system.utility["models"]
        models = [self.base(system, key) for key in names.values()]
        options = ["--classes", ",".join(names), "--study-c", "--dataset", system.dataset]
        options += ["--num-samples", wanted["samples"], "--cache", self.output / "cache"]
        system.folder.mkdir(parents=True, exist_ok=True)
        self.command("cardiac-zoo", "utility", *models, *options, "--output", system.folder / METRICS_FILE)

    def evaluate(self, system: System, wanted: dict) -> None:
        """Measures a system on the test split, once."""
        state = self.state(system)
        if state.get("evaluated") == wanted:
            return
        self.say(f"Judging {system.title}")
        options = ["--dataset", system.dataset]
        if not system.judge:
            options += ["--samples", wanted["samples"], "--cache", self.output / "cache"]
            options += ["--groups", wanted["groups"]] if wanted["groups"] else []
        self.command("cardiac-zoo", "evaluate", system.model, *options)
        self.remember(system, state | {"evaluated": wanted})

    @staticmethod
    def state(system: System) -> dict:
        file = system.folder / "study.json"
        return json.loads(file.read_text()) if file.is_file() else {}

    @staticmethod
    def remember(system: System, state: dict) -> None:
        write_atomic(system.folder / "study.json", json.dumps(state, indent=1) + "\n")

    def report(self) -> Path:
        """Writes the report of all that is finished, in this sitting or before, and says where it is."""
        done, left_out = [], []
        for system in systems_of(self.about):
            record = find_record(self.reports, system.key)
            if record is not None:
                done.append((system, record))
            else:
                left_out.append(self.left_out.get(system.key, f"{system.title}: not yet"))
        path = write_report(self.about, done, left_out, self.commands, self.reports)
        self.say(f"Done: {path}")
        self.show_originals([(system, record) for system, record in done if system.makes_images])
        return path

    def show_originals(self, done: list) -> None:
        """The samples once more beside real images, and what a segmenter sees in these, for this machine alone."""
        for system in self.systems:
            if system.judge and system.folder and system.dataset and (system.model / "config.json").is_file():
                test = zoo.datasets.load(system.dataset).dataset["test"]
                if "mask" in test.column_names and "segmenter" in system.script:
                    picture = draw_segmentations(system.model, test, self.output / f"{system.key}.png")
                    self.say(f"With real images, not for publishing: {picture}")
        here = {zoo.datasets.load(s.dataset).info["fingerprint"]: s.dataset for s in self.systems if s.dataset}
        for number, members in enumerate(by_dataset(done)):
            if folder := here.get(members[0][1].plan["dataset"]):
                test = zoo.datasets.load(folder).dataset["test"]
                chosen = np.linspace(0, len(test) - 1, PICTURE_ROWS + 2)[1:-1].round().astype(int)  # no end of a stack
                picture = self.output / f"beside-originals-{number}.png"
                draw_beside_originals(members, zoo.datasets.images(test.select(chosen)), picture)
                self.say(f"With real images, not for publishing: {picture}")


def published_section(name: str, root: Path = Path("model_cards"), reports: Path | None = None) -> str:
    """A study's figures beside ours, and how to read them, as Markdown.

    Ours are those of the study as it was run here. A system of which there is no record has the figures of the
    published model of its family, which was trained by a recipe of this project, and says so.

    Args:
        name (`str`): Of the study.
        root (`Path`): The folder of the published models.
        reports (`Path`, *optional*): The folder of the records, `training/reports/study_…` by default.

    Raises:
        ZooError: If the study is unknown.
    """
    about, rows, also = read_study(name), {}, []
    reports = reports or Path(f"training/reports/study_{name}")
    for system in systems_of(about):
        if not system.makes_images:
            continue
        record, folder = find_record(reports, system.key), root / system.published
        if record is not None:
            row = Row(system.title, system.reported, record.metrics, str(record.folder / "metrics.json"))
        elif folder.is_dir():
            title = f"{system.title}, our own recipe"
            row = Row(title, system.reported, load_metrics(folder), str(folder / "README.md"))
        else:
            continue
        rows.setdefault(row.metrics.get("dataset", {}).get("fingerprint"), []).append(row)
        also += [f"{system.title}, also reported by the study: {system.also}."] if system.also else []
    parts = []
    for members in rows.values():
        parts.append(study_table(about["figures"], members))
        if besides := besides_table(about.get("besides", {}), members):
            parts += [about["besides_title"], besides]
    return "\n\n".join([*parts, *also, about["reading"]])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", help="a, b or c")
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the epochs; 1.0 is the study")
    for kind, option in OPTIONS.items():
        parser.add_argument(f"--{option}", type=Path, help=f"{kind}: a folder of `cardiac-zoo data`, or the download")
    parser.add_argument("--only", nargs="+", metavar="SYSTEM", help="those of studies.yaml to run; all by default")
    parser.add_argument("--recipes", type=Path, help="folder of the recipes, training/recipes/study_… by default")
    parser.add_argument("--output", type=Path, help="folder to write, outputs/study_… by default")
    parser.add_argument(
        "--reports", type=Path, help="folder of finished systems and the report, OUTPUT/reports by default"
    )
    parser.add_argument("--launch", default="", help='options of accelerate launch, such as "--num_processes 8"')
    parser.add_argument("--dry_run", action="store_true", help="time each training and print the hours of all of it")
    parser.add_argument("--update", type=Path, help="Markdown file to lay the kept figures into")
    options = parser.parse_args(arguments)
    given = {kind: getattr(options, option) for kind, option in OPTIONS.items() if getattr(options, option)}
    os.chdir(ROOT)  # recipes and outputs are named from there
    with told_in_one_line():
        if options.update:
            there = os.path.relpath(ROOT, options.update.resolve().parent)  # links are followed from the page
            content = published_section(options.study)
            if there != ".":
                content = re.sub(r"\]\((?=model_cards|training)", f"]({there}/", content)
            update_section(options.update, content, f"study-{options.study}")
            return
        names = ("only", "recipes", "output", "reports", "launch")
        chosen = {name: getattr(options, name) for name in names}
        study = Study(options.study, options.fraction, given, **chosen)
        if options.dry_run:
            study.console.print(study.dry_run(), markup=False, soft_wrap=True)
        else:
            study.run()


if __name__ == "__main__":
    main()
