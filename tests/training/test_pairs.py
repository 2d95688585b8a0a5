"""Images with their masks as further channels."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import zoo.datasets
from common.data import ImageTensors, augment, to_network
from common.pairs import LABELS, PairTensors, settle_masks
from zoo import png
from zoo.errors import ZooError


@pytest.fixture(scope="module")
def train(few_images):
    return zoo.datasets.load(few_images).dataset["train"]


def test_pairs_are_the_images_and_a_channel_a_label(train):
    names = {"pathology": list(train.features["pathology"].names)}
    images = ImageTensors(train, names)
    pairs = PairTensors(images, train)
    item = pairs[5]
    assert item["image"].shape == (1 + LABELS, 64, 64) and item["image"].dtype == torch.uint8
    assert torch.equal(item["image"][:1], images[5]["image"]) and torch.equal(item["labels"], images[5]["labels"])
    mask = np.asarray(train[5]["mask"])
    for label in range(LABELS):
        np.testing.assert_array_equal(item["image"][1 + label], (mask == label) * 255)
    assert len(pairs) == len(train)


def test_an_unknown_label_is_named(train):
    pictures = [png.encode(np.full((64, 64), 4, np.uint8))] * len(train)
    strange = train.remove_columns("mask").add_column("mask", pictures, feature=train.features["mask"])
    with pytest.raises(ZooError, match="column 'mask' has label 4, expected 0 to 3"):
        PairTensors(ImageTensors(train, {}), strange)


def test_image_and_mask_move_alike_and_every_pixel_keeps_one_label():
    axis = torch.arange(64) - 31.5
    disc = ((axis[:, None] - 8) ** 2 + axis[None] ** 2 < 15**2).to(torch.uint8)
    masks = torch.stack([1 - disc, torch.zeros_like(disc), disc, torch.zeros_like(disc)])
    pairs = (torch.cat([disc[None], masks]) * 255).repeat(40, 1, 1, 1)
    recipe = SimpleNamespace(
        rotation_degrees=90, zoom=0.3, horizontal_flip=True, vertical_flip=True, augment_probability=1,
        invert_probability=0,
    )  # fmt: skip
    torch.manual_seed(0)
    moved = settle_masks(augment(to_network(pairs), recipe))
    images, layers = moved[:, 0], moved[:, 1:]
    assert set(layers.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal((layers == 1).sum(1), torch.ones(40, 64, 64, dtype=torch.int64))
    assert (layers[:, [1, 3]] == -1).all()
    assert ((images > 0) == (layers[:, 2] > 0)).float().mean() > 0.999
    assert (layers[:, 2] != layers[:1, 2]).any((1, 2)).sum() > 30  # they did move
