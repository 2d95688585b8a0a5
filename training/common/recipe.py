"""Recipes: every hyperparameter of a run, from a YAML file, each overridable on the command line."""

import argparse
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from zoo.errors import ZooError


@dataclasses.dataclass(kw_only=True)
class Recipe:
    """What every training script needs; a script's own recipe adds its family's keys.

    A run stops at `epochs`, at `max_seconds`, or when `patience` evaluations brought nothing better, whichever comes
    first. `dataset` is a folder written by `cardiac-zoo data` or a Hub id. `name` is also the run's folder below
    `output_dir` and the name of the model that comes out.
    """

    name: str
    dataset: str
    output_dir: str = "outputs/runs"
    init_from: str | None = None  # a published model to fine-tune, folder or Hub id
    seed: int = 0
    epochs: int = 100
    max_seconds: float | None = None
    batch_size: int = 32  # images a process and step
    gradient_accumulation_steps: int = 1
    mixed_precision: str = "no"  # no, fp16 or bf16
    max_grad_norm: float | None = None
    lr_scheduler: str = "constant"  # one of common.schedules.SCHEDULES
    lr_warmup_steps: int = 0
    lr_final: float = 0.0  # where linear ends
    lr_plateau_factor: float = 0.1  # of reduce_on_plateau
    lr_plateau_patience: int = 10  # evaluations without a better one before it reduces
    ema_decay: float = 0.0
    rotation_degrees: float = 0.0
    zoom: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    augment_probability: float = 1.0
    invert_probability: float = 0.0  # of black for white
    evaluate_every: int = 5  # epochs
    sample_every: int = 10  # epochs
    checkpoint_every: int = 5  # epochs
    patience: int | None = None  # evaluations without a better one
    tracker: str | None = None  # tensorboard or trackio

    @property
    def folder(self) -> Path:
        """Where the run keeps everything."""
        return Path(self.output_dir) / self.name

    @property
    def sources(self) -> list[str]:
        """Models whose weights are in the one that comes out: what they saw counts too."""
        return [self.init_from] if self.init_from else []

    def to_yaml(self) -> str:
        """The resolved recipe, as it can be given to `--config` again."""
        return yaml.safe_dump(dataclasses.asdict(self), sort_keys=False)


def parse_recipe(recipe_class: type[Recipe], arguments: list[str] | None = None) -> tuple[Recipe, argparse.Namespace]:
    """Reads `--config FILE`, then `--key value` overrides.

    Returns:
        The recipe, and what is no part of it: `config` (the file), `resume` and `dry_run`.

    Raises:
        ZooError: If a key is unknown, missing or of the wrong type; it names the file and the key.
    """
    kinds = typing.get_type_hints(recipe_class)
    fields = dataclasses.fields(recipe_class)
    parser = argparse.ArgumentParser(description="Every key of the recipe can be overridden: --key value")
    parser.add_argument("--config", required=True, help="the recipe, a YAML file")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    parser.add_argument("--dry_run", action="store_true", help="print the resolved recipe and stop")
    for field in fields:
        parser.add_argument(f"--{field.name}", default=argparse.SUPPRESS, metavar=_kind_name(kinds[field.name]))
    parsed = vars(parser.parse_args(arguments))
    switches = argparse.Namespace(**{name: parsed.pop(name) for name in ("config", "resume", "dry_run")})

    path = switches.config
    values = {key: (value, path) for key, value in _read_yaml(path).items()}
    values |= {key: (_scalar(text), "command line") for key, text in parsed.items()}
    if unknown := sorted(set(values) - set(kinds)):
        raise ZooError(f"{path}: unknown key '{unknown[0]}', expected one of {', '.join(sorted(kinds))}")
    required = [field.name for field in fields if field.default is field.default_factory is dataclasses.MISSING]
    if missing := [key for key in required if key not in values]:
        raise ZooError(f"{path}: key '{missing[0]}' is missing")
    return recipe_class(**{k: _checked(v, kinds[k], k, source) for k, (v, source) in values.items()}), switches


def check_keywords(values: dict, function: Callable, key: str, source: str, taken: Iterable[str] = ()) -> dict:
    """The values of a dict-typed key as keywords of a function or class, their names and types checked.

    Args:
        values (`dict`): What the recipe says.
        function (callable): What will be called with them.
        key (`str`): Of the recipe.
        source (`str`): The recipe's file.
        taken (iterable of `str`): Keywords that are not the recipe's to set.

    Raises:
        ZooError: If a keyword is unknown, taken or of the wrong type; it names the file and the key.
    """
    signature = inspect.signature(function)
    function = function.__init__ if isinstance(function, type) else function
    kinds = typing.get_type_hints(inspect.unwrap(function))
    known = [name for name in signature.parameters if name not in taken]
    if unknown := sorted(set(values) - set(known)):
        raise ZooError(f"{source}: key '{key}' has unknown key '{unknown[0]}', expected some of {', '.join(known)}")
    return {name: _checked(value, kinds[name], f"{key}.{name}", source) for name, value in values.items()}


def _read_yaml(path: str) -> dict:
    try:
        values = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise ZooError(f"{path}: cannot read the recipe ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise ZooError(f"{path}: no valid YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(values, dict):
        raise ZooError(f"{path}: expected a mapping of keys to values")
    return values


def _scalar(text: str):
    """A command-line word as YAML reads it."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _kind_name(kind) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(map(repr, typing.get_args(kind)))
    return str(kind) if typing.get_args(kind) else kind.__name__


def _checked(value, kind, key: str, source: str):
    """`value` as `kind`, where an int may stand for a float and a list's items are checked too."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for option in options:
        if option is types.NoneType and value is None:
            return None
        if typing.get_origin(option) is typing.Literal and value in typing.get_args(option):
            return value
        if typing.get_origin(option) is list and isinstance(value, list):
            (item,) = typing.get_args(option)
            return [_checked(entry, item, key, source) for entry in value]
        if option is float:
            if isinstance(value, str):  # YAML 1.1 reads 2e-4 as text
                try:
                    return float(value)
                except ValueError:
                    continue
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
        elif isinstance(option, type) and type(value) is option:
            return value
    raise ZooError(f"{source}: key '{key}' expects {_kind_name(kind)}, got {value!r}")
