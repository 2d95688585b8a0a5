import pytest
import torch

from zoo.models import InfoGANDiscriminator


@pytest.mark.parametrize(("size", "channels"), [(64, 1), (64, 3), (128, 1), (128, 3), (45, 1)])
def test_shapes(size, channels):
    discriminator = InfoGANDiscriminator(size, channels, base_channels=2, categories=4, continuous_codes=3)
    outputs = discriminator(torch.randn(2, channels, size, size))
    assert [tuple(output.shape) for output in outputs] == [(2,), (2, 4), (2, 3)]


def test_score_and_codes_share_all_layers_but_the_heads():
    discriminator = InfoGANDiscriminator(16, 1, base_channels=4)
    score, category, codes = discriminator(torch.randn(2, 1, 16, 16))

    def reached(output: torch.Tensor) -> set[str]:
        discriminator.zero_grad()
        output.sum().backward(retain_graph=True)
        return {name.split(".")[0] for name, value in discriminator.named_parameters() if value.grad is not None}

    assert reached(score) == {"layers", "score"}
    assert reached(category) == {"layers", "hidden", "category"}
    assert reached(codes) == {"layers", "hidden", "codes"}


def test_seeded_slice():
    torch.manual_seed(0)
    discriminator = InfoGANDiscriminator(8, 1, base_channels=4, categories=3, continuous_codes=2).eval()
    found = torch.cat([output.flatten() for output in discriminator(torch.ones(1, 1, 8, 8))])
    expected = torch.tensor([-8.7163, 0.6683, -5.1527, 0.28, -5.4681, 0.5603])
    torch.testing.assert_close(100 * found, expected, atol=1e-3, rtol=0)


def test_saved_and_loaded_weights_are_the_same(tmp_path):
    discriminator = InfoGANDiscriminator(16, 1, 4).eval()
    discriminator.save_pretrained(tmp_path)
    images = torch.randn(2, 1, 16, 16)
    loaded = InfoGANDiscriminator.from_pretrained(tmp_path)(images)
    torch.testing.assert_close(loaded, discriminator(images))


def test_a_discriminator_without_codes_is_refused():
    with pytest.raises(ValueError, match="categories: expected at least 1"):
        InfoGANDiscriminator(16, categories=0)
