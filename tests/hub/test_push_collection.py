"""Everything at once, and what a user sees of it."""

import shutil

import pytest

from zoo.errors import ZooError
from zoo.hub.push import push_collection

NAMES = [f"hearts/{name}" for name in ("a", "b", "segmenter", "tiny_metric", "cardiac-mri-zoo")]
TYPES = ["model", "model", "model", "space", "space"]


@pytest.fixture
def shop(publishable, publishable_network, tmp_path):
    """Two generators, a network, and a Space."""
    from zoo.cards.model_card import render_card

    for name in ("a", "b"):
        render_card(shutil.copytree(publishable, tmp_path / "models" / name))
    publishable_network.rename(tmp_path / "models" / "segmenter")
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "README.md").write_text("---\nsdk: static\n---\n")
    return {"models": tmp_path / "models", "space": tmp_path / "space"}


@pytest.fixture(autouse=True)
def one_metric(monkeypatch, tmp_path):
    """In place of the library's own, which another test pushes."""
    folder = tmp_path / "tiny_metric"
    folder.mkdir()
    (folder / "README.md").write_text("---\nsdk: gradio\n---\n")
    monkeypatch.setattr("zoo.hub.push.metric_folders", lambda root=None: [folder])
    return folder


def test_all_is_pushed_and_gathered_once(hub, shop):
    *pushed, address = push_collection("hearts", **shop, api=hub.api)
    assert pushed == NAMES
    assert list(push_collection("hearts", **shop, api=hub.api)) == [*NAMES, address]  # again: the same collection
    (listed,) = hub.api.list_collections(owner="hearts")
    assert address == f"{hub.url}/collections/{listed.slug}" and not listed.private
    items = [(item.item_id, item.item_type) for item in hub.api.get_collection(listed.slug).items]
    assert items == list(zip(NAMES, TYPES, strict=True))
    assert hub.api.get_space_variables(NAMES[-1])["ZOO_MODELS"].value == "hearts/a,hearts/b"


def test_nothing_is_sent_if_something_is_not_fit(hub, shop, one_metric):
    card = (one_metric / "README.md").rename(one_metric / "away.md")
    with pytest.raises(ZooError, match="tiny_metric/README.md: sdk: not found"):
        list(push_collection("zoo", **shop, api=hub.api))
    card.rename(one_metric / "README.md")
    (shop["models"] / "b" / "samples.png").unlink()
    with pytest.raises(ZooError, match="b/samples.png: not found"):
        list(push_collection("zoo", **shop, api=hub.api))
    assert not hub.api.repo_exists("zoo/a")
    with pytest.raises(ZooError, match="space: no models, expected folders with model_index.json"):
        list(push_collection("zoo", models=shop["space"], space=shop["space"], api=hub.api))


def test_private(hub, shop):
    list(push_collection("zoo", **shop, private=True, api=hub.api))
    assert hub.api.model_info("zoo/a").private and hub.api.space_info("zoo/cardiac-mri-zoo").private
    (collection,) = hub.api.list_collections(owner="zoo")
    assert collection.private
