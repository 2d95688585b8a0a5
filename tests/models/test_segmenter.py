import pytest
import torch
import torch.nn.functional as F

from zoo.models import UNetSegmenter, UNetSegmenterConfig


def tiny(**settings) -> UNetSegmenter:
    torch.manual_seed(0)
    return UNetSegmenter(UNetSegmenterConfig(16, block_out_channels=[8, 16], norm_num_groups=4, **settings)).eval()


@pytest.mark.parametrize(("size", "channels", "widths"), [(16, 1, [8, 16]), (64, 3, [8, 8, 16])])
def test_shapes(size, channels, widths):
    network = UNetSegmenter(UNetSegmenterConfig(size, channels, ["background", "lesion"], widths, norm_num_groups=4))
    images = torch.rand(2, channels, size, size) * 2 - 1
    assert network(images).logits.shape == (2, 2, size, size)
    assert network.features(images).shape == (2, widths[-1])
    labels = network.segment(images)
    assert labels.shape == (2, size, size) and labels.dtype == torch.uint8 and labels.max() <= 1


def test_seeded_slice():
    found = tiny()(torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16)).logits[0, 2, :3, :3].flatten()
    expected = torch.tensor([0.3636, 0.19146, 0.08583, 0.18941, 0.15694, 0.10711, 0.09846, 0.11152, 0.25877])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_skips_carry_detail_that_the_coarse_map_has_lost():
    """Two images that pooling makes equal are told apart pixel by pixel."""
    network = tiny()
    board = (torch.arange(256).reshape(16, 16) + torch.arange(16)[:, None]) % 2 * 2.0 - 1
    assert not torch.allclose(network(board[None, None]).logits, network(-board[None, None]).logits)


def test_a_label_is_learned_within_a_few_steps():
    network = tiny().train()
    images = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    masks = (images[:, 0] > 0).long()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        losses.append(F.cross_entropy(network(images).logits, masks))
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.3 * losses[0]
    assert (network.eval().segment(images) == masks).float().mean() > 0.9


def test_an_image_is_labelled_alike_in_any_batch():
    network, images = tiny(), torch.rand(3, 1, 16, 16)
    torch.testing.assert_close(network(images).logits[1:2], network(images[1:2]).logits)


def test_saved_and_loaded_weights_are_the_same(tmp_path):
    network = tiny(pixel_spacing_mm=2.0)
    network.save_pretrained(tmp_path)
    loaded = UNetSegmenter.from_pretrained(tmp_path)
    images = torch.rand(2, 1, 16, 16)
    assert torch.equal(network(images).logits, loaded(images).logits)
    assert loaded.config.pixel_spacing_mm == 2.0 and loaded.config.class_names[2] == "myocardium"


def test_a_size_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="sample_size: expected a multiple of 8, got 20"):
        UNetSegmenter(UNetSegmenterConfig(20))
