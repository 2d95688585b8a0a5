"""Where published models are looked for."""

import pytest

from zoo.cards.tables import models_table
from zoo.errors import ZooError
from zoo.published import places
from zoo.published.loading import DESCRIPTION, find_folder, name_of
from zoo.published.networks import load_judge


def model(folder):
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text('{"_class_name": ["pipeline", "GANPipeline"]}')
    return folder


def network(folder):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of one model and one network, and a working folder that looks like another."""
    monkeypatch.setattr(places, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.delenv("ZOO_MODELS", raising=False)
    model(tmp_path / "work" / "model_cards" / "vae-1")
    monkeypatch.chdir(tmp_path / "work")
    network(tmp_path / "checkout" / "segmenter-1")
    model(tmp_path / "checkout" / "dcgan-1")
    return tmp_path / "checkout"


def test_without_the_variable_the_checkout(checkout):
    assert places.generators() == {"dcgan-1": checkout / "dcgan-1"}
    assert places.networks("segmenter-") == {"segmenter-1": checkout / "segmenter-1"}
    assert places.networks("classifier-") == {}


def test_the_variable_comes_first(checkout, tmp_path, monkeypatch):
    other = tmp_path / "other"
    one, inside, judge = model(tmp_path / "ddpm-1"), model(other / "dcgan-1"), network(other / "segmenter-2")
    monkeypatch.setenv("ZOO_MODELS", f"{one}, {other},org/vae-2,org/segmenter-3,")
    assert places.generators() == {"ddpm-1": one, "dcgan-1": inside, "org/vae-2": "org/vae-2"}
    expected = {"segmenter-2": judge, "org/segmenter-3": "org/segmenter-3", "segmenter-1": checkout / "segmenter-1"}
    assert places.networks("segmenter-") == expected and list(places.networks("segmenter-")) == list(expected)
    assert places.resolve("dcgan-1") == inside and places.resolve("segmenter-1") == checkout / "segmenter-1"
    assert places.resolve("vae-2") == "org/vae-2"
    monkeypatch.delenv("ZOO_MODELS")
    assert places.resolve("dcgan-1") == checkout / "dcgan-1"


def test_what_the_caller_names_comes_before(checkout, tmp_path):
    assert places.resolve(tmp_path / "work") == tmp_path / "work"
    assert places.resolve("somebody/model") == "somebody/model"
    with pytest.raises(ZooError, match=r"vae-1: expected the folder .*\(ZOO_MODELS is not set; .*checkout\)"):
        places.resolve("vae-1")  # the working folder's


@pytest.mark.parametrize("entry", ["nowhere", "/no/such/folder", "a/b/c"])
def test_entries_that_name_nothing(checkout, monkeypatch, entry):
    monkeypatch.setenv("ZOO_MODELS", entry)
    with pytest.raises(ZooError, match=f"ZOO_MODELS: {entry}: expected a folder, a repo id"):
        places.generators()


def test_two_models_of_one_name(checkout, monkeypatch):
    monkeypatch.setenv("ZOO_MODELS", f"{checkout},{checkout / 'dcgan-1'}")
    with pytest.raises(ZooError, match="ZOO_MODELS: two models are named dcgan-1"):
        places.published()


def test_all_of_an_owner(checkout, signed_in, publishable, publishable_network, monkeypatch):
    for name, folder in (("places/dcgan", publishable), ("places/segmenter-x", publishable_network)):
        signed_in.api.create_repo(name, exist_ok=True)
        signed_in.api.upload_folder(repo_id=name, folder_path=folder)
    signed_in.api.create_repo("places/no-model", exist_ok=True)
    monkeypatch.setenv("ZOO_MODELS", "places/")
    assert places.generators() == {"places/dcgan": "places/dcgan"}
    assert list(places.networks("segmenter-")) == ["places/segmenter-x", "segmenter-1"]
    assert load_judge("segmenter-x", "segmenter").name == "segmenter-x"
    folder = find_folder("dcgan", files=DESCRIPTION)
    assert name_of(folder) == "dcgan" and not list(folder.rglob("*.safetensors"))
    assert "places/dcgan" in models_table({"places/dcgan": folder})
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ZooError, match="ZOO_MODELS: places/: the Hub could not be asked") as caught:
        places.generators()
    assert signed_in.token not in str(caught.value)
