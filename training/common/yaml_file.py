"""YAML after the core schema of YAML 1.2: `no` is text, `1e-4` a number, and what cannot be meant is an error."""

import re
from pathlib import Path

import yaml

from zoo.errors import ZooError

# Pattern and first characters of each kind of scalar; YAML 1.2.2, section 10.3.2
SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
}


class CoreLoader(yaml.BaseLoader):
    """PyYAML's reader with the core schema; without tags of other kinds, aliases and doubled keys."""

    yaml_implicit_resolvers = {}
    yaml_constructors = {}

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):  # a few lines of them are gigabytes
            raise yaml.composer.ComposerError(None, None, "aliases are not read", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        mapping = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in mapping:
                problem = f"key {key!r} stands there twice" if isinstance(key, str) else f"key {key!r} is no text"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping

    def construct_bool(self, node):
        return node.value.lower() == "true"

    def construct_int(self, node):
        return int(node.value, 0 if node.value[:2] in ("0o", "0x") else 10)

    def construct_float(self, node):
        return float(re.sub(r"\.(?=inf|nan)", "", node.value.lower()))

    def refuse(self, node):
        raise yaml.constructor.ConstructorError(None, None, f"tag {node.tag} is not read", node.start_mark)


class CoreDumper(yaml.SafeDumper):
    """Quotes what either schema would take for something else than text, so that old readers read it too."""


for _kind, (_pattern, _first) in SCALARS.items():
    for _class in (CoreLoader, CoreDumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), _first)
for _kind, _construct in {
    "null": lambda loader, node: None,
    "bool": CoreLoader.construct_bool,
    "int": CoreLoader.construct_int,
    "float": CoreLoader.construct_float,
    "str": yaml.BaseLoader.construct_scalar,
    "seq": lambda loader, node: loader.construct_sequence(node, deep=True),
    "map": CoreLoader.construct_mapping,
}.items():
    CoreLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _construct)
CoreLoader.add_constructor(None, CoreLoader.refuse)


def parse_yaml(text: str):
    """The value that a text stands for.

    Raises:
        yaml.YAMLError: If it is no YAML, or holds what is not read.
    """
    try:
        return yaml.load(text, CoreLoader)  # noqa: S506, it builds plain values alone
    except (RecursionError, ValueError) as error:
        raise yaml.YAMLError(f"cannot be read ({error})") from error


def to_yaml(values: dict) -> str:
    """A mapping as YAML, its keys in the order they have."""
    return yaml.dump(values, Dumper=CoreDumper, sort_keys=False, allow_unicode=True)


def read_yaml(path: str | Path) -> dict:
    """The mapping in a file.

    Raises:
        ZooError: If it cannot be read, is no YAML or holds something else.
    """
    try:
        values = parse_yaml(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ZooError(f"{path}: cannot read the recipe ({error.strerror})") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ZooError(f"{path}: no valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ZooError(f"{path}: expected a mapping of keys to values")
    return values
