"""What visitors may ask for, what they get, and in which files."""

import csv
import gzip
import io
import zipfile

import datasets
import nibabel
import numpy as np
import pytest
from PIL import Image

import zoo.datasets
from zoo.errors import ZooError
from zoo.pipelines import sample_generators

DRAWN = ["drawn"] * 3


@pytest.fixture
def ask(conditional_ddpm, tmp_path):
    """A request to the diffusion model with some values replaced."""
    from sampling import check_request, draw

    calls = iter(range(100))

    def ask(on_step=None, **changes):
        sent = {"labels": DRAWN, "count": 2, "seed": 0, "steps": 2, "guidance": 1.0, **changes}
        request = check_request(conditional_ddpm, "tiny", **sent)
        return draw(conditional_ddpm, request, tmp_path / str(next(calls)), on_step)

    return ask


def unzip(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def test_images_are_those_of_the_pipeline(dcgan, tmp_path):
    from sampling import check_request, draw

    found = draw(dcgan, check_request(dcgan, "tiny", DRAWN, 3, 7), tmp_path / "png")
    expected = dcgan(3, generator=sample_generators(7, range(3)), output_type="np").images
    np.testing.assert_array_equal(found.images, (expected * 255).round().astype(np.uint8))
    assert found.seconds > 0 and found.captions == ["", "", ""]


def test_the_seed_alone_decides(ask):
    first, again, other = (ask(seed=seed).images for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_classes_reach_the_model_and_the_captions(ask):
    assert ask(labels=["HCM", "ES", "drawn"]).captions == ["HCM · ES"] * 2
    assert ask(labels=["any", "ED", None]).captions == ["pathology left open · ED"] * 2
    drawn = set(ask(count=16).captions)
    assert drawn <= {f"{pathology} · {phase}" for pathology in ("NOR", "HCM") for phase in ("ED", "ES")}
    assert len(drawn) > 1


def test_steps_and_guidance_reach_the_model(ask):
    plain, more_steps, guided = (ask(**change).images for change in ({}, {"steps": 3}, {"guidance": 3}))
    assert not np.array_equal(plain, more_steps) and not np.array_equal(plain, guided)


def test_steps_are_told_and_change_nothing(ask):
    steps = []
    watched = ask(on_step=lambda step, tensors: steps.append((step, tuple(tensors["latents"].shape))), steps=3)
    assert steps == [(0, (2, 1, 8, 8)), (1, (2, 1, 8, 8)), (2, (2, 1, 8, 8))]
    np.testing.assert_array_equal(watched.images, ask(steps=3).images)


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


def test_a_score_model_takes_two_steps_at_least(score_model):
    from sampling import check_request

    with pytest.raises(ZooError, match="steps: expected a whole number from 2 to 100, got 1"):
        check_request(score_model, "tiny", DRAWN, 1, 0, 1)


@pytest.fixture
def files(ask, tmp_path):
    """Samples of the diffusion model and their zips."""
    from exports import write_archives

    samples = ask(labels=["HCM", "any", "drawn"], seed=5)
    (tmp_path / "zips").mkdir()
    return samples, write_archives(samples, tmp_path / "0", tmp_path / "zips")


def test_png_and_nifti_hold_the_same_images_in_their_own_size(files):
    samples, archives = files
    assert archives["png"].name == "tiny_seed5_png.zip"
    png, nifti = unzip(archives["png"]), unzip(archives["nifti"])
    assert set(png) == {"00000.png", "00001.png", "samples.csv"}
    assert set(nifti) == {"00000.nii.gz", "00001.nii.gz", "samples.csv"}
    rows = list(csv.DictReader(io.StringIO(png["samples.csv"].decode())))
    assert [(row["seed"], row["index"], row["pathology"]) for row in rows] == [("5", "0", "HCM"), ("5", "1", "HCM")]
    for index, shown in enumerate(samples.images[..., 0]):
        np.testing.assert_array_equal(shown, np.asarray(Image.open(io.BytesIO(png[f"0000{index}.png"]))))
        volume = nibabel.Nifti1Image.from_bytes(gzip.decompress(nifti[f"0000{index}.nii.gz"]))
        assert volume.header.get_zooms() == (2.0, 2.0, 1.0)
        np.testing.assert_allclose(volume.get_fdata()[..., 0].T * 255, shown, atol=0.51)


def test_the_dataset_is_one_for_the_zoo_and_for_datasets(files, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    samples, archives = files
    zipfile.ZipFile(archives["dataset"]).extractall(tmp_path / "unzipped")
    rows = zoo.datasets.load(tmp_path / "unzipped").dataset["train"]
    np.testing.assert_array_equal(np.stack([np.asarray(image) for image in rows["image"][:]]), samples.images[..., 0])
    assert rows.features["pathology"].int2str(rows["pathology"][:]) == ["HCM", "HCM"]
    assert rows["phase"][:] == [-1, -1]  # left open
    assert (rows["seed"][:], rows["index"][:], rows["pixel_spacing"][0]) == ([5, 5], [0, 1], [2.0, 2.0])
    assert len(datasets.load_dataset(str(tmp_path / "unzipped"))["train"]) == 2


def test_formats_cost_one_sampling(dcgan, tmp_path, monkeypatch):
    from exports import write_archives
    from sampling import check_request, draw

    calls = []
    original = type(dcgan).__call__
    monkeypatch.setattr(type(dcgan), "__call__", lambda *args, **kwargs: calls.append(1) or original(*args, **kwargs))
    found = draw(dcgan, check_request(dcgan, "tiny", DRAWN, 2, 0), tmp_path / "png")
    assert set(write_archives(found, tmp_path / "png", tmp_path)) == {"png", "nifti", "dataset"}
    assert len(calls) == 1


def test_no_nifti_without_a_spacing(dcgan, tmp_path):
    from exports import write_archives
    from sampling import check_request, draw

    dcgan.register_to_config(pixel_spacing_mm=None)
    found = draw(dcgan, check_request(dcgan, "tiny", DRAWN, 1, 0), tmp_path / "png")
    assert set(write_archives(found, tmp_path / "png", tmp_path)) == {"png", "dataset"}
