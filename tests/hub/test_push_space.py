"""Publishing the Space and the metrics, and loading them from there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.errors import ZooError
from zoo.hub.pull import pull
from zoo.hub.push import metric_folders, push_metrics, push_model, push_space
from zoo.hub.upload import files_of

SPACE = Path(__file__).resolve().parents[2] / "spaces" / "cardiac-mri-zoo"
OPEN_THE_SPACE = """
import gradio, app, zoo
page = app.build()
words = " ".join(str(block.value) for block in page.blocks.values() if isinstance(getattr(block, "value", None), str))
print(zoo.__file__, app.Catalogue.from_environment().names, "no models here" in words)
"""
MODULE = """
import datasets
import evaluate
from shift import SHIFT

class TinyMetric(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=datasets.Features(
            {"predictions": datasets.Value("float"), "references": datasets.Value("float")}))

    def _compute(self, predictions, references):
        return {"tiny": sum(predictions) - sum(references) + SHIFT}
"""


def test_the_space_runs_on_what_was_pushed_alone(hub, publishable, tmp_path):
    push_model(publishable, "hearts/space-model", api=hub.api)
    push_model(publishable, "hearts/space-secret", private=True, api=hub.api)
    address = push_space(SPACE, "hearts/space", api=hub.api)
    assert address == f"{hub.url}/spaces/hearts/space"
    variables = hub.api.get_space_variables("hearts/space")
    assert "hearts/space-model" in variables["ZOO_MODELS"].value.split(",")
    assert "hearts/space-secret" not in variables["ZOO_MODELS"].value  # visitors could not load it
    assert len(hub.api.list_repo_commits("hearts/space", repo_type="space")) == 2

    pulled = pull("hearts/space", tmp_path / "space", repo_type="space", api=hub.api)
    env = {
        **hub.env,
        "ZOO_MODELS": "hearts/space-model",
        "PYTHONPATH": str(pulled),
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    command = [sys.executable, "-c", OPEN_THE_SPACE]
    done = subprocess.run(command, env=env, cwd=pulled, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=1) == [str(pulled / "zoo" / "__init__.py"), "['hearts/space-model'] False\n"]

    push_space(SPACE, "hearts/space", models=["zoo/other"], api=hub.api)
    assert hub.api.get_space_variables("hearts/space")["ZOO_MODELS"].value == "zoo/other"


def test_byte_code_stubs_and_hidden_files_stay_behind(tmp_path):
    for name in ("app.py", "style.css", "widgets.pyi", ".env", "__pycache__/app.pyc", "sweep/index.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert list(files_of(tmp_path)) == ["app.py", "style.css", "sweep/index.json"]


def test_a_folder_that_is_no_space_is_refused(hub, tmp_path):
    with pytest.raises(ZooError, match="README.md: sdk: not found; expected the header of a Space"):
        push_space(tmp_path, "zoo/no-space", api=hub.api)
    (tmp_path / "README.md").write_text("---\nsdk: gradio\napp_file: app.py\n---\n")
    with pytest.raises(ZooError, match="app.py: not found; .*README.md names it as app_file"):
        push_space(tmp_path, "zoo/no-space", api=hub.api)
    assert not hub.api.repo_exists("zoo/no-space", repo_type="space")


@pytest.fixture
def modules(tmp_path):
    """A folder with one `evaluate` module of two files, and a file that is none."""
    (tmp_path / "metrics" / "tiny_metric").mkdir(parents=True)
    (tmp_path / "metrics" / "other").mkdir()
    (tmp_path / "metrics" / "other" / "other.py").write_text("class Metric: ...\n")
    folder = tmp_path / "metrics" / "tiny_metric"
    (folder / "tiny_metric.py").write_text(MODULE.replace("from shift", "from .shift"))
    (folder / "shift.py").write_text("SHIFT = 0.5\n")
    (folder / "README.md").write_text("---\ntitle: Tiny\nsdk: gradio\n---\n")
    return tmp_path


def test_metrics_are_found_by_evaluate(hub, modules):
    assert metric_folders(modules) == [modules / "metrics" / "tiny_metric"]
    assert list(push_metrics("hearts", root=modules, api=hub.api)) == ["hearts/tiny_metric"]
    code = """
import evaluate
print(evaluate.load("hearts/tiny_metric").compute(predictions=[1.0, 2.0], references=[1.0, 1.0]))
"""
    assert hub.python(code).splitlines()[-1] == "{'tiny': 1.5}"


def test_metrics_that_are_no_spaces_are_refused(hub, modules):
    (modules / "metrics" / "tiny_metric" / "README.md").unlink()
    with pytest.raises(ZooError, match="tiny_metric/README.md: sdk: not found"):
        list(push_metrics("other", root=modules, api=hub.api))
    with pytest.raises(ZooError, match="no `evaluate` modules"):
        list(push_metrics("hearts", root=modules / "metrics" / "other", api=hub.api))


def test_every_metric_of_the_library_has_the_card_of_a_space(hub):
    folders = metric_folders()
    if not folders:
        pytest.skip("the library has no `evaluate` modules")
    pushed = list(push_metrics("zoo", api=hub.api))
    assert pushed == [f"zoo/{folder.name}" for folder in folders]
    for repo_id in pushed:
        assert f"{repo_id.split('/')[1]}.py" in hub.api.list_repo_files(repo_id, repo_type="space")
    assert os.path.commonpath([*folders, Path(zoo.__file__)]) == str(Path(zoo.__file__).parent)
