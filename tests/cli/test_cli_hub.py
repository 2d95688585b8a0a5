"""The commands of the Hub, called as the user does, with a server that stands in for it."""

import json

import command_line
import pytest

import zoo
from zoo.published.places import list_models

TAG = f"v{zoo.__version__}"


@pytest.fixture
def run(signed_in):
    """Runs the command line as a user of the test server."""
    return command_line.run


@pytest.fixture(scope="module")
def phantom(hub, tmp_path_factory):
    """A phantom dataset, and the repo that the same command has uploaded it to."""
    folder = tmp_path_factory.mktemp("data") / "phantom"
    done = hub.cli("data", "phantom", "--num-patients", 20, "--output", folder, "--push-to-hub", "hearts/cli-phantom")
    assert done.returncode == 0, done.stderr
    assert f"{hub.url}/datasets/hearts/cli-phantom/commit/" in done.stdout.splitlines()[-1]
    return folder, "hearts/cli-phantom"


def test_push_list_and_pull(run, hub, publishable, tmp_path):
    code, output, _ = run("push", publishable, "ward/tiny", "--dry-run")
    assert code == 0 and not hub.api.repo_exists("ward/tiny")
    *files, last = output.splitlines()
    assert last.endswith(f"{len(files)} files, one commit, tag {TAG}; nothing was sent")
    size = (publishable / "metrics.json").stat().st_size
    assert f"{size:,} metrics.json" in [line.strip() for line in files]

    code, output, _ = run("push", publishable, "ward/tiny", "--private")
    assert code == 0 and output.startswith(f"{hub.url}/ward/tiny/commit/")
    assert hub.api.model_info("ward/tiny").private
    assert run("push", publishable, "ward/tiny", "--public", "--revision", "next", "--tag", "v-next")[0] == 0
    assert not hub.api.model_info("ward/tiny").private
    refs = hub.api.list_repo_refs("ward/tiny")
    assert {branch.name for branch in refs.branches} == {"main", "next"}
    assert {tag.name for tag in refs.tags} == {TAG, "v-next"}

    code, output, _ = run("list", "--hub", "ward", "--sort", "share_copies")
    assert code == 0 and "ward/tiny" in output and "share_copies, lowest first" in output and "1.2 %" in output
    code, _, error = run("list", "--hub", "ward", "--sort", "fun")
    assert code == 2 and "--sort: expected one of " in error
    code, _, error = run("list", "--sort", "fun")
    assert code == 2 and "--sort: expected --hub too" in error

    code, output, _ = run("pull", "ward/tiny", tmp_path / "pulled", "--revision", TAG)
    assert code == 0 and output == f"{tmp_path / 'pulled'}\n"
    assert type(zoo.from_pretrained(tmp_path / "pulled")).__name__ == "ConditionalDDPMPipeline"
    code, _, error = run("pull", "ward/tiny", tmp_path / "pulled")
    assert code == 2 and "pulled: expected a new or empty folder" in error


def test_what_is_not_fit_is_one_line(run, hub, publishable):
    (publishable / "samples.png").unlink()
    for more in ((), ("--dry-run",)):
        code, _, error = run("push", publishable, "ward/unfit", *more)
        assert code == 2 and error.startswith("cardiac-zoo: error: ") and "samples.png: not found" in error
    assert not hub.api.repo_exists("ward/unfit")


def test_a_built_dataset_is_pushed_and_loads_back(hub, phantom):
    folder, repo_id = phantom
    code = f"""
import datasets, json
local, remote = datasets.load_dataset({str(folder)!r}), datasets.load_dataset({repo_id!r})
assert local.keys() == remote.keys() == {{"train", "validation", "test"}}
for split in local:
    assert local[split]["patient_id"][:] == remote[split]["patient_id"][:]
    assert all(a["image"].tobytes() == b["image"].tobytes() for a, b in zip(local[split], remote[split], strict=True))
print(remote["test"].num_rows, remote["test"].features["pathology"].names)
"""
    rows, names = hub.python(code).splitlines()[-1].split(" ", 1)
    info = json.loads((folder / "zoo_dataset.json").read_text())
    assert int(rows) == info["splits"]["test"]["num_images"] and "HCM" in names
    assert not hub.api.dataset_info(repo_id).private  # drawn hearts are nobody's


def test_acdc_is_private_and_gated_unless_told_otherwise(run, hub, phantom, tmp_path):
    """By the licence that `zoo_dataset.json` names; the images are a phantom's."""
    folder, _ = phantom
    info = folder / "zoo_dataset.json"
    before = info.read_text()
    try:
        for number, licence in enumerate(("cc-by-nc-sa-4.0", "unknown")):  # ACDC's, and that of a user's own folder
            info.write_text(json.dumps({**json.loads(before), "license": licence}))
            repo_id = f"ward/acdc-{number}"
            hub.api.create_repo(repo_id, repo_type="dataset")  # public, and made private before anything is sent
            code, output, _ = run("push-dataset", folder, repo_id)
            found = hub.api.dataset_info(repo_id)
            assert code == 0 and output.startswith(f"{hub.url}/datasets/{repo_id}/commit/")
            assert (found.private, found.gated) == (True, "manual")
        assert run("push-dataset", folder, "ward/acdc-0", "--public")[0] == 0
        found = hub.api.dataset_info("ward/acdc-0")
        assert (found.private, found.gated) == (False, False)
    finally:
        info.write_text(before)
    assert run("push-dataset", folder, "ward/phantom", "--private")[0] == 0
    assert hub.api.dataset_info("ward/phantom").private
    code, _, error = run("push-dataset", tmp_path, "ward/none")
    assert code == 2 and "no readable zoo_dataset.json" in error


def test_space_metrics_and_collection(run, hub, publishable, tmp_path, monkeypatch):
    space = tmp_path / "space"
    space.mkdir()
    (space / "README.md").write_text("---\nsdk: static\n---\n")
    code, output, _ = run("push-space", "ward/space", "--folder", space, "--models", "ward/a,ward/b", "--private")
    assert code == 0 and output == f"{hub.url}/spaces/ward/space\n"
    assert hub.api.space_info("ward/space").private
    assert hub.api.get_space_variables("ward/space")["ZOO_MODELS"].value == "ward/a,ward/b"

    (tmp_path / "models").mkdir()
    publishable.rename(tmp_path / "models" / "tiny")
    assert list_models(tmp_path / "models")
    monkeypatch.setattr("zoo.hub.push.metric_folders", lambda root=None: [space])
    assert run("push-metrics", "ward") == (0, "ward/space\n", "")
    (tmp_path / "spaces").mkdir()
    space.rename(tmp_path / "spaces" / "cardiac-mri-zoo")
    monkeypatch.setattr("zoo.hub.push.metric_folders", lambda root=None: [tmp_path / "spaces" / "cardiac-mri-zoo"])
    monkeypatch.chdir(tmp_path)
    code, output, _ = run("collection", "ward", "--root", "models", "--private", "--tag", "v3")
    *pushed, address = output.splitlines()
    assert code == 0 and pushed == ["ward/tiny", "ward/cardiac-mri-zoo", "ward/cardiac-mri-zoo"]
    assert address.startswith(f"{hub.url}/collections/ward/cardiac-mri-zoo-")
    assert "v3" in [tag.name for tag in hub.api.list_repo_refs("ward/tiny").tags]


# Not even in a traceback, nor in the client's most talkative log
TALKATIVE = {"HF_HUB_VERBOSITY": "debug", "HF_DEBUG": "1"}


@pytest.mark.parametrize(
    ("token", "options", "settings"),
    [("hf_wrong_token0123", [], TALKATIVE), ("hf_control\x01token0123", ["--debug"], {})],
    ids=["wrong", "not sendable"],
)
def test_a_token_is_never_told(hub, phantom, token, options, settings):
    folder, _ = phantom
    done = hub.cli("push-dataset", folder, "ward/refused", *options, HF_TOKEN=token, **settings)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "ward/refused: " in said and "token0123" not in said
    assert "Traceback" in said or not options


def test_code_is_written_anew(publishable):
    (publishable / "pipeline.py").write_text("")
    assert command_line.run("code", publishable) == (0, f"{publishable / 'pipeline.py'}\n", "")
    assert command_line.run("code", publishable) == (0, "", "")
