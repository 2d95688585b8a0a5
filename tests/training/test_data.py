from types import SimpleNamespace

import pytest
import torch

import zoo.datasets
from common.data import (
    ImageTensors,
    augment,
    check_enough,
    class_frequencies,
    class_names_of,
    pixel_spacing,
    take_frequencies,
    to_network,
)
from zoo.errors import ZooError

STILL = SimpleNamespace(
    rotation_degrees=0, zoom=0, horizontal_flip=False, vertical_flip=False, augment_probability=1, invert_probability=0
)


@pytest.fixture(scope="module")
def train(phantom):
    return zoo.datasets.load(phantom).dataset["train"]


def test_images_and_labels_are_the_rows(train):
    names = class_names_of(train, ["pathology", "phase"])
    data = ImageTensors(train, names)
    item = data[3]
    assert item["image"].shape == (1, 64, 64)
    assert item["image"].dtype == torch.uint8
    assert item["labels"].tolist() == [train[3]["pathology"], train[3]["phase"]]
    assert pixel_spacing(train) == 2.0


def test_a_condition_that_is_open_in_all_images_keeps_its_frequencies(acgan):
    network, names = acgan.generator_model, acgan.class_names
    take_frequencies(network, torch.tensor([[0, 2], [1, 2], [0, 2], [0, 2]]), names)  # three are NOR; phase is open
    assert network.config.class_frequencies == {"pathology": [0.75, 0.25], "phase": [0.5, 0.5]}
    take_frequencies(network, torch.tensor([[1, 0]]), names)
    assert network.config.class_frequencies == {"pathology": [0.0, 1.0], "phase": [1.0, 0.0]}
    before = network.config
    take_frequencies(network, torch.empty(3, 0), {})
    assert network.config == before


def test_a_validation_set_too_small_for_its_figure_is_refused(train):
    check_enough(ImageTensors(train.select(range(2)), {}), "the KID")
    with pytest.raises(ZooError, match="at least 2 images in split 'validation' for the KID, got 1"):
        check_enough(ImageTensors(train.select(range(1)), {}), "the KID")


def test_labels_follow_the_names_of_the_model(train):
    own = train.features["phase"].names
    turned = ImageTensors(train, {"phase": own[::-1]})
    assert turned.labels[:, 0].tolist() == [1 - value for value in train["phase"]]


def test_a_condition_without_a_column_is_left_open(train):
    data = ImageTensors(train.remove_columns("pathology"), {"pathology": ["NOR", "HCM"]})
    assert (data.labels == 2).all()
    assert pixel_spacing(train.remove_columns("pixel_spacing")) is None


def test_strange_classes_and_conditions_are_named(train):
    with pytest.raises(ZooError, match="column 'phase' has class 'ED', the model knows A, B"):
        ImageTensors(train, {"phase": ["A", "B"]})
    with pytest.raises(ZooError, match="condition 'slice_index' is no class column"):
        class_names_of(train, ["slice_index"])


def test_class_frequencies_leave_open_rows_out():
    labels = torch.tensor([[0], [1], [1], [2]])
    assert class_frequencies(labels, {"phase": ["ED", "ES"]})["phase"] == pytest.approx([1 / 3, 2 / 3])


def test_eight_bits_span_the_range_of_the_networks():
    assert to_network(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def disc(size: int = 64, radius: float = 20) -> torch.Tensor:
    axis = torch.arange(size) - (size - 1) / 2
    distance = (axis[:, None] ** 2 + axis[None] ** 2).sqrt()
    return ((radius - distance).clamp(-1, 1))[None, None]


def test_nothing_asked_nothing_changed():
    images = torch.rand(4, 1, 16, 16) * 2 - 1
    assert torch.equal(augment(images, STILL), images)
    never = SimpleNamespace(**{**vars(STILL), "rotation_degrees": 10, "zoom": 0.1, "augment_probability": 0})
    assert torch.equal(augment(images, never), images)


def test_a_disc_keeps_its_area_when_turned_and_changes_it_when_zoomed():
    images = disc().repeat(200, 1, 1, 1)
    area = (images > 0).float().sum(dim=(1, 2, 3))
    torch.manual_seed(0)
    turned = augment(images, SimpleNamespace(**{**vars(STILL), "rotation_degrees": 10}))
    torch.testing.assert_close((turned > 0).float().sum(dim=(1, 2, 3)), area, rtol=0.01, atol=0)
    zoomed = augment(images, SimpleNamespace(**{**vars(STILL), "zoom": 0.1}))
    scale = ((zoomed > 0).float().sum(dim=(1, 2, 3)) / area).sqrt()
    assert 0.89 < scale.min() < 0.92
    assert 1.08 < scale.max() < 1.11


def test_the_largest_turn_is_the_one_asked_for():
    images = torch.full((200, 1, 65, 65), -1.0)
    images[:, :, 32, 50:56] = 1.0  # a spot to the right of the centre
    torch.manual_seed(0)
    turned = augment(images, SimpleNamespace(**{**vars(STILL), "rotation_degrees": 10}))
    weight = (turned + 1)[:, 0]
    axis = torch.arange(65.0) - 32
    y, x = ((weight * a).sum(dim=(1, 2)) for a in (axis[:, None], axis[None]))
    angle = torch.rad2deg(torch.atan2(y, x)).abs()
    assert 9.5 < angle.max() < 10.5
    assert 4 < angle.mean() < 6


def test_flips_are_exact_and_by_image():
    images = torch.rand(50, 1, 8, 8)
    torch.manual_seed(0)
    flipped = augment(images, SimpleNamespace(**{**vars(STILL), "horizontal_flip": True}))
    mirrored = sum(torch.equal(a, b.flip(-1)) for a, b in zip(images, flipped, strict=True))
    same = sum(torch.equal(a, b) for a, b in zip(images, flipped, strict=True))
    assert mirrored + same == 50
    assert 10 < same < 40


def test_inversion_is_exact_and_by_image():
    images = torch.rand(200, 1, 8, 8)
    torch.manual_seed(0)
    seen = augment(images, SimpleNamespace(**{**vars(STILL), "invert_probability": 0.25}))
    inverted = (seen == -images).flatten(1).all(dim=1)
    assert torch.equal(seen[~inverted], images[~inverted])
    assert 30 < inverted.sum() < 70
