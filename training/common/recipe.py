"""Recipes: every hyperparameter of a run, from a YAML file, each overridable on the command line."""

import argparse
import inspect
import json
import sys
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    create_model,
)

from common.errors import told_in_one_line
from common.yaml_file import parse_yaml, read_yaml, to_yaml
from zoo.errors import ZooError

Share = Annotated[float, Field(ge=0, le=1)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[^/\\\s]+$")]
Widths = Annotated[list[PositiveInt], Field(min_length=1)]
Schedule = Literal["constant", "constant_with_warmup", "linear", "cosine", "reduce_on_plateau", "study_b_cosine"]
OptimizerName = Literal["adam", "adamw", "rmsprop", "sgd"]
AlgorithmType = Literal["dpmsolver++", "sde-dpmsolver++"]  # what a DPM-Solver++ solves, see `common.schedulers`
AnyRecipe = TypeVar("AnyRecipe", bound="Settings")


class Settings(BaseModel):
    """Keys with types and ranges. Types are those of the file: text is no number, and numbers are finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    def to_yaml(self) -> str:
        """The resolved recipe, as it can be given to `--config` again."""
        return to_yaml(self.model_dump(mode="json"))


class Recipe(Settings):
    """What every training script needs; a script's own recipe adds its family's keys.

    A run stops at `epochs`, at `max_seconds`, or when `patience` evaluations brought nothing better, whichever comes
    first. `dataset` is a folder written by `cardiac-zoo data` or a Hub id. `name` is also the run's folder below
    `output_dir` and the name of the model that comes out.
    """

    name: Name
    dataset: str
    output_dir: str = "outputs/runs"
    init_from: str | None = None  # a published model to fine-tune, folder or Hub id
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    epochs: PositiveInt = 100
    max_seconds: PositiveFloat | None = None
    batch_size: PositiveInt = 32  # images of an optimiser step, over all processes and accumulation steps
    gradient_accumulation_steps: PositiveInt = 1
    mixed_precision: Literal["auto", "no", "fp16", "bf16"] = "auto"  # auto: bf16 where the machine multiplies it itself
    max_grad_norm: PositiveFloat | None = None
    lr_scheduler: Schedule = "constant"
    lr_warmup_steps: NonNegativeInt = 0
    lr_final: NonNegativeFloat = 0.0  # where linear ends, and what study_b_cosine does not fall below
    lr_plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1  # of reduce_on_plateau
    lr_plateau_patience: NonNegativeInt = 10  # evaluations without a better one before it reduces
    ema_decay: Share = 0.0
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    zoom: Momentum = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    augment_probability: Share = 1.0
    invert_probability: Share = 0.0  # of black for white
    evaluate_every: PositiveInt = 5  # epochs
    sample_every: PositiveInt = 10  # epochs
    checkpoint_every: PositiveInt = 5  # epochs
    patience: PositiveInt | None = None  # evaluations without a better one
    tracker: Literal["tensorboard", "trackio"] | None = None

    @property
    def folder(self) -> Path:
        """Where the run keeps everything."""
        return Path(self.output_dir) / self.name

    @property
    def sources(self) -> list[str]:
        """Models whose weights are in the one that comes out: what they saw counts too."""
        return [self.init_from] if self.init_from else []


def parse_recipe(recipe_class: type[AnyRecipe], arguments: list[str] | None = None) -> tuple[AnyRecipe, Any]:
    """Reads `--config FILE`, then `--key value` overrides.

    Returns:
        The recipe, and what is no part of it: `config` (the file), `resume`, `from_state` and `dry_run`.

    Raises:
        ZooError: If a key is unknown, missing, of the wrong type or out of range; it names the file and the key.
    """
    parser = argparse.ArgumentParser(description="Every key of the recipe can be overridden: --key value")
    parser.add_argument("--config", required=True, help="the recipe, a YAML file")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    parser.add_argument("--from_state", help="go on from what training/state.py left, with a fresh optimiser")
    parser.add_argument("--dry_run", action="store_true", help="print the resolved recipe and stop")
    for key in recipe_class.model_fields:
        parser.add_argument(f"--{key}", default=argparse.SUPPRESS)
    parsed = vars(parser.parse_args(arguments))
    names = ("config", "resume", "from_state", "dry_run")
    switches = argparse.Namespace(**{name: parsed.pop(name) for name in names})
    values = read_yaml(switches.config) | {key: _scalar(text) for key, text in parsed.items()}
    try:
        return _validated(recipe_class, values), switches
    except ValidationError as error:
        key = error.errors()[0]["loc"][:1]
        source = "command line" if key and key[0] in parsed else switches.config
        raise ZooError(f"{source}: {_first_error(error, recipe_class)}") from error


def stop_at_dry_run(recipe_class: type[AnyRecipe]) -> None:
    """Ends a script that is asked for the resolved recipe alone; called before it imports torch and diffusers."""
    if "--dry_run" in sys.argv:
        with told_in_one_line():
            print(parse_recipe(recipe_class)[0].to_yaml())
        raise SystemExit(0)


def check_keywords(values: dict, function: Callable, key: str, source: str, taken: Iterable[str] = ()) -> dict:
    """The values of a dict-typed key as keywords of a function or class, their names and types checked.

    Args:
        values (`dict`): What the recipe says.
        function (callable): What will be called with them.
        key (`str`): Of the recipe.
        source (`str`): The recipe's file.
        taken (iterable of `str`): Keywords that are not the recipe's to set.

    Raises:
        ZooError: If a keyword is unknown, taken, missing or of the wrong type; it names the file and the key.
    """
    signature = inspect.signature(function)
    function = function.__init__ if isinstance(function, type) else function
    kinds = typing.get_type_hints(inspect.unwrap(function))
    fields = {
        name: (kinds.get(name, Any), ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in signature.parameters.items()
        if name not in taken
    }
    keywords = create_model("Keywords", __base__=Settings, **fields)
    try:
        checked = _validated(keywords, values)
    except ValidationError as error:
        raise ZooError(f"{source}: {_first_error(error, keywords, key)}") from error
    return {name: getattr(checked, name) for name in values}


def _validated(kind: type[AnyRecipe], values: dict) -> AnyRecipe:
    """By way of JSON, in which a list stands for a tuple even where types are strict."""
    return kind.model_validate_json(json.dumps(values))


def _first_error(error: ValidationError, kind: type[Settings], parent: str = "") -> str:
    """What is wrong, in one line: the key, what it expects and what it got."""
    first = error.errors(include_url=False)[0]
    key = ".".join(map(str, [*([parent] if parent else []), *first["loc"]]))
    if first["type"] == "extra_forbidden":
        inside = f"key '{parent}' has unknown key" if parent else "unknown key"
        return f"{inside} '{first['loc'][0]}', expected one of {', '.join(kind.model_fields)}"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")
    expected = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    expected = f"a number {expected}" if expected.startswith(("greater", "less")) else expected
    return f"key '{key}' expects {expected}, got {first['input']!r}"[:500]


def _scalar(text: str):
    """A command-line word as YAML reads it."""
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        return text
