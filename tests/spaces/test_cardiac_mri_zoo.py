"""The Space: its models, what it lets visitors ask for, what they get, and one visit through a real server."""

import csv
import gzip
import importlib.util
import io
import json
import socket
import zipfile
from pathlib import Path

import gradio
import nibabel
import numpy as np
import pytest
import yaml
from PIL import Image

from zoo.errors import ZooError
from zoo.pipelines import sample_generators

SPACE = Path(__file__).resolve().parents[2] / "spaces" / "cardiac-mri-zoo"
DRAWN = ["drawn"] * 3


@pytest.fixture
def space(monkeypatch):
    """The module `app.py` of the Space, whose siblings can be imported."""
    monkeypatch.syspath_prepend(SPACE)
    spec = importlib.util.spec_from_file_location("cardiac_mri_zoo_space", SPACE / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def models(tmp_path, monkeypatch, dcgan, conditional_ddpm):
    """A folder of two small published models, which `ZOO_MODELS` names."""
    folder = tmp_path / "models"
    dcgan.save_pretrained(folder / "tiny-dcgan")
    conditional_ddpm.save_pretrained(folder / "tiny-ddpm")
    monkeypatch.setenv("ZOO_MODELS", str(folder))
    return folder


@pytest.fixture
def sample(space):
    from sampling import sample

    return sample


@pytest.fixture
def ask(sample, conditional_ddpm, tmp_path):
    """A request to the diffusion model with some values replaced."""

    def ask(**changes):
        sent = {"labels": DRAWN, "count": 2, "seed": 0, "steps": 2, "guidance": 1.0, **changes}
        return sample(conditional_ddpm, "tiny", tmp_path / "work", **sent)

    return ask


def unzip(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def pixels(pictures) -> list[np.ndarray]:
    return [np.asarray(image) for image, _ in pictures]


def words_of(page) -> str:
    """All Markdown of a page."""
    return "\n".join(str(block.value) for block in page.blocks.values() if isinstance(block, gradio.Markdown))


def test_images_are_those_of_the_pipeline_enlarged_by_a_whole_factor(sample, dcgan, tmp_path):
    found = sample(dcgan, "tiny", tmp_path, DRAWN, 3, 7, None, None)
    expected = dcgan(3, generator=sample_generators(7, range(3)), output_type="np").images[..., 0]
    assert len(found.pictures) == 3 and found.seconds > 0
    for picture, image in zip(pixels(found.pictures), expected, strict=True):
        assert picture.shape == (256, 256)
        np.testing.assert_array_equal(picture, (image * 255).round().astype(np.uint8).repeat(16, 0).repeat(16, 1))


def test_the_seed_alone_decides(ask):
    first, again, other = (pixels(ask(seed=seed).pictures) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_classes_reach_the_model_and_the_captions(ask):
    assert [caption for _, caption in ask(labels=["HCM", "ES", "drawn"]).pictures] == ["HCM · ES"] * 2
    assert [caption for _, caption in ask(labels=["any", "ED", None]).pictures] == ["pathology left open · ED"] * 2
    drawn = {caption for _, caption in ask(count=16).pictures}
    assert drawn <= {f"{pathology} · {phase}" for pathology in ("NOR", "HCM") for phase in ("ED", "ES")}
    assert len(drawn) > 1


def test_steps_and_guidance_reach_the_model(ask):
    plain, more_steps, guided = (ask(**change) for change in ({}, {"steps": 3}, {"guidance": 3}))
    assert not np.array_equal(pixels(plain.pictures), pixels(more_steps.pictures))
    assert not np.array_equal(pixels(plain.pictures), pixels(guided.pictures))


def test_downloads_hold_the_same_images_in_their_own_size(ask):
    found = ask(labels=["HCM", "drawn", "drawn"], seed=5)
    assert (found.png.name, found.nifti.name) == ("tiny_seed5_png.zip", "tiny_seed5_nifti.zip")
    png, nifti = unzip(found.png), unzip(found.nifti)
    assert set(png) == {"00000.png", "00001.png", "samples.csv"}
    assert set(nifti) == {"00000.nii.gz", "00001.nii.gz", "samples.csv"}
    rows = list(csv.DictReader(io.StringIO(png["samples.csv"].decode())))
    assert [(row["seed"], row["index"], row["pathology"]) for row in rows] == [("5", "0", "HCM"), ("5", "1", "HCM")]
    for index, shown in enumerate(pixels(found.pictures)):
        small = np.asarray(Image.open(io.BytesIO(png[f"0000{index}.png"])))
        assert small.shape == (8, 8)
        np.testing.assert_array_equal(shown[::32, ::32], small)
        volume = nibabel.Nifti1Image.from_bytes(gzip.decompress(nifti[f"0000{index}.nii.gz"]))
        assert volume.header.get_zooms() == (2.0, 2.0, 1.0)
        np.testing.assert_allclose(volume.get_fdata()[..., 0].T * 255, small, atol=0.51)


def test_formats_cost_one_sampling(sample, dcgan, tmp_path, monkeypatch):
    calls = []
    original = type(dcgan).__call__
    monkeypatch.setattr(type(dcgan), "__call__", lambda *args, **kwargs: calls.append(1) or original(*args, **kwargs))
    assert sample(dcgan, "tiny", tmp_path, DRAWN, 2, 0, None, None).nifti.is_file()
    assert len(calls) == 1


def test_no_nifti_without_a_spacing(sample, dcgan, tmp_path):
    dcgan.register_to_config(pixel_spacing_mm=None)
    found = sample(dcgan, "tiny", tmp_path, DRAWN, 1, 0, None, None)
    assert found.nifti is None and found.png.is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 17}, "count: expected a whole number from 1 to 16, got 17"),
        ({"count": 0}, "count: expected"),
        ({"count": 2.5}, "count: expected a whole number"),
        ({"count": "8"}, "count: expected"),
        ({"count": True}, "count: expected"),
        ({"count": float("nan")}, "count: expected"),
        ({"seed": -1}, "seed: expected a whole number from 0 to 4294967295, got -1"),
        ({"seed": None}, "seed: expected"),
        ({"steps": 101}, "steps: expected a whole number from 1 to 100, got 101"),
        ({"guidance": float("inf")}, "guidance: expected a number from 0 to 5.0, got inf"),
        ({"labels": ["XYZ", "drawn", "drawn"]}, "pathology: unknown class 'XYZ'"),
        ({"labels": [["HCM"], "drawn", "drawn"]}, "pathology: unknown class"),
        ({"labels": ["drawn", "drawn", "mid"]}, "slice_level: not a condition of this model"),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_one_line(ask, change, message):
    with pytest.raises(ZooError, match=message) as refusal:
        ask(**change)
    assert "\n" not in str(refusal.value)


def test_models_load_once_and_only_those_on_offer(space, models, monkeypatch):
    import catalogue

    loads = []
    load = catalogue.zoo.from_pretrained
    monkeypatch.setattr(catalogue.zoo, "from_pretrained", lambda source: loads.append(source) or load(source))
    offered = catalogue.Catalogue.from_environment()
    assert offered.names == ["tiny-dcgan", "tiny-ddpm"] and loads == []
    assert offered.load("tiny-ddpm") is offered.load("tiny-ddpm")
    assert loads == [models / "tiny-ddpm"]
    for name in (str(models / "tiny-dcgan"), "../models/tiny-dcgan", None, ["tiny-dcgan"]):
        with pytest.raises(ZooError, match="model: expected one of tiny-dcgan, tiny-ddpm"):
            offered.load(name)


def test_models_may_be_folders_and_hub_ids(space, models, monkeypatch):
    import catalogue

    monkeypatch.setenv("ZOO_MODELS", f"{models / 'tiny-dcgan'}, zoo/ddpm-acdc-64")
    assert catalogue.Catalogue.from_environment().names == ["tiny-dcgan", "zoo/ddpm-acdc-64"]
    monkeypatch.setenv("ZOO_MODELS", f"{models},{models / 'tiny-dcgan'}")
    with pytest.raises(ZooError, match="two models are named tiny-dcgan"):
        catalogue.Catalogue.from_environment()


def test_without_models_the_page_says_so(space, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_MODELS", str(tmp_path))
    page = space.build()
    assert "no models here" in words_of(page)
    assert not any(isinstance(block, gradio.Button) for block in page.blocks.values())


def test_results(space, models, metrics):
    from catalogue import Catalogue
    from tab_results import table

    offered = Catalogue.from_environment()
    assert table(offered) == "None of these models has been evaluated yet."
    (models / "tiny-ddpm" / "metrics.json").write_text(json.dumps(metrics))
    found = table(offered)
    assert "| tiny-ddpm | 85.0 [83.0, 87.0] (× 2.50) |" in found and "*real images*" in found
    assert "tiny-dcgan" not in found and "Intervals are 95 %" in found
    (models / "tiny-ddpm" / "metrics.json").write_text("{")
    assert table(offered).startswith("No table: ") and "\n" not in table(offered)


def test_results_name_a_model_of_the_hub_by_its_id(space, models, metrics, monkeypatch):
    import tab_results
    from catalogue import Catalogue

    snapshot = (models / "tiny-ddpm").rename(models / "0123abcd")  # the Hub's cache names folders by commit
    (snapshot / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.setattr(tab_results, "find_folder", lambda source: snapshot)
    assert "| zoo--ddpm-acdc-64 |" in tab_results.table(Catalogue({"zoo/ddpm-acdc-64": "zoo/ddpm-acdc-64"}))


def test_the_header_says_what_a_space_needs():
    header = yaml.safe_load((SPACE / "README.md").read_text().split("---")[1])
    pins = (SPACE.parents[1] / "constraints.txt").read_text().splitlines()
    assert f"gradio=={header['sdk_version']}" in pins
    assert (header["sdk"], header["license"]) == ("gradio", "apache-2.0")
    assert (SPACE / header["app_file"]).is_file()
    assert len(header["short_description"]) <= 60  # the Hub refuses longer ones


def test_a_visit(space, models, metrics, tmp_path, monkeypatch):
    """Through HTTP: the page, a request, its files, refusals; and no other host is looked up."""
    from gradio_client import Client

    (models / "tiny-ddpm" / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    hosts = set()
    look_up = socket.getaddrinfo

    def note(host, *rest, **more):
        hosts.add(host)
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", note)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = space.build()
    try:
        _, url, _ = space.launch(page, server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True)
        with monkeypatch.context() as offline:  # the client, not the Space, reports to the Hub that it starts
            offline.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
            downloads = str(tmp_path / "downloads")
            client = Client(url, verbose=False, download_files=downloads, analytics_enabled=False)
        assert "not be used for diagnosis" in words_of(page)
        asked = ["tiny-ddpm", "HCM", "ES", "drawn", 3, 4, 2, 1.5]
        gallery, status, png, nifti = client.predict(*asked, api_name="/generate")
        assert [(item["caption"], Image.open(item["image"]).size) for item in gallery] == [("HCM · ES", (256, 256))] * 3
        assert status.startswith("3 images of 8 × 8 pixels in ")
        small = np.asarray(Image.open(io.BytesIO(unzip(file_of(png))["00002.png"])))
        np.testing.assert_array_equal(np.asarray(Image.open(gallery[2]["image"]).convert("L"))[::32, ::32], small)
        assert len([name for name in unzip(file_of(nifti)) if name.endswith(".nii.gz")]) == 3
        for position, value, message in ((4, 17, "count: expected"), (0, "/etc", "model: expected one of")):
            with pytest.raises(Exception, match=message):
                client.predict(*asked[:position], value, *asked[position + 1 :], api_name="/generate")
    finally:
        page.close()
    assert hosts <= {"127.0.0.1", "localhost", None}


def file_of(update) -> str:
    """The file of a download button, which a client gets as an update of the button."""
    return update["value"] if isinstance(update, dict) else update
