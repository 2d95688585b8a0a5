import pytest
import torch

from common.diffaugment import POLICIES, diff_augment


@pytest.mark.parametrize("channels", [1, 3])
def test_all_together_keep_shape_and_vary(channels):
    torch.manual_seed(0)
    image = torch.rand(1, channels, 16, 16) * 2 - 1
    seen = diff_augment(image.expand(32, -1, -1, -1), list(POLICIES))
    assert seen.shape == (32, channels, 16, 16)
    distances = torch.cdist(seen.flatten(1), seen.flatten(1)) + torch.eye(32)
    assert distances.min() > 0.01


def test_without_a_policy_nothing_changes():
    images = torch.randn(2, 1, 8, 8)
    assert diff_augment(images, []) is images


@pytest.mark.parametrize("name", POLICIES)
def test_gradients_pass(name):
    torch.manual_seed(0)
    images = (torch.rand(4, 3, 16, 16) * 2 - 1).requires_grad_(True)
    diff_augment(images, [name]).square().sum().backward()
    assert images.grad.abs().sum() > 0


def test_a_grey_image_changes_brightness_and_contrast_alone():
    torch.manual_seed(0)
    image = torch.randn(1, 1, 8, 8)
    for seen in diff_augment(image.expand(20, -1, -1, -1), ["color"]):
        shift = seen.mean() - image.mean()
        scale = seen.std() / image.std()
        assert abs(shift) <= 0.5
        assert 0.5 <= scale <= 1.5
        torch.testing.assert_close(seen, (image[0] - image.mean()) * scale + image.mean() + shift)


def test_translation_shifts_by_whole_pixels_and_fills_with_zero():
    torch.manual_seed(0)
    image = torch.rand(1, 2, 16, 24) + 1  # no zeros
    shifts = set()
    for seen in diff_augment(image.expand(200, -1, -1, -1), ["translation"]):
        rows, columns = seen[0].any(dim=1).nonzero().flatten(), seen[0].any(dim=0).nonzero().flatten()
        down = rows[0].item() if rows[0] else rows[-1].item() - 15
        right = columns[0].item() if columns[0] else columns[-1].item() - 23
        kept = image[0, :, max(0, -down) : 16 - max(0, down), max(0, -right) : 24 - max(0, right)]
        assert torch.equal(seen[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], kept)
        shifts.add((down, right))
    assert {down for down, _ in shifts} == set(range(-2, 3))
    assert {right for _, right in shifts} == set(range(-3, 4))


def test_cutout_empties_a_square_of_half_the_side():
    torch.manual_seed(0)
    seen = diff_augment(torch.ones(300, 1, 16, 16), ["cutout"])
    areas = (seen == 0).sum(dim=(1, 2, 3))
    assert areas.max() == 64  # whole when it lies inside
    assert areas.min() >= 16  # a quarter in a corner
    holes = (seen == 0).float().mean(dim=0)
    assert holes.min() > 0.02  # it gets everywhere
