import pytest
import torch
from torchmetrics.functional.segmentation import dice_score

from zoo.errors import ZooError
from zoo.metrics.functional import volume_dice


def test_volumes_by_hand():
    truth = torch.zeros(3, 4, 4, dtype=torch.uint8)
    truth[0, 0, :4] = 1  # volume a: 4 + 2 pixels of label 1 in two slices
    truth[1, 0, :2] = 1
    truth[2, 1, 1] = 2  # volume b has label 2 alone
    found = truth.clone()
    found[1, 0, :2] = 0  # the second slice of a is missed
    found[1, 3, 3] = 1  # and one pixel made up
    names, scores = volume_dice(found, truth, ["a", "a", "b"], labels=[1, 2])
    assert names == ["a", "b"]
    assert scores[0, 0].item() == pytest.approx(2 * 4 / (5 + 6))  # over the slices together, not their mean
    assert scores[1, 1].item() == 1
    assert scores[0, 1].isnan() and scores[1, 0].isnan()


def test_it_is_torchmetrics_score():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randint(0, 4, (6, 8, 8), generator=generator) for _ in range(2))
    _, scores = volume_dice(a, b, [0, 0, 1, 1, 2, 2])
    stacked = [x.reshape(3, 2, 8, 8) for x in (a, b)]
    expected = dice_score(*stacked, num_classes=4, include_background=False, average="none", input_format="index")
    torch.testing.assert_close(scores, expected.double(), rtol=1e-6, atol=0)


def test_what_does_not_fit():
    labels = torch.zeros(2, 4, 4, dtype=torch.uint8)
    with pytest.raises(ZooError, match="n volumes"):
        volume_dice(labels, labels, ["a"])
    with pytest.raises(ZooError, match="two sets of labels"):
        volume_dice(labels, labels[:, :3], ["a", "a"])
