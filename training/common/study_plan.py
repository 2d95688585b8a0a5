"""What is planned for each system of a study: `training/studies.yaml`, its recipes, and the images that it is given."""

from dataclasses import dataclass, field
from pathlib import Path

import datasets
import yaml

import zoo.datasets
from common.yaml_file import read_yaml
from zoo.datasets.built import BuiltDataset, assemble
from zoo.errors import ZooError

STUDIES = Path(__file__).parents[1] / "studies.yaml"
IMAGES = ("image", "mask")  # columns of pictures


@dataclass
class System:
    """One row of a study: what `studies.yaml` says of it, and what is planned for it here.

    Args:
        key (`str`): Of the system, and the name of its run's folder and of its record.
        title (`str`): As the study calls it.
        script (`str`, *optional*): The training script; none of a system that is only sampled otherwise.
        data (`str`): Where its images come from: `acdc`, `mednist` or `isic`.
        recipe (`str`, *optional*): The name of its recipe, `key` by default.
        made_of (`str`, *optional*): The key of the trained system that this one is made of, without training.
        sampler (`dict`): Scheduler and steps of a system that is another one sampled otherwise.
        classes, phases (`list[str]`, *optional*): The only ones that it is trained on.
        samples (`int`, *optional*): How many it is judged by, if not as many as the others.
        groups (`str`, *optional*): In which groups it is judged, if not in all.
        judge (`bool`): Whether it is a network that judges images rather than one that makes them.
        utility (`dict`): Of CAS and NAS of two systems or more: `models`, each the key of a system by the class that it
            makes, the preset `dataset` that classifiers are tested on, and the number of `samples`.
        weights (`str`): What trained weights of others it needs: `vgg19` or `resnet50`.
        reported (`dict`): The study's figures by their names there.
        also (`str`): What else the study reports.
        differs (`str`): How ours differs, where the recipe or the study leaves no choice.
        dataset, folder (`Path`): What it is trained on, and its run.
        plan (`dict`): Recipe, length and fingerprint of the dataset: a run that was begun by another plan is another.
    """

    key: str
    title: str
    data: str
    script: str | None = None
    recipe: str | None = None
    made_of: str | None = None
    sampler: dict = field(default_factory=dict)
    classes: list[str] | None = None
    phases: list[str] | None = None
    samples: int | None = None
    groups: str | None = None
    judge: bool = False
    utility: dict = field(default_factory=dict)
    weights: str = ""
    reported: dict = field(default_factory=dict)
    also: str = ""
    differs: str = ""
    dataset: Path | None = None
    folder: Path | None = None
    plan: dict = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """What the fraction is one of: the length of its training, or of each of its samplings if it has none."""
        if self.utility:
            return "samples"
        return "num_inference_steps" if self.sampler else "num_iterations" if self.made_of else "epochs"

    @property
    def length(self) -> int:
        return self.plan[self.unit]

    @property
    def full_length(self) -> int:
        """That of the study itself."""
        return self.plan["recipe"][self.unit]

    @property
    def makes_images(self) -> bool:
        return not (self.judge or self.utility)

    @property
    def bases(self) -> list[str]:
        """The keys of the trained systems that it needs."""
        return [self.made_of] if self.made_of else list(self.utility.get("models", {}).values())

    @property
    def model(self) -> Path:
        """The folder of the model that comes out."""
        if self.judge:
            return self.folder / "published" / self.key
        return self.folder if self.sampler or self.utility else self.folder / "pipeline"

    @property
    def published(self) -> str:
        """The name of the published model that is nearest to it."""
        return f"{self.key}-acdc-64" if self.data == "acdc" else self.key

    @property
    def chosen(self) -> dict[str, list[str]]:
        """The only classes and phases that it is trained on, where there is a choice."""
        return {name: value for name in ("classes", "phases") if (value := getattr(self, name))}


def read_study(name: str) -> dict:
    """What `studies.yaml` says of a study.

    Raises:
        ZooError: If there is none of that name.
    """
    studies = yaml.safe_load(STUDIES.read_text(encoding="utf-8"))
    if name not in studies:
        raise ZooError(f"study: expected one of {', '.join(studies)}, got {name!r}")
    return studies[name]


def systems_of(about: dict, only: list[str] | None = None) -> list[System]:
    """The systems of a study in its order, or some of them.

    Raises:
        ZooError: If one that is asked for is unknown.
    """
    if unknown := sorted(set(only or []) - set(about["systems"])):
        raise ZooError(f"--only: expected some of {', '.join(about['systems'])}, got {unknown[0]!r}")
    return [System(key, **entry) for key, entry in about["systems"].items() if not only or key in only]


def recipe_of(system: System, recipes: Path) -> dict | None:
    """The recipe of a system as a mapping, `None` if there is no such file; what is not trained has its own."""
    if system.sampler or system.utility:
        return system.sampler or system.utility
    file = recipes / f"{system.recipe or system.key}.yaml"
    return read_yaml(file) if file.is_file() else None


def narrowed(built: BuiltDataset, classes: list[str] | None = None, phases: list[str] | None = None) -> BuiltDataset:
    """The rows of some classes and phases, in the splits in which they are; the dataset itself if it has no others.

    Args:
        built (`BuiltDataset`): With a column `pathology` or `label`, and `phase`, for what is asked of it.
        classes (`list[str]`, *optional*): The pathologies, or labels of class folders.
        phases (`list[str]`, *optional*): `ED` and `ES`.

    Raises:
        ZooError: If the dataset has no such column or no such class, or a split is left without images.
    """
    columns = built.dataset["train"].column_names
    wanted = {"label" if "label" in columns else "pathology": classes, "phase": phases}
    wanted = {column: names for column, names in wanted.items() if names}
    kept = built.dataset
    for column, names in wanted.items():
        if column not in columns:
            raise ZooError(f"dataset {built.info['name']}: column '{column}': not there, {names[0]} was asked for")
        known = built.dataset["train"].features[column].names
        if unknown := sorted(set(names) - set(known)):
            raise ZooError(f"dataset {built.info['name']}: {column}: expected some of {known}, got {unknown[0]!r}")
        places = {known.index(name) for name in names}
        kept = datasets.DatasetDict(
            {
                split: rows.select([index for index, value in enumerate(rows[column][:]) if value in places])
                for split, rows in kept.items()
            }
        )
    if empty := [split for split, rows in kept.items() if not len(rows)]:
        raise ZooError(f"dataset {built.info['name']}: no image of {wanted} in {empty[0]}")
    if all(len(kept[split]) == len(rows) for split, rows in built.dataset.items()):
        return built
    features = kept["train"].features
    pictures = [name for name in IMAGES if name in features]
    for split in kept:
        for name in pictures:
            kept[split] = kept[split].cast_column(name, datasets.Image(decode=False))
    rows = {split: kept[split].to_list() for split in kept}
    for row in (row for of_split in rows.values() for row in of_split):
        for name in pictures:  # as builders make them: bytes alone
            row[name] = row[name] and {"bytes": row[name]["bytes"], "path": None}
    return assemble(rows, features, built.info | {"chosen": wanted})


def narrow(source: Path, folder: Path, **chosen: list[str]) -> Path:
    """`narrowed` of a dataset on disk, written to `folder` once; `source` itself if there is nothing to leave out."""
    if folder.exists():
        return folder
    built = zoo.datasets.load(source)
    found = narrowed(built, **chosen)
    return source if found is built else zoo.datasets.save(found, folder)
