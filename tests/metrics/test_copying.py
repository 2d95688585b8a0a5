"""The copy check finds what was hidden, and only that."""

import pytest
import torch
from metric_fakes import smooth_images

from zoo.errors import ZooError
from zoo.metrics.copying import threshold
from zoo.metrics.functional import cc
from zoo.metrics.image_set import ImageSet
from zoo.metrics.nearest import nearest_training
from zoo.metrics.references import copy_row, mean_row, real_row, shift


@pytest.fixture(scope="module")
def training():
    images = (smooth_images(120, seed=3) * 255).round().byte()
    return ImageSet(images, [f"patient{i // 4}" for i in range(120)])


@pytest.mark.parametrize("change", ["none", "shift", "flip", "contrast"])
def test_copies_in_disguise_are_found(training, change):
    images = training.images[::10]
    if change == "shift":
        images = torch.stack([shift(image, -2, 1) for image in images])
    elif change == "flip":
        images = torch.stack([shift(image.flip(-1), 1, -2) for image in images])
    elif change == "contrast":
        images = (images.float() * 0.5 + 40).round().byte()
    found = nearest_training(images, training)
    assert found.index.tolist() == list(range(0, 120, 10))
    assert (found.cc > 0.999).all() and (found.ratio < 0.05).all()
    if change != "contrast":
        torch.testing.assert_close(found.ssim, torch.ones(12, dtype=torch.float64), atol=1e-9, rtol=0)


def test_neighbours_are_those_of_an_exhaustive_search(training):
    sample = (smooth_images(1, seed=99) * 255).round().byte()
    correlations = torch.zeros(120)
    for flipped in (sample, sample.flip(-1)):
        for dy in range(5):
            for dx in range(5):
                window = flipped[..., dy : dy + 28, dx : dx + 28].float() / 255
                core = training.images[..., 2:30, 2:30].float() / 255
                correlations = torch.maximum(correlations, cc(window.expand_as(core), core).float())
    best = correlations.argmax().item()
    own = [i for i in range(120) if i // 4 == best // 4]
    others = (2 - 2 * correlations[[i for i in range(120) if i not in own]]).sqrt().sort().values[:50]
    found = nearest_training(sample, training)
    assert found.index.item() == best
    assert found.cc.item() == pytest.approx(correlations[best].item(), abs=1e-5)
    expected = (2 - 2 * correlations[best]).sqrt() / others.mean()
    assert found.ratio.item() == pytest.approx(expected.item(), rel=1e-4)


def test_fewer_than_fifty_images_of_other_patients(training):
    few = training[torch.arange(8)]
    assert torch.isfinite(nearest_training(training.images[50:60], few).ratio).all()


def test_a_constant_sample_is_no_copy(training):
    samples = torch.cat([torch.full_like(training.images[:1], 90), training.images[:1]])
    found = nearest_training(samples, training)
    assert found.cc[0].abs() < 1e-3
    assert found.ratio[0].item() == pytest.approx(1, abs=1e-3)


def test_what_cannot_be_compared(training):
    with pytest.raises(ZooError, match="shape"):
        nearest_training(training.images[..., :30], training)
    with pytest.raises(ZooError, match="two patients"):
        nearest_training(training.images, training[torch.arange(4)])


def test_threshold_catches_copies_and_spares_real_images():
    real = torch.linspace(0.5, 1, 101)
    assert threshold(torch.linspace(0, 0.1, 100), real) == pytest.approx(0.505)  # one of a hundred false alarms
    assert (torch.linspace(0, 0.9, 100) <= threshold(torch.linspace(0, 0.9, 100), real)).float().mean() >= 0.99


def test_reference_rows(training):
    real, mean, copy = real_row(training, 50, seed=0), mean_row(training, 50), copy_row(training, 50, seed=0)
    assert len(real) == len(mean) == len(copy) == 50
    assert len({image.numpy().tobytes() for image in real.images}) == 50  # without replacement
    torch.testing.assert_close(mean.images[7].double(), training.images.double().mean(0), atol=0.5, rtol=0)
    assert (copy.images[::2] == real.images[::2]).all() and copy.ids == real.ids
    assert not (copy.images[1::2] == real.images[1::2]).flatten(1).all(1).any()
    assert (nearest_training(copy.images, training).cc > 0.9999).all()


def test_shift_repeats_the_edge():
    image = torch.arange(9).reshape(1, 3, 3)
    assert shift(image, 1, 0)[0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert shift(image, 0, -2)[0].tolist() == [[2, 2, 2], [5, 5, 5], [8, 8, 8]]
