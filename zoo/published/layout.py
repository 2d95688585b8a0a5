"""The folder of a published model: `model_index.json`, weights, and the code that a user of diffusers alone needs."""

import hashlib
import inspect
import json
import os
import re
from pathlib import Path

import yaml

from zoo.errors import ZooError

INDEX_FILE, RECIPE_FILE = "model_index.json", "recipe.yaml"
CONFIG_FILE = "config.json"  # of a network; at the top of the folder if it makes no images
PROCESSOR_FILE = "preprocessor_config.json"  # of a network that judges
# Arguments of a zoo pipeline that diffusers' own class does not know; diffusers skips keys that start with "_"
OWN_ARGUMENTS_KEY = "_zoo"
_RELATIVE_IMPORT = re.compile(r"^(\s*from\s+)(\.\.?)(\w+)(?=\s+import\b)", re.MULTILINE)


def published_name(pipeline_class: type) -> str:
    """The class name in `model_index.json`: that of the diffusers pipeline which the class extends, or else its own."""
    from diffusers import DiffusionPipeline

    bases = [
        cls for cls in pipeline_class.__mro__ if cls is not DiffusionPipeline and issubclass(cls, DiffusionPipeline)
    ]
    return next((cls.__name__ for cls in bases if cls.__module__.startswith("diffusers.")), pipeline_class.__name__)


def module_name(network_class: type) -> str:
    """Name of a network's published source file, without ending."""
    return "modeling_" + Path(inspect.getsourcefile(network_class)).stem.removeprefix("modeling_")


def publish_source(cls: type, target: Path) -> None:
    """Copies the source file of a class to `target`, and next to it the files that it imports relatively."""
    for name, text in source_files(cls, target.name).items():
        (target.parent / name).write_text(text)


def source_files(cls: type, name: str) -> dict[str, str]:
    """The source file of a class under a new name, and the files that it imports relatively: text by file name.

    diffusers keeps the relatively imported files of all repos under their bare names in one package and loads each
    name once. The copies are therefore named by their content, so that two revisions in one process keep apart.
    """
    source, files = Path(inspect.getsourcefile(cls)), {}

    def publish_import(match: re.Match) -> str:
        folder = source.parent if match[2] == "." else source.parent.parent
        imported = folder / f"{match[3]}.py"
        text = imported.read_text()
        if _RELATIVE_IMPORT.search(text):
            raise ZooError(f"{imported}: has relative imports of its own, which diffusers does not follow")
        stem = re.sub(r"_[0-9a-f]{8}$", "", match[3])  # the file may be such a copy itself
        copy = f"{stem}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        files[f"{copy}.py"] = text
        return f"{match[1]}.{copy}"

    files[name] = _RELATIVE_IMPORT.sub(publish_import, source.read_text())
    return files


def read_index(folder: Path) -> dict:
    """Reads `model_index.json`.

    Raises:
        ZooError: If the folder is no model, or its index names no pipeline class or no class of a component.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        raise ZooError(f"{folder}: no model, it has no {INDEX_FILE}")
    try:
        index = json.loads(path.read_text())
    except ValueError as error:  # not JSON, or not text at all
        raise ZooError(f"{path}: expected JSON ({error})") from error
    if not isinstance(index, dict) or not isinstance(pipeline_name(index), str):
        raise ZooError(f"{path}: _class_name: expected the name of a pipeline class")
    index = {name: entry for name, entry in index.items() if entry != [None, None]}  # an optional component, absent
    for name, entry in index.items():
        is_pair = isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
        if isinstance(entry, list) and not is_pair:
            raise ZooError(f"{path}: {name}: expected [library, class], got {entry}")
    return index


def read_config(file: Path) -> dict:
    """Reads the `config.json` of a network; what it says of classes is of the right types.

    Raises:
        ZooError: If it is no JSON object, or classes have no names.
    """
    try:
        config = json.loads(file.read_text())
    except ValueError as error:  # not JSON, or not text at all
        raise ZooError(f"{file}: expected JSON ({error})") from error
    if not isinstance(config, dict):
        raise ZooError(f"{file}: expected a JSON object, got {config!r}")
    conditions, names = config.get("conditions") or [], config.get("class_names") or {}
    known = names if isinstance(names, dict) else {"": names}
    if not all(isinstance(own, list) and all(isinstance(name, str) for name in own) for own in known.values()):
        raise ZooError(f"{file}: class_names: expected names of classes, got {names!r}")
    if not isinstance(conditions, list) or not all(name in known for name in map(str, conditions)):
        raise ZooError(f"{file}: conditions: expected some of {', '.join(known)}, got {conditions!r}")
    if isinstance(names, dict) and set(names) != set(conditions):
        raise ZooError(f"{file}: class_names: expected those of {', '.join(conditions)}, got {', '.join(names)}")
    return config


def is_network(folder: str | os.PathLike) -> bool:
    """Whether a folder holds a single network rather than a generator."""
    folder = Path(folder)
    return (folder / CONFIG_FILE).is_file() and not (folder / INDEX_FILE).exists()


def network_name(config: dict) -> str | None:
    """The class that the config of a network that judges names, as transformers has it."""
    return next(iter(config.get("architectures") or []), None)


def pipeline_name(index: dict) -> str | None:
    """The class that an index names, as `"Class"` or as `["file", "Class"]`."""
    name = index.get("_class_name")
    return name[-1] if isinstance(name, list) and name else name


def components(index: dict) -> dict[str, tuple[str, str]]:
    """Library and class name of each component that an index lists."""
    return {name: tuple(entry) for name, entry in index.items() if isinstance(entry, list) and name != "_class_name"}


def dataset_folder(folder: Path, preset: str) -> str:
    """Where the commands of a card look for its data: the recipe's folder, or that of the README for other data."""
    recipe = folder / RECIPE_FILE
    stored = str(yaml.safe_load(recipe.read_text()).get("dataset", "")) if recipe.is_file() else ""
    is_same = Path(stored).name.startswith(preset) and not Path(stored).is_absolute()
    return stored if is_same else f"outputs/data/{preset}"


def write_json(path: Path, content: dict) -> None:
    """Writes JSON as diffusers formats it."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
