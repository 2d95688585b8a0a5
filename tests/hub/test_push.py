"""Publishing models: one commit, a tag, and nothing at all of what is not fit for it."""

import json
import re
from pathlib import Path

import pytest
from huggingface_hub import HfApi

import zoo
from zoo.cards import model_card
from zoo.errors import ZooError
from zoo.hub.checks import check_model
from zoo.hub.client import hub_errors
from zoo.hub.pull import pull
from zoo.hub.push import push_model
from zoo.hub.upload import commit_files, files_of

TAG = f"v{zoo.__version__}"


def contents(folder, repo_id: str | None = None) -> dict[str, bytes]:
    """The files of a folder; with a repo id those that it has there, where the card's code names the repo."""
    found = {name: path.read_bytes() for name, path in files_of(folder).items()}
    if repo_id is not None:
        found["README.md"] = found["README.md"].replace(b"model_cards/" + folder.name.encode(), repo_id.encode())
    return found


def commits(hub, repo_id: str) -> list[str]:
    return [commit.commit_id for commit in hub.api.list_repo_commits(repo_id)]


def set_metric(folder, key: str, value: float) -> None:
    """Another figure in `metrics.json`, and the card of it."""
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["diversity"][key]["value"] = value
    (folder / "metrics.json").write_text(json.dumps(metrics))
    model_card.render_card(folder)


def test_one_commit_holds_the_folder_and_carries_the_version(hub, publishable, tmp_path):
    (publishable / "metrics-validation.json").write_text("{}")  # chose the model; stays here
    (publishable / "__pycache__").mkdir()
    (publishable / "__pycache__" / "pipeline.pyc").touch()
    address = push_model(publishable, "hearts/one-commit", api=hub.api)
    new, _ = commits(hub, "hearts/one-commit")
    assert address == f"{hub.url}/hearts/one-commit/commit/{new}"
    assert [(tag.name, tag.target_commit) for tag in hub.api.list_repo_refs("hearts/one-commit").tags] == [(TAG, new)]
    pulled = contents(pull("hearts/one-commit", tmp_path / "pulled", api=hub.api))
    expected = contents(publishable, "hearts/one-commit")
    assert pulled["README.md"].count(b"hearts/one-commit") >= 5 and b"model_cards/" not in pulled["README.md"]
    assert expected.pop("metrics-validation.json") and pulled == expected
    assert {"README.md", "LICENSE", "metrics.json", "samples.png", "model_index.json", "pipeline.py"} <= pulled.keys()
    info = hub.api.model_info("hearts/one-commit")
    assert (info.library_name, info.pipeline_tag, info.private) == (
        "diffusers",
        "unconditional-image-generation",
        False,
    )
    # Pushed again it is as it was; nothing is sent
    assert push_model(publishable, "hearts/one-commit", api=hub.api) == address
    assert len(commits(hub, "hearts/one-commit")) == 2


def test_what_a_tag_stands_on_never_changes(hub, publishable, tmp_path):
    push_model(publishable, "zoo/tagged", api=hub.api)
    first = contents(publishable, "zoo/tagged")
    set_metric(publishable, "ms_ssim", 0.5)
    (publishable / "recipe.yaml").write_text("name: tiny\n")
    model_card.render_card(publishable)
    with pytest.raises(ZooError, match=f"zoo/tagged: the tag {TAG} stands on other files; name a new one with --tag"):
        push_model(publishable, "zoo/tagged", api=hub.api)
    assert len(commits(hub, "zoo/tagged")) == 2
    push_model(publishable, "zoo/tagged", tag="v9", api=hub.api)
    (publishable / "recipe.yaml").unlink()
    model_card.render_card(publishable)
    push_model(publishable, "zoo/tagged", tag="v10", api=hub.api)
    at = {tag: contents(pull("zoo/tagged", tmp_path / tag, revision=tag, api=hub.api)) for tag in (TAG, "v9", "v10")}
    assert at[TAG] == first
    assert "recipe.yaml" in at["v9"] and "recipe.yaml" not in at["v10"]  # what the folder lost, the repo lost
    assert at["v10"] == contents(publishable, "zoo/tagged")


def test_a_branch_leaves_main_alone(hub, publishable):
    push_model(publishable, "zoo/branched", revision="next", tag="v9", api=hub.api)
    assert hub.api.list_repo_files("zoo/branched") == [".gitattributes"]
    assert "model_index.json" in hub.api.list_repo_files("zoo/branched", revision="next")
    assert "model_index.json" in hub.api.list_repo_files("zoo/branched", revision="v9")


def test_private(hub, publishable):
    other = HfApi(endpoint=hub.url, token="hf_other")
    push_model(publishable, "zoo/hidden", api=hub.api)
    assert other.repo_exists("zoo/hidden")
    push_model(publishable, "zoo/hidden", private=True, api=hub.api)  # from now on
    assert not other.repo_exists("zoo/hidden") and hub.api.repo_exists("zoo/hidden")
    with pytest.raises(ZooError, match="zoo/hidden: no such repo on the Hub that the token in use may read"):
        pull("zoo/hidden", publishable.parent / "new", api=other)
    assert not (publishable.parent / "new").exists()


def edit(file, change) -> None:
    file.write_text(change(file.read_text()))


def other_weights(folder) -> None:
    file = next(folder.rglob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1] + b"\1")


def more_weights(folder) -> None:
    (folder / "unet" / "ema.safetensors").touch()


def unknown_class(folder) -> None:
    edit(folder / "model_index.json", lambda text: text.replace("ConditionalUNet2DModel", "Surprise"))
    model_card.render_card(folder)


def forget(field: str):
    def change(folder) -> None:
        lines = (folder / "README.md").read_text().splitlines(keepends=True)
        (folder / "README.md").write_text("".join(line for line in lines if not line.startswith(f"{field}:")))

    return change


# What is done to the folder, and what is said of it
UNFIT = {
    "no picture": (lambda folder: (folder / "samples.png").unlink(), "samples.png: not found; `cardiac-zoo card"),
    "no card": (lambda folder: (folder / "README.md").unlink(), "README.md: not found; `cardiac-zoo card"),
    "no licence": (lambda folder: (folder / "LICENSE").unlink(), "LICENSE: not found; `cardiac-zoo card"),
    "no figures": (lambda folder: (folder / "metrics.json").unlink(), "metrics.json: not found; `cardiac-zoo eval"),
    "no model": (lambda folder: (folder / "model_index.json").unlink(), "no model, it has no model_index.json"),
    "pickle": (lambda folder: (folder / "unet" / "x.bin").touch(), "unet/x.bin: a pickle"),
    "other weights": (other_weights, "sha256: not that of unet/diffusion_pytorch_model.safetensors"),
    "more weights": (more_weights, "sha256: not that of unet/ema.safetensors"),
    "lost weights": (lambda folder: next(folder.rglob("*.safetensors")).unlink(), "no weights"),
    "does not load": (unknown_class, "unet: unknown class 'Surprise'"),
    "stale card": (
        lambda folder: edit(folder / "README.md", lambda text: text + "!"),
        "README.md: not what metrics",
    ),
    "stale code": (
        lambda folder: edit(folder / "pipeline.py", lambda text: f"{text}#"),
        "pipeline.py: not what this version writes; `cardiac-zoo code",
    ),
    "stale licence": (lambda folder: edit(folder / "LICENSE", lambda _: "MIT"), "LICENSE: not what metrics.json says"),
    "no YAML": (lambda folder: edit(folder / "README.md", lambda text: f"---\na: b: c\n---\n{text}"), "expected valid"),
    "library": (
        lambda folder: edit(
            folder / "README.md", lambda text: text.replace("library_name: diffusers", "library_name: x")
        ),
        "library_name: expected diffusers, got x",
    ),
    **{
        field: (forget(field), f"README.md: {field}: not found in the metadata")
        for field in ("library_name", "pipeline_tag", "license")
    },
}


@pytest.mark.parametrize(("spoil", "message"), UNFIT.values(), ids=UNFIT)
def test_what_is_not_fit_is_not_published(hub, publishable, spoil, message):
    check_model(publishable)
    spoil(publishable)
    with pytest.raises(ZooError, match=re.escape(message)) as caught:
        push_model(publishable, "zoo/unfit", api=hub.api)
    assert "\n" not in str(caught.value).strip()
    assert not hub.api.repo_exists("zoo/unfit")


def test_a_network_that_makes_no_images(hub, publishable_network, tmp_path):
    push_model(publishable_network, "zoo/segmenter", api=hub.api)
    assert contents(pull("zoo/segmenter", tmp_path / "pulled", api=hub.api)) == contents(
        publishable_network, "zoo/segmenter"
    )
    assert hub.api.model_info("zoo/segmenter").pipeline_tag == "image-segmentation"
    (publishable_network / "config.json").write_text('{"architectures": ["DCGANGenerator"]}')
    with pytest.raises(ZooError, match="config.json: architectures: expected a segmenter or classifier"):
        push_model(publishable_network, "zoo/segmenter", api=hub.api)
    assert len(commits(hub, "zoo/segmenter")) == 2


def test_a_model_without_figures_is_not_published(hub, publishable):
    metrics = json.loads((publishable / "metrics.json").read_text())
    (publishable / "metrics.json").write_text(json.dumps({key: metrics[key] for key in ("schema_version", "model")}))
    model_card.render_card(publishable)
    with pytest.raises(ZooError, match="README.md: datasets: not found in the metadata"):
        push_model(publishable, "zoo/unfit", api=hub.api)


TOKENS = ["hf_wrong0123456789", "hf_with\x01control", "hf_é_not_ascii", "hf_new\nline"]


@pytest.mark.parametrize("token", TOKENS)
def test_what_the_hub_refuses_is_told_without_the_token(hub, publishable, monkeypatch, token, caplog, capfd):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ZooError) as caught:
        push_model(publishable, "zoo/refused", api=HfApi(endpoint=hub.url, token=token))
    said = "".join(map(str, [caught.value, caught.value.__cause__, caplog.text, *capfd.readouterr()]))
    assert "zoo/refused: " in said and "\n" not in str(caught.value)
    secret = token.removeprefix("hf_").encode("unicode_escape").decode()
    assert not any(part in said for part in (token, secret, token[3:]))
    assert not hub.api.repo_exists("zoo/refused")


def test_refusals(hub, publishable):
    def refusal(repo_id: str, api) -> str:
        with pytest.raises(ZooError) as caught:
            push_model(publishable, repo_id, api=api)
        return str(caught.value)

    sign_in = "sign in with `hf auth login` or set HF_TOKEN"
    wrong, nobody = HfApi(endpoint=hub.url, token="hf_wrong"), HfApi(endpoint="http://127.0.0.1:9", token="hf_admin")
    assert refusal("zoo/x", wrong) == f"zoo/x: the Hub knows no user of the token, or there is none; {sign_in}"
    assert refusal("other/x", hub.api) == "other/x: the token in use may not write there"
    assert refusal("zoo/x", nobody) == "zoo/x: the Hub could not be reached (ConnectError)"
    assert refusal("zoo/x/y", hub.api) == "zoo/x/y: expected a repo id on the Hub (owner/name)"


def test_the_hub_validates_the_metadata_before_anything_is_sent(hub, tmp_path):
    hub.api.create_repo("zoo/metadata")
    (tmp_path / "README.md").write_text("---\nlicense: my-own\n---\n# A card\n")
    with pytest.raises(ZooError, match='zoo/metadata: Invalid metadata in README.md. - "license" must be one of'):
        with hub_errors("zoo/metadata"):
            commit_files(hub.api, "zoo/metadata", files_of(tmp_path), "card")
    assert hub.api.list_repo_files("zoo/metadata") == [".gitattributes"]


def test_a_missing_local_file_is_no_problem_of_the_hub(tmp_path):
    with pytest.raises(FileNotFoundError), hub_errors("zoo/x"):
        (tmp_path / "lost").read_bytes()


def test_what_was_pulled_can_be_pushed_again(hub, publishable, tmp_path):
    push_model(publishable, "hearts/there-and-back", api=hub.api)
    pulled = pull("hearts/there-and-back", tmp_path / "pulled" / publishable.name, api=hub.api)
    push_model(pulled, "hearts/somewhere-else", api=hub.api)
    card = hub.api.hf_hub_download("hearts/somewhere-else", "README.md", cache_dir=tmp_path / "cache")
    text = Path(card).read_text()
    assert "hearts/somewhere-else" in text and "there-and-back" not in text
