"""The network of views: what turns are, and that turning an image changes the places of the classes alone."""

import pytest
import torch
import torch.nn.functional as F

from zoo.models import ViewNet, ViewNetConfig
from zoo.models.view_net import TURNS, after, turned

NAMES = [*map(str, range(TURNS)), "none"]


def network(**settings) -> ViewNet:
    torch.manual_seed(0)
    small = {"block_out_channels": [4, 8], "norm_num_groups": 4, "hidden_features": 12}
    return ViewNet(ViewNetConfig(NAMES, 16, **small, **settings)).eval()


def test_turns_are_those_of_a_square():
    image = torch.tensor([[1, 2], [3, 4]])
    assert turned(image, 0).tolist() == [[1, 2], [3, 4]]
    assert turned(image, 1).tolist() == [[2, 4], [1, 3]]  # to the left
    assert turned(image, 2).tolist() == [[4, 3], [2, 1]]
    assert turned(image, 4).tolist() == [[2, 1], [4, 3]]  # left and right exchanged
    assert turned(image, 6).tolist() == [[3, 4], [1, 2]]  # top and bottom exchanged
    assert len({str(turned(image, turn).tolist()) for turn in range(TURNS)}) == TURNS


def test_two_turns_make_one():
    image = torch.rand(3, 3)
    for first in range(TURNS):
        for second in range(TURNS):
            assert torch.equal(turned(turned(image, first), second), turned(image, after(first, second)))


def test_turning_an_image_moves_what_is_said_of_it():
    net, images = network(), torch.rand(2, 1, 16, 16) * 2 - 1
    said = net.log_probabilities(images)
    torch.testing.assert_close(said.exp().sum(1), torch.ones(2))
    for turn in range(TURNS):
        moved = net.log_probabilities(turned(images, turn))
        torch.testing.assert_close(moved[:, [after(own, turn) for own in range(TURNS)]], said[:, :TURNS])
        torch.testing.assert_close(moved[:, TURNS:], said[:, TURNS:])


def test_shapes_and_a_saved_network(tmp_path):
    net, images = network(threshold=-0.5), torch.rand(2, 1, 16, 16)
    assert net(images).logits.shape == (2, 9)
    net.save_pretrained(tmp_path)
    loaded = ViewNet.from_pretrained(tmp_path)
    assert torch.equal(loaded(images).logits, net(images).logits) and loaded.config.threshold == -0.5


def test_one_step_lowers_the_loss():
    net, images, labels = network(), torch.rand(8, 1, 16, 16), torch.arange(8)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    before = F.cross_entropy(net(images).logits, labels)
    before.backward()
    optimizer.step()
    assert F.cross_entropy(net(images).logits, labels) < before


def test_what_it_cannot_be():
    with pytest.raises(ValueError, match="sample_size: expected a multiple of 16, got 40"):
        ViewNet(ViewNetConfig(NAMES, 40))
    with pytest.raises(ValueError, match="class_names: expected at least 8, got 2"):
        ViewNet(ViewNetConfig(["up", "down"]))
