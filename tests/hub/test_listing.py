"""The models of an account, ranked by the figures of their cards."""

import json
import re
import shutil

import pytest
from huggingface_hub import HfApi

from zoo.cards import model_card
from zoo.errors import ZooError
from zoo.hub.listing import find_models, hub_table
from zoo.hub.upload import commit_files, files_of

# By model: Fréchet distance, SSIM of projections, MS-SSIM of pairs (0.25 within the training images), dataset's version
MODELS = {"near": (60.0, 0.5, 0.40, "f"), "far": (150.0, 0.9, 0.05, "f"), "like": (90.0, 0.7, 0.24, "f")}
OTHER_DATA = {"elsewhere": (1.0, 0.99, 0.25, "e")}
OWNER = "clinic"  # no other test's models are there


@pytest.fixture
def api(hub, publishable, tmp_path):
    """A client that sees the models of the account, one that has not been evaluated and one of another kind."""
    if hub.api.repo_exists(f"{OWNER}/near"):
        return hub.api
    for name, (distance, ssim, pairs, version) in {**MODELS, **OTHER_DATA, "unmeasured": (0, 0, 0, "")}.items():
        folder = shutil.copytree(publishable, tmp_path / name)
        metrics = json.loads((folder / "metrics.json").read_text())
        metrics["distribution"]["fd_efficientnet_lite0"]["value"] = distance
        metrics["projection"]["ssim"]["value"] = ssim
        metrics["diversity"]["ms_ssim"]["value"] = pairs
        metrics["dataset"]["fingerprint"] = version * 64
        if not version:
            metrics = {key: metrics[key] for key in ("schema_version", "model", "training")}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        model_card.render_card(folder)
        hub.api.create_repo(f"{OWNER}/{name}")
        commit_files(hub.api, f"{OWNER}/{name}", files_of(folder), name)
    hub.api.update_repo_settings(f"{OWNER}/unmeasured", private=True)
    hub.api.create_repo(f"{OWNER}/language-model")
    return hub.api


def order(table: str) -> list[str]:
    """The models in the order of a table."""
    return [name for name in re.findall(rf"{OWNER}/([\w-]+)", table) if name in {*MODELS, *OTHER_DATA, "unmeasured"}]


def test_what_is_found(api, hub):
    found = {model.id: model for model in find_models(OWNER, api)}
    assert f"{OWNER}/language-model" not in found
    near = found[f"{OWNER}/near"]
    assert near.figures["fd_efficientnet_lite0"] == 60.0 and near.figures["projection_ssim"] == 0.5
    assert near.subject == ("ACDC (acdc-64)", "test", "f" * 64)
    assert found[f"{OWNER}/unmeasured"].private and found[f"{OWNER}/unmeasured"].results == []
    anybody = [model.id for model in find_models(OWNER, HfApi(endpoint=hub.url, token=False))]
    assert f"{OWNER}/near" in anybody and f"{OWNER}/unmeasured" not in anybody


RANKED = {
    None: (["near", "like", "far"], "lowest first"),
    "projection_ssim": (["far", "like", "near"], "highest first"),
    "diversity_ms_ssim": (["like", "near", "far"], "nearest to real images first"),
}


@pytest.mark.parametrize("metric", RANKED)
def test_ranks(api, metric):
    table = hub_table(OWNER, metric, api)
    expected, words = RANKED[metric]
    assert words in table
    # What was measured on other data is no rival and has a table of its own; what was not measured comes last
    assert order(table) == ["elsewhere", *expected, "unmeasured"]
    ranks = re.findall(r"│ +(\d|–) +│ +clinic/", table)
    assert ranks == ["1", "1", "2", "3", "–"]
    assert "60.0" in table and "0.700" in table


def test_what_cannot_be_ranked(api):
    with pytest.raises(ZooError, match="--sort: expected one of .*, projection_ssim, .*, got fun"):
        hub_table(OWNER, "fun", api)
    with pytest.raises(ZooError, match="nobody: no models with the tag cardiac-mri-zoo on the Hub"):
        hub_table("nobody", None, api)
