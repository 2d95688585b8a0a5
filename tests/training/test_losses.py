import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from common.losses import kl_to_standard_normal, laplacian_pyramid, pyramid_loss


def test_kl_agrees_with_torch_and_is_zero_for_the_prior():
    mean, logvar = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum((1, 2))
    torch.testing.assert_close(kl_to_standard_normal(mean, logvar), expected)
    assert kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]


@pytest.mark.parametrize("size", [16, 22])
def test_the_bands_add_up_to_the_image(size):
    image = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    *bands, rest = laplacian_pyramid(image, 2)
    assert [band.shape[-1] for band in bands] == [size, -(-size // 2)]
    for band in reversed(bands):
        rest = band + F.interpolate(rest, size=band.shape[2:], mode="bilinear")
    torch.testing.assert_close(rest, image)


def test_a_constant_image_lies_in_the_coarsest_band_alone():
    *bands, rest = laplacian_pyramid(torch.full((1, 1, 16, 16), 0.7), 3)
    assert all(band.abs().max() < 1e-6 for band in bands)
    torch.testing.assert_close(rest, torch.full((1, 1, 2, 2), 0.7))


def test_lost_detail_is_not_hidden_by_an_error_of_shade():
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    stripes = 0.1 * torch.tensor([1.0, -1.0]).repeat(16).expand(1, 1, 32, 32)
    shade = 0.1 * torch.linspace(-1, 1, 32).sign().expand(1, 1, 32, 32)

    def loss(change: torch.Tensor) -> float:
        return pyramid_loss(image + change, image, levels=1).item()

    assert loss(torch.zeros(1)) == 0
    assert (shade + stripes).abs().mean() == pytest.approx(shade.abs().mean())  # a difference of pixels is blind to it
    assert loss(shade + stripes) > 1.8 * loss(shade)
