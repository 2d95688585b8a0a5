"""What visitors may ask for, what they get, and in which files."""

import json
import zipfile
from urllib.parse import parse_qsl

import datasets
import nibabel
import numpy as np
import pytest

import zoo.datasets
from zoo.errors import ZooError
from zoo.pipelines import sample_generators


@pytest.fixture
def offered(conditional_ddpm, hearts, score_model, dcgan, tmp_path, monkeypatch):
    """A catalogue of four small models."""
    from catalogue import Catalogue

    pipes = {"ddpm": conditional_ddpm, "order": hearts, "score": score_model, "gan": dcgan}
    for name, pipe in pipes.items():
        pipe.save_pretrained(tmp_path / "models" / name)
    monkeypatch.setenv("ZOO_MODELS", str(tmp_path / "models"))
    return Catalogue.from_environment()


@pytest.fixture
def make(offered):
    """The result of a request."""
    from asking import ask
    from sampling import sample

    def make(**fields):
        *news, result = sample(offered, ask(**fields))
        make.news = news
        return result

    return make


def test_images_are_those_of_the_pipeline(make, dcgan):
    found = make(model="gan", count=3, seed=7)
    expected = dcgan(3, generator=sample_generators(7, range(3)), output_type="np").images
    np.testing.assert_array_equal(found.images, expected)
    assert found.seconds > 0 and found.captions == ["", "", ""]


@pytest.mark.parametrize(
    "asked",
    [
        {"model": "ddpm", "classes": {"pathology": "HCM", "phase": "ES"}, "count": 3, "seed": 4, "steps": 2},
        {"model": "order", "count": 2, "steps": 1, "guidance": 1.5},
        {"model": "gan", "count": 1, "seed": 9},
        {"model": "score", "count": 2, "steps": 2},
    ],
)
def test_python_and_link_give_these_very_images(make, offered, asked, monkeypatch):
    import zoo
    from asking import Request

    found = make(**asked)
    monkeypatch.setattr(zoo, "from_pretrained", lambda source: offered.load(source.removeprefix("model_cards/")))
    names = {}
    code = found.python.replace(".save('heart.png')", "").replace(".save('mask.png')", "")
    exec(code, names)
    images = np.stack([np.asarray(image) for image in names["output"].images])
    np.testing.assert_array_equal(images.reshape(found.pictures.shape), found.pictures)
    assert Request.from_query(dict(parse_qsl(found.request.query))) == found.request


def test_millimetres_reach_the_model_and_the_words(make, hearts):
    from results import provenance

    name, limits = next(iter(hearts.quantities.items()))
    value = (limits["min"] + limits["max"]) / 2
    found = make(model="order", count=2, quantities={name: value})
    expected = hearts(2, generator=sample_generators(0, range(2)), output_type="np", **{name: value})
    np.testing.assert_array_equal(found.masks, expected.masks)
    assert f"{value:g} mm" in provenance(found) and f"{value:g}mm" in found.stem
    with pytest.raises(ZooError, match=f"{name}: expected a number from"):
        make(model="order", quantities={name: 1e6})
    with pytest.raises(ZooError, match="takes no such quantity"):
        make(model="gan", quantities={name: value})


def test_many_images_are_the_same_in_batches_and_others_may_go_first(make):
    from sampling import BATCH

    found = make(model="ddpm", count=20, steps=1)
    assert sum(item.may_pause for item in make.news) == 2 and BATCH == 8
    few = make(model="ddpm", count=4, steps=1)
    np.testing.assert_allclose(found.images[:4], few.images, atol=1 / 255)
    assert found.classes[:4] == few.classes


def test_news_tell_each_step_with_a_picture(make):
    make(model="ddpm", count=2, steps=3)
    steps = [item for item in make.news if item.picture is not None]
    assert steps and all(item.words.endswith("of 3") and item.total == 6 for item in steps)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"count": 0}, "count: expected a whole number from 1 to 1000, got 0"),
        ({"seed": None}, "seed: expected a whole number from 0 to 4294967295, the field is empty"),
        ({"seed": 1.5}, "seed: expected a whole number"),
        ({"steps": 101}, "steps: expected a whole number from 1 to 100"),
        ({"guidance": float("nan")}, "guidance: expected a number from 0 to 5"),
        ({"classes": {"pathology": "XYZ"}}, "unknown class 'XYZ'"),
        ({"model": "score", "steps": 1}, "steps: expected a whole number from 2 to 100 of a score model"),
        ({"model": "nobody"}, "model: expected one of"),
        ({"more": 1}, "more: extra inputs are not permitted"),
    ],
)
def test_what_is_out_of_bounds_is_told_in_a_line(make, asked, message):
    with pytest.raises(ZooError, match=message) as refusal:
        make(**{"model": "ddpm", **asked})
    assert "\n" not in str(refusal.value)


def test_no_two_requests_have_the_same_file_name(make):
    asked = [{}, {"classes": {"pathology": "HCM"}}, {"seed": 1}, {"steps": 2}, {"guidance": 2.0}, {"count": 2}]
    stems = [make(**{"model": "ddpm", "count": 1, "steps": 1, **more}).stem for more in asked]
    assert len(set(stems)) == len(stems) and all(stem.startswith("synthetic_ddpm_") for stem in stems)


@pytest.mark.parametrize("format", ["png", "nifti", "dataset"])
def test_a_zip_holds_images_masks_and_what_binds_them(make, tmp_path, format):
    from exports import write_zip

    found = make(model="order", classes={"pathology": "HCM"}, count=2, steps=1)
    file = write_zip(found, format, tmp_path)
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "out")
    inside = tmp_path / "out" / file.stem
    readme = (inside / "README.md").read_text()
    assert found.python in readme and "## Licence" in readme and "synthetic" in readme
    assert json.loads((inside / "settings.json").read_text())["synthetic"] is True
    if format == "dataset":
        rows = zoo.datasets.load(inside).dataset["train"]
        assert isinstance(rows.features["pathology"], datasets.ClassLabel)
        np.testing.assert_array_equal(np.asarray(rows[1]["image"]), found.pictures[1, ..., 0])
        np.testing.assert_array_equal(np.asarray(rows[1]["mask"]), found.masks[1])
    elif format == "nifti":
        image = nibabel.load(inside / "00001.nii.gz")
        assert image.header.get_zooms()[:2] == (2.0, 2.0)
        np.testing.assert_allclose(image.get_fdata()[..., 0].T, found.images[1, ..., 0], atol=1e-6)
        assert (inside / "00001_gt.nii.gz").is_file()
    else:
        assert "HCM" in (inside / "samples.csv").read_text() and (inside / "00001_gt.png").is_file()


def test_the_command_line_says_the_same(make):
    from tab_dataset import command

    found = make(model="order", classes={"pathology": "HCM", "phase": "ES"}, count=2, steps=1)
    assert command(found, "png") == (
        f"cardiac-zoo generate model_cards/order --output {found.stem} -n 2 --seed 0 --class HCM --phase ES --steps 1 "
        "--with-masks --format png"
    )


def test_stored_samples_stand_for_those_of_seed_0(offered, conditional_ddpm, make):
    from sampling import stored_result
    from zoo.samples import sample_grid

    assert stored_result(offered, "ddpm", "HCM", 4) is None
    sample_grid(conditional_ddpm).save(offered.sources["ddpm"] / "samples.png")
    stored = stored_result(offered, "ddpm", "HCM", 4)
    made = make(model="ddpm", classes={"pathology": "HCM"}, count=4)
    np.testing.assert_allclose(stored.images, made.images, atol=1 / 255)
    assert stored.classes == made.classes
    assert stored_result(offered, "gan", "HCM", 4) is None


def test_painted_masks_are_labels_again_and_what_is_no_heart_is_told():
    from ordering import from_paint, to_paint

    y, x = np.mgrid[:32, :32] - 15.5
    mask = np.where(np.hypot(x, y) < 6, 3, np.where(np.hypot(x, y) < 11, 2, 0)).astype(np.uint8)
    painted = to_paint(mask)
    np.testing.assert_array_equal(from_paint(painted, 32), mask)
    soft = np.clip(painted.astype(int) + np.random.default_rng(0).integers(-25, 26, painted.shape), 0, 255)
    np.testing.assert_array_equal(from_paint(soft.astype(np.uint8), 32), mask)  # brushes have soft edges
    for broken, why in ((mask * (mask == 2), "no left ventricle"), (mask * (x < 3), "no closed ring")):
        with pytest.raises(ZooError, match=f"mask: this is no heart: .*{why}"):
            from_paint(to_paint(broken.astype(np.uint8)), 32)
