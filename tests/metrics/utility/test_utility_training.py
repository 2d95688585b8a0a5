"""How networks are trained to compare data: fair draws, moves of image and mask alike, seeds."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from zoo.metrics.utility.training import Schedule, augment, draw_weights, fit

SCHEDULE = Schedule(steps=20, batch_size=4, learning_rate=0.05, seconds=0.0)


def test_sources_and_within_them_classes_weigh_the_same():
    synthetic, labels = torch.arange(12) >= 2, torch.tensor([0, 1] + [0] * 8 + [1] * 2)
    weights = draw_weights(synthetic, labels)
    assert weights[:2].tolist() == pytest.approx([0.25, 0.25])
    assert weights[2:10].tolist() == pytest.approx([0.25 / 8] * 8) and weights[10:].sum() == pytest.approx(0.25)
    assert draw_weights(torch.zeros(4, dtype=torch.bool)).tolist() == [0.25] * 4  # one source takes all
    lacking = draw_weights(torch.tensor([False, True, True]), torch.tensor([0, 0, 1]))
    assert lacking.tolist() == pytest.approx([0.5, 0.25, 0.25])  # a class that one source lacks takes nothing there


def test_masks_move_with_their_images():
    torch.manual_seed(0)
    masks = torch.zeros(8, 32, 32, dtype=torch.int64)
    masks[:, 4:20, 12:16] = 3
    images = masks[:, None].float() / 3  # 0 outside, 1 inside
    moved, labels = augment(images, masks)
    assert labels.dtype == masks.dtype and set(labels.unique().tolist()) == {0, 3}
    inside = labels == 3
    assert (moved[:, 0][inside]).mean() > 0.8 and moved[:, 0][~inside].mean() < 0.05
    assert (labels != masks).any() and len({tuple(row.flatten().tolist()) for row in labels}) > 4
    assert moved.min() >= -1 and moved.max() <= 1


def test_images_without_masks_move_alike():
    images = torch.rand(4, 1, 16, 16) * 2 - 1
    torch.manual_seed(0)
    alone, nothing = augment(images)
    torch.manual_seed(0)
    both, _ = augment(images, torch.zeros(4, 16, 16, dtype=torch.int64))
    assert nothing is None and torch.equal(alone, both)


def train(seed: int, weights: torch.Tensor, seen: list | None = None, steps: int = 20) -> nn.Module:
    inputs = torch.arange(8.0)[:, None] / 8

    def loss_of(network, chosen):
        if seen is not None:
            seen.extend(chosen.tolist())
        return (network(inputs[chosen]) - 2 * inputs[chosen]).square().mean()

    return fit(partial(nn.Linear, 1, 1), loss_of, weights, replace(SCHEDULE, steps=steps), seed)


def test_training_depends_on_the_seed_alone():
    weights, state = torch.ones(8).double(), torch.get_rng_state()
    first, again, other = (train(seed, weights).weight for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_change_nothing_and_are_given_back():
    def convolve(threads):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            images = torch.rand(16, 1, 32, 32, generator=torch.Generator().manual_seed(0))
            build = partial(nn.Conv2d, 1, 8, 3)
            network = fit(build, lambda net, i: net(images[i]).square().sum(), torch.ones(16).double(), SCHEDULE, 0)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        return network.weight

    assert torch.equal(convolve(1), convolve(2))


def test_steps_and_weights():
    seen = []
    network = train(0, torch.tensor([0.0, 1, 1, 0, 0, 0, 0, 6]), seen)
    assert len(seen) == SCHEDULE.steps * SCHEDULE.batch_size and set(seen) == {1, 2, 7}
    assert 0.5 < seen.count(7) / len(seen) < 0.95
    assert not network.training


def test_training_learns():
    assert train(0, torch.ones(8).double(), steps=500).weight.item() == pytest.approx(2, abs=0.2)
