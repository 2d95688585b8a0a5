"""The files around the code say what is true of it."""

import ast
import graphlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import zoo
from zoo.cli import app
from zoo.pipelines.auto import PIPELINES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [*sorted(ROOT.glob("*.md")), *(ROOT / name for name in ("model_cards/README.md", "training/README.md"))]
PAGES += sorted((ROOT / "training/reports").glob("*.md"))
GROUND = {"errors", "files", "png", "warp", "figures", "anatomy", "sources", "hardware", "progress", "families"}
# From the ground up; rooms of one floor do not import each other, those of the ground may. `zoo` itself is the front
# door: what `import zoo` gives
FLOORS = [
    GROUND,
    {"models"},
    {"published", "datasets"},
    {"pipelines", "cards"},
    {"zoo"},
    {"samples"},
    {"metrics"},
    {"hub", "style", "exports"},
    {"cli"},
]


def code_blocks(text: str) -> str:
    """The shell lines of a page, comments and line continuations removed."""
    blocks = "".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    return re.sub(r" +#.*", "", blocks.replace("\\\n", " "))


def test_constraints_are_exact_and_satisfy_every_dependency_of_the_makefile():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)  # no local version, no address
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    extras = PROJECT["optional-dependencies"]
    dependencies = [
        *PROJECT["dependencies"],
        *(line for extra in ("eval", "onnx", "space", "train", "dev") for line in extras[extra]),
    ]
    for requirement in map(Requirement, dependencies):
        name = canonicalize_name(requirement.name)
        assert name == PROJECT["name"] or requirement.specifier.contains(pins[name]), requirement


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert zoo.__version__ == PROJECT["version"] == citation["version"]
    assert f"## {zoo.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert PROJECT["license"] == citation["license"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_exist(page):
    commands = typer.main.get_command(app).commands
    lines = [shlex.split(line) for line in code_blocks(page.read_text()).splitlines()]
    for _, name, *words in (words for words in lines if words[:1] == ["cardiac-zoo"]):
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, words
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {words[1] for words in lines if words[:1] == ["make"]} <= set(targets)
    scripts = [word for words in lines for word in words if word.startswith("training/")]
    assert all((ROOT / script).exists() for script in scripts if "NAME" not in script)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


def test_the_readme_shows_the_picture_the_two_commands_and_the_table():
    assert re.match(r"# .*\n\n!\[.*\]\(model_cards/.*\.png\)", README)
    assert {"make demo", "make test"} <= set(map(str.strip, code_blocks(README).splitlines()))
    pages = {"README.md": ["results"], "model_cards/README.md": ["results"]}
    pages |= {"training/reports/published.md": ["study-a", "study-c"]}
    for page, sections in pages.items():
        text = (ROOT / page).read_text()
        for section in sections:
            begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
            assert text.count(begin) == text.count(end) == 1
            assert text.index(begin) < text.index(end)


def test_the_front_page_is_two_screens_and_its_tables_fit_one():
    lines = README.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(lines) <= 130
    heads = 2 * sum(line.startswith("| ---") for line in table)  # one a resolution
    assert len(table) - heads <= 8 and table[0].count("|") - 1 <= 7


def test_ci_runs_the_fast_tests():
    assert os.access(ROOT / ".ci/run", os.X_OK)
    plan = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert '-m "not slow"' in plan


def test_nothing_that_does_not_belong_is_tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listing.stdout.splitlines()]
    volumes_and_pickles = {".nii", ".gz", ".dcm", ".npz", ".h5", ".parquet", ".pt", ".pth", ".bin", ".ckpt", ".pkl"}
    generated = ROOT / "spaces/cardiac-mri-zoo/style-sweep/data"  # by a published model alone, as a test of it checks
    assert [file for file in files if file.suffix in volumes_and_pickles and file.parent != generated] == []
    assert [file for file in files if file.exists() and file.stat().st_size > 10e6] == []


def imports() -> dict[str, set[str]]:
    """The modules of the library that each one imports, at the top, inside of functions and for type checkers."""
    files = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "zoo").rglob("*.py")}
    files = {path: name.removesuffix(".__init__") for path, name in files.items()}
    found = {name: set() for name in files.values()}
    for path, name in files.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text())):
            targets = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                source = ".".join([*above, *filter(None, [node.module])])
                inside = [f"{source}.{alias.name}" for alias in node.names]
                targets = [target if target in found else source for target in inside]
            found[name] |= {target for target in targets if target in found}
            assert all(target in found for target in targets if target.partition(".")[0] == "zoo"), (name, targets)
    # Named by a table, so that each is imported when it is first asked for
    found["zoo.pipelines.auto"] |= {f"zoo.pipelines.{file}" for file in PIPELINES.values()}
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_no_two_files_import_each_other():
    try:
        graphlib.TopologicalSorter(imports()).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle: {' → '.join(error.args[1])}")


def test_no_file_imports_one_of_a_higher_floor():
    floor = {name: number for number, rooms in enumerate(FLOORS) for name in rooms}
    assert {room(module) for module in imports()} == set(floor)
    wrong = [
        f"{module} → {target}"
        for module, targets in imports().items()
        for target in targets
        if room(module) != room(target)
        and floor[room(module)] <= floor[room(target)]
        and not {room(module), room(target)} <= GROUND
    ]
    assert wrong == []


def test_files_that_travel_alone_import_what_others_have():
    """`models` nothing of the project, pipelines the folder they are published with; `anatomy` numpy and scipy."""
    found = imports()
    own = [target for module in found if room(module) == "models" for target in found[module]]
    assert {room(target) for target in own} <= {"models"}
    files = [module for module in found if room(module) == "pipelines" and module != "zoo.pipelines.auto"]
    assert {room(target) for module in files for target in found[module]} <= {"pipelines", "published", "anatomy"}
    tree = ast.parse((ROOT / "zoo" / "anatomy.py").read_text())
    names = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert names == ["numpy", "scipy"]


def test_datasets_need_no_torch():
    code = "import zoo.datasets, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
