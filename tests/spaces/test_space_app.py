"""The Space as a whole: what stands in its folder, what the page offers, and how it is started."""

import ast
import importlib
import importlib.metadata
import re
import sys
import tomllib
import types
from pathlib import Path

import gradio
import pytest
import yaml
from command_line import run

import zoo

ROOT = Path(__file__).resolve().parents[2]
SPACE = ROOT / "spaces" / "cardiac-mri-zoo"


def words_of(page) -> str:
    """All Markdown and HTML of a page."""
    kinds = gradio.Markdown, gradio.HTML
    return "\n".join(str(block.value) for block in page.blocks.values() if isinstance(block, kinds))


def tabs_of(page) -> list[str]:
    return re.findall(r'data-tab="(\w+)"', words_of(page))


def test_the_header_says_what_a_space_needs():
    header = yaml.safe_load((SPACE / "README.md").read_text().split("---")[1])
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert f"gradio=={header['sdk_version']}" in pins
    assert (header["sdk"], header["license"]) == ("gradio", "apache-2.0")
    assert (SPACE / header["app_file"]).is_file()
    assert len(header["short_description"]) <= 60  # the Hub refuses longer ones


def test_requirements_are_what_the_space_and_the_library_behind_it_import(app):
    lines = [line for line in (SPACE / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(lines) <= set(known)  # the same ranges
    library = [Path(zoo.__file__).parent / f"{name.replace('.', '/')}" for name in ("datasets", "hub", "metrics")]
    files = [*SPACE.glob("*.py"), *(file for folder in library for file in folder.rglob("*.py"))]
    imported = {name for file in files for name in imports_of(file)}
    own = {file.stem for file in SPACE.glob("*.py")} | {"zoo", "gradio", "spaces"}  # the last two are the Hub's matter
    distributions = importlib.metadata.packages_distributions()
    missing = {
        name
        for name in imported - own - sys.stdlib_module_names
        if not any(line.startswith(f"{distributions[name][0]}>") for line in lines)
    }
    # tqdm and PyYAML come with huggingface_hub; evaluate's modules and jinja2's templates are not for visitors
    assert missing <= {"tqdm", "yaml", "evaluate", "jinja2"}


def imports_of(file: Path) -> set[str]:
    """Packages that a file imports when it is imported itself; guarded and late imports are not among them."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_all_tabs_and_the_notice_are_there(app, zoo_of_all, sweep, real, monkeypatch):
    monkeypatch.setenv("ZOO_MODELS", str(zoo_of_all))
    monkeypatch.setenv("ZOO_STYLE_SWEEP", str(sweep))
    monkeypatch.setenv("ZOO_DATASET", str(real))
    page = app.build()
    names = ["generate", "order", "dataset", "measure", "reader", "compare", "denoise", "latent", "style"]
    assert tabs_of(page) == names
    words = words_of(page)
    assert "nothing here may be used for diagnosis" in words and "waits for" not in words and "wait for" not in words


def test_tabs_that_nothing_could_fill_are_left_out_or_say_what_they_wait_for(
    app, tmp_path, monkeypatch, unconditional_ddpm, cvae
):
    unconditional_ddpm.save_pretrained(tmp_path / "ddpms" / "one")
    monkeypatch.setenv("ZOO_MODELS", str(tmp_path / "ddpms"))
    page = app.build()
    assert {"order", "reader"}.isdisjoint(tabs_of(page))  # no model takes millimetres, no image is real
    words = words_of(page)
    assert "waits for a one-pass model: a family such as vae" in words
    assert "wait for a model of the family infogan" in words
    assert "waits for a model of the family style-transfer, or for a precomputed grid" in words
    assert "waits for a model that works in steps" not in words
    cvae.save_pretrained(tmp_path / "vaes" / "one")
    monkeypatch.setenv("ZOO_MODELS", str(tmp_path / "vaes"))
    assert "waits for a model that works in steps: a family such as ddpm" in words_of(app.build())


def test_without_models_the_page_says_so(app, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_MODELS", str(tmp_path))
    page = app.build()
    assert "no models here" in words_of(page)
    assert not any(isinstance(block, gradio.Button) for block in page.blocks.values())


def test_the_published_models_are_offered(app):
    from catalogue import Catalogue

    offered = Catalogue.from_environment()
    assert {"dcgan-acdc-64", "ddpm-acdc-64"} <= set(offered.names)
    assert "segmenter-acdc-64" not in offered.names  # it makes no images


def test_zero_gpu_is_asked_for_whatever_runs_a_network(monkeypatch):
    """Each function that yields news of a network is decorated, and what it is given can go to another process."""
    import pickle

    import events
    from catalogue import Catalogue

    lent = []
    package = types.ModuleType("spaces")
    package.GPU = lambda function: lent.append(function.__name__) or function
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "spaces", package)
        importlib.reload(events)
        events.on_gpu(len)
    assert lent == ["len"]
    importlib.reload(events)
    decorated = [line for file in SPACE.glob("*.py") for line in file.read_text().split("@on_gpu\ndef ")[1:]]
    names = {text.partition("(")[0] for text in decorated}
    assert {"sample", "measure", "ask_models", "make", "paint", "edit", "_run", "_walk", "_steer"} <= names
    assert pickle.loads(pickle.dumps(Catalogue({"a": "b/c"}))).sources == {"a": "b/c"}


def test_the_command_starts_it(monkeypatch):
    started = []
    monkeypatch.setattr("os.execve", lambda program, words, env: started.append((program, words, env)))
    assert run("space", "--port", "7999")[0] == 0
    (program, words, env), port = started[0], "GRADIO_SERVER_PORT"
    assert (program, words, env[port]) == (sys.executable, [sys.executable, str(SPACE / "app.py")], "7999")
    monkeypatch.delenv(port, raising=False)
    run("space")
    assert port not in started[1][2]


def test_the_command_needs_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(zoo, "__file__", str(tmp_path / "site-packages" / "zoo" / "__init__.py"))
    code, _, error = run("space")
    assert code == 2 and "app.py: not found; expected a checkout of the project" in error
    assert len(error.splitlines()) == 1


@pytest.mark.slow
def test_it_really_starts(zoo_of_all, tmp_path):
    import os
    import socket
    import subprocess
    import time
    from urllib.request import urlopen

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {"ZOO_MODELS": str(zoo_of_all), "GRADIO_TEMP_DIR": str(tmp_path)}
    command = [sys.executable, "-c", "from zoo.cli import main; main()", "space", "--port", str(port)]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    assert "Cardiac MRI Zoo" in urlopen(f"http://127.0.0.1:{port}").read().decode()
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < deadline
                    time.sleep(0.3)
        finally:
            process.terminate()
