"""Right and wrong views: what is cut from whole slices, and how often a network tells them apart."""

from types import SimpleNamespace

import pytest
import torch

import zoo.datasets
from zoo.errors import ZooError
from zoo.metrics.views import NAMES, WRONG, beside, cut, said_of, shares_told, threshold_of, view_figures, whole_slices
from zoo.models import ViewNet, ViewNetConfig
from zoo.models.view_net import turned
from zoo.published.networks import Judge


@pytest.fixture(scope="module")
def phantom():
    return zoo.datasets.build_phantom(num_patients=6, progress=False)


@pytest.fixture(scope="module")
def slices(phantom):
    return whole_slices(phantom, "train")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ViewNet(
        ViewNetConfig(NAMES, 32, block_out_channels=[8, 8], known=[0, 3], threshold=-2.0, pixel_spacing_mm=2.0)
    ).eval()


def test_hearts_are_in_the_middle_of_what_is_cut(slices, phantom):
    assert slices.spacing_mm == 2.0 and len(slices.volumes) == len(slices.levels) == len(slices.images)
    own = slices.centers[0]
    assert all(
        torch.equal(center, own)
        for center, volume in zip(slices.centers, slices.volumes, strict=True)
        if volume[0] == slices.volumes[0][0]
    )
    image = torch.zeros(1, 1, 60, 60)
    image[0, 0, 20:23, 40:43] = 1
    center, scale = torch.tensor([[21.0, 41.0]]), torch.ones(1)
    small = cut(image, center, scale, size=9)
    torch.testing.assert_close(small[0, 0, 3:6, 3:6], torch.ones(3, 3))
    assert small.sum().item() == pytest.approx(9)
    assert cut(image, center, scale * 2, size=9).sum() > 3 * 9  # enlarged
    assert cut(image, torch.tensor([[-20.0, -20.0]]), scale, size=9).sum() == 0


def test_the_whole_slice_and_what_lies_beside_the_heart(slices):
    whole = slices.whole(32)
    assert whole.shape == (len(slices.images), 1, 32, 32)
    torch.testing.assert_close(whole.mean(), slices.images.float().mean() / 255, atol=0.01, rtol=0)
    places = beside(torch.tensor([[90.0, 90.0]] * 2), torch.tensor([0.0, 0.0]), torch.tensor([40.0, 400.0]), 180, 64)
    assert places.tolist() == [[90, 130], [90, 164]]


def test_what_is_said_of_turned_hearts_is_what_the_network_says_of_them(slices, network):
    said = said_of(network, slices)
    assert list(said) == ["upright", *WRONG]
    shown = (slices.cut(32) * 255).round() / 127.5 - 1
    for turn in (0, 2, 4, 5, 6, 7):
        with torch.no_grad():
            expected = network.log_probabilities(turned(shown[:5], turn))
        torch.testing.assert_close(said[NAMES[turn]][:5], expected)


def test_shares_are_counted_by_slice_and_by_volume(slices):
    volumes = [("a", 1)] * 3 + [("b", 1)]
    few = SimpleNamespace(volumes=volumes, levels=["basal", "mid", "mid", "apical"])
    rows = {"upright": [-0.1, -0.1, -4.0, -0.2], "mirrored": [-3.0, -0.1, -3.0, -0.5]}
    said = {name: torch.tensor(values) for name, values in rows.items()}
    group = shares_told(said, few, threshold=-1.0)
    assert group["refused_slice"]["value"] == 0.25 and group["told_mirrored_slice"]["value"] == 0.5
    assert group["refused_volume"]["value"] == 0.5 and group["told_mirrored_volume"]["value"] == 0.5
    assert group["told_mirrored_basal"]["value"] == 1 and group["told_mirrored_mid"]["value"] == 0.5
    assert (group["slices"], group["volumes"]) == (4, 2)
    assert threshold_of(torch.linspace(-1, 0, 101)) == pytest.approx(-0.95)
    known = torch.linspace(-1, 0, 376)
    assert (known < threshold_of(known)).float().mean() <= 0.05


def test_a_network_is_measured_on_whole_slices_of_its_pixels(network, phantom, slices):
    judge = Judge("view", network, "0" * 64)
    with torch.no_grad():
        known = {name: network.known(rows) for name, rows in said_of(network, slices).items()}
    torch.testing.assert_close(known["half"].exp(), said_of(network, slices)["half"][:, [0, 3]].exp().sum(1))
    assert view_figures(judge, phantom, "train") == shares_told(known, slices, -2.0)
    wide = ViewNet(ViewNetConfig(NAMES, 64, block_out_channels=[8, 8], threshold=-2.0, pixel_spacing_mm=2.0)).eval()
    with pytest.raises(ZooError, match="view expects whole slices of more than 64 pixels of 2.0 mm"):
        view_figures(Judge("view", wide, "0" * 64), phantom, "train")
    bare = zoo.datasets.BuiltDataset(phantom.dataset.remove_columns("mask"), phantom.info)
    with pytest.raises(ZooError, match="column 'mask': not there"):
        whole_slices(bare, "train")
