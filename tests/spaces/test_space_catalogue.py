"""What the Space offers, and what its owner attaches."""

import numpy as np
import pytest
import torch

import zoo.datasets
from zoo.errors import ZooError
from zoo.metrics.views import NAMES
from zoo.models import ViewNet, ViewNetConfig
from zoo.pipelines import GANPipeline
from zoo.published import places


def test_models_load_once_and_only_those_on_offer(pair, monkeypatch):
    import catalogue

    loads = []
    load = catalogue.zoo.from_pretrained
    monkeypatch.setattr(catalogue.zoo, "from_pretrained", lambda source: loads.append(source) or load(source))
    offered = catalogue.Catalogue.from_environment()
    assert offered.names == ["tiny-dcgan", "tiny-ddpm"] and loads == []
    assert offered.load("tiny-ddpm") is offered.load("tiny-ddpm")
    assert loads == [pair / "tiny-ddpm"]
    for name in (str(pair / "tiny-dcgan"), "../models/tiny-dcgan", None, ["tiny-dcgan"]):
        with pytest.raises(ZooError, match="model: expected one of tiny-dcgan, tiny-ddpm"):
            offered.load(name)


def test_only_a_few_models_are_held_the_one_used_last_goes_last(pair, monkeypatch):
    import catalogue

    monkeypatch.setattr(catalogue, "HELD", 1)
    offered = catalogue.Catalogue.from_environment()
    first = offered.load("tiny-ddpm")
    offered.load("tiny-dcgan")
    assert list(offered._pipelines) == ["tiny-dcgan"] and offered.load("tiny-ddpm") is not first


def test_models_are_told_of_the_best_first_and_lesions_apart(zoo_of_all, monkeypatch):
    from catalogue import Catalogue

    monkeypatch.setenv("ZOO_MODELS", str(zoo_of_all))
    offered = Catalogue.from_environment()
    assert offered.hearts[:4] == ["conditional-ddpm", "a-gan", "acgan", "cvae"] and "lesions" not in offered.hearts
    assert offered.images[-1] == "lesions" and offered.facts["lesions"].kind == "Not hearts"
    words = offered.facts["conditional-ddpm"].words
    assert words.startswith("conditional-ddpm · 2.0 × real · ") and words.endswith(" images/s")
    assert offered.seconds("conditional-ddpm", 10) == pytest.approx(10 / offered.facts["conditional-ddpm"].speed)
    offered.took("conditional-ddpm", 3.0, 2)
    assert offered.seconds("conditional-ddpm", 10) == 15.0 and offered.seconds("hearts", 1) is None


def test_models_may_be_folders_and_hub_ids(pair, monkeypatch):
    from catalogue import Catalogue

    monkeypatch.setenv("ZOO_MODELS", f"{pair / 'tiny-dcgan'}, zoo/ddpm-acdc-64")
    assert Catalogue.from_environment().names == ["tiny-dcgan", "zoo/ddpm-acdc-64"]
    monkeypatch.setenv("ZOO_MODELS", f"{pair},{pair / 'tiny-dcgan'}")
    with pytest.raises(ZooError, match="two models are named tiny-dcgan"):
        Catalogue.from_environment()


def test_what_a_model_can_is_known_before_it_is_loaded(pair, monkeypatch):
    import catalogue

    monkeypatch.setattr(catalogue.zoo, "from_pretrained", lambda source: pytest.fail("loaded"))
    offered = catalogue.Catalogue.from_environment()
    assert offered.that(lambda cls, index: cls is GANPipeline) == ["tiny-dcgan"]
    (pair / "tiny-dcgan" / "model_index.json").write_text("{")
    broken = catalogue.Catalogue.from_environment()
    assert broken.that(lambda cls, index: True) == ["tiny-ddpm"]  # the other is still offered, and says why it fails
    assert broken.names == ["tiny-dcgan", "tiny-ddpm"]


@pytest.fixture
def attached(tmp_path, phantom, monkeypatch):
    """The phantom, attached as a dataset of real images would be."""
    from attached import Attached
    from catalogue import Catalogue

    zoo.datasets.save(phantom, tmp_path / "data")
    monkeypatch.setenv("ZOO_DATASET", str(tmp_path / "data"))
    return Attached(Catalogue({}))


def test_a_dataset_is_read_when_it_is_needed(attached, phantom, monkeypatch):
    asked = []
    monkeypatch.setattr("socket.getaddrinfo", lambda host, *_, **__: asked.append(host) or [])
    assert attached.is_real and attached.title == "real"
    hearts = attached.hearts("test")
    rows = phantom.dataset["test"] if "test" in phantom.dataset else phantom.dataset[list(phantom.dataset)[-1]]
    assert len(hearts.set) == len(rows) and hearts.spacing_mm == 2.0
    np.testing.assert_array_equal(hearts.set.images[3, 0], np.asarray(rows[3]["image"]))
    assert asked == []  # no other host
    monkeypatch.setattr("attached.load_dataset", lambda *_: pytest.fail("read twice"))
    assert attached.hearts("test") is hearts


def test_images_are_chosen_by_pathology_and_seed_without_replacement(attached):
    hearts = attached.hearts("train")
    wanted = hearts.pathologies[0]
    chosen = hearts.choose(4, wanted, 3)
    np.testing.assert_array_equal(chosen, hearts.choose(4, wanted, 3))
    same = [hearts.set.images[i, 0].numpy() for i, name in enumerate(hearts.pathologies) if name == wanted]
    assert all(any(np.array_equal(image[..., 0], other) for other in same) for image in chosen)
    assert len({image.tobytes() for image in hearts.choose(10**6, None, 0)}) == len(hearts.set)
    assert len(hearts.choose(2, "no such class", 0)) == 2


def test_without_a_dataset_the_phantom_stands_in(monkeypatch):
    import attached

    monkeypatch.setattr(attached, "PHANTOM_PATIENTS", 5)
    stand_in = attached.Attached(None)
    assert not stand_in.is_real and "drawn" in stand_in.title
    assert stand_in.hearts("test").set.images.shape[1:] == (1, 64, 64)


def test_a_dataset_that_is_none_is_told(tmp_path, monkeypatch):
    from attached import Attached

    monkeypatch.setenv("ZOO_DATASET", str(tmp_path))
    with pytest.raises(ZooError, match="zoo_dataset.json; expected what `cardiac-zoo data` writes"):
        Attached(None).hearts("train")


def test_the_segmenter_is_named_by_a_variable_found_in_the_checkout_or_beside_the_models(
    publishable_network, monkeypatch, tmp_path
):
    import attached
    from catalogue import Catalogue

    monkeypatch.setenv("ZOO_SEGMENTER", str(publishable_network))
    judge = attached.Attached(Catalogue({})).segmenter()
    assert judge.name == "segmenter" and not judge.network.training
    monkeypatch.delenv("ZOO_SEGMENTER")
    assert attached.Attached(Catalogue({})).segmenter().name == "segmenter-acdc-64"
    monkeypatch.setattr(places, "CHECKOUT", tmp_path)
    of_hub = attached.Attached(Catalogue({"a": tmp_path / "a", "hearts/ddpm": "hearts/ddpm"}))
    assert of_hub._segmenter_source() == "hearts/segmenter-acdc-64"
    with pytest.raises(ZooError, match="segmenter: none is attached; name a folder or Hub id in ZOO_SEGMENTER"):
        attached.Attached(Catalogue({"a": tmp_path / "a"})).segmenter()


def test_the_network_of_views_is_found_in_the_checkout_or_there_is_none(monkeypatch, tmp_path):
    from attached import Attached
    from catalogue import Catalogue

    monkeypatch.setattr(places, "CHECKOUT", tmp_path)
    assert Attached(Catalogue({"a": tmp_path / "a"})).view() is None
    folder = tmp_path / "view-acdc-64"
    ViewNet(ViewNetConfig(NAMES, 32, block_out_channels=[8, 8], threshold=-1.0, pixel_spacing_mm=4.0)).save_pretrained(
        folder
    )
    judge = Attached(Catalogue({})).view()
    assert judge.name == "view-acdc-64" and judge.network.config.threshold == -1.0
    (folder / "config.json").write_text("{}")
    with pytest.raises(ZooError, match="config.json: architectures: expected a view of zoo.models"):
        Attached(Catalogue({})).view()


def test_a_segmenter_of_the_hub_is_downloaded(signed_in, publishable_network, monkeypatch):
    from attached import Attached
    from catalogue import Catalogue

    signed_in.api.create_repo("zoo/judge")
    signed_in.api.upload_folder(repo_id="zoo/judge", folder_path=publishable_network)
    monkeypatch.setenv("ZOO_SEGMENTER", "zoo/judge")
    masks = Attached(Catalogue({})).segmenter().masks(torch.zeros(1, 1, 16, 16, dtype=torch.uint8))
    assert masks.shape == (1, 16, 16)
    monkeypatch.setenv("ZOO_SEGMENTER", "zoo/nobody")
    with pytest.raises(ZooError, match="zoo/nobody: no such folder, and no such repo"):
        Attached(Catalogue({})).segmenter()
