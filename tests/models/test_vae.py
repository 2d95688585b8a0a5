"""What the dense and the convolutional autoencoder have in common, and what only one of them claims."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import nn

from zoo.models import ConvolutionalVAE, DenseVAE

NETWORKS = {
    "dense": lambda size, channels: DenseVAE(size, channels, latent_dim=5, hidden_dims=[12, 8]),
    "transposed": lambda size, channels: ConvolutionalVAE(
        size,
        channels,
        latent_dim=5,
        block_out_channels=[4, 8],
        final_channels=4,
        extra_layers=1,
        norm_num_groups=2,
        upsampling="transposed",
    ),
    "convolutional": lambda size, channels: ConvolutionalVAE(
        size, channels, latent_dim=5, block_out_channels=[4, 8], final_channels=4, extra_layers=1, norm_num_groups=2
    ),
}


@pytest.fixture(params=sorted(NETWORKS))
def build(request):
    torch.manual_seed(0)
    return NETWORKS[request.param]


@pytest.mark.parametrize(("size", "channels"), [(64, 1), (128, 3), (22, 1)])
def test_shapes_and_range(build, size, channels):
    network = build(size, channels)
    images = torch.rand(2, channels, size, size) * 2 - 1
    mean, logvar = network.encode(images)
    assert mean.shape == logvar.shape == (2, 5)
    decoded = network.decode(100 * torch.randn(2, 5))
    assert decoded.shape == images.shape
    assert decoded.abs().max() <= 1
    assert decoded.std() > 0


def test_the_forward_pass_draws_from_the_posterior(build):
    network = build(16, 1)
    images, noise = torch.rand(2, 1, 16, 16) * 2 - 1, torch.randn(2, 5)
    logits, mean, logvar = network(images, noise, return_dict=False)
    expected = network.decode(mean + noise * torch.exp(logvar).sqrt())
    torch.testing.assert_close(logits.sigmoid() * 2 - 1, expected)
    torch.testing.assert_close(network(images)[0], network.decode_logits(mean))
    assert not torch.allclose(logits, network(images)[0])


def test_one_step_lowers_the_loss(build):
    network, noise = build(16, 1), torch.randn(8, 5)
    images = torch.rand(8, 1, 16, 16) * 2 - 1

    def loss() -> torch.Tensor:
        logits, mean, logvar = network(images, noise, return_dict=False)
        kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1).mean()
        return F.binary_cross_entropy_with_logits(logits, images / 2 + 0.5, reduction="sum") / 8 + kl

    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    before = loss()
    before.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())
    optimizer.step()
    assert loss() < before


def test_saved_and_loaded_weights_are_the_same(build, tmp_path):
    network = build(16, 1).eval()
    network.save_pretrained(tmp_path)
    loaded = type(network).from_pretrained(tmp_path)
    assert torch.equal(network.decode(torch.ones(2, 5)), loaded.decode(torch.ones(2, 5)))


def test_seeded_slices():
    torch.manual_seed(0)
    latents = torch.linspace(-2, 2, 5)[None]
    expected = {
        "convolutional": [0.021, -0.1258, -0.1671, -0.033, -0.3058, -0.2802, 0.003, -0.2507, -0.4027],
        "dense": [0.0542, 0.0619, 0.0692, -0.0079, -0.0075, -0.1471, 0.0605, 0.1377, 0.0011],
    }
    for name, values in expected.items():
        torch.manual_seed(0)
        found = NETWORKS[name](8, 1).decode(latents)[0, 0, :3, :3].flatten()
        torch.testing.assert_close(found, torch.tensor(values), atol=1e-4, rtol=0)


def test_the_dense_decoder_mirrors_the_encoder():
    network = DenseVAE(8, 1, latent_dim=3, hidden_dims=[20, 10])

    def widths(layers: nn.Module) -> list[tuple[int, int]]:
        return [(m.in_features, m.out_features) for m in layers.modules() if isinstance(m, nn.Linear)]

    assert widths(network.encoder) == [(64, 20), (20, 10), (10, 6)]  # mean and log-variance
    assert widths(network.decoder) == [(3, 10), (10, 20), (20, 64)]


def checkerboard(image: torch.Tensor) -> float:
    """How much neighbouring pixels differ in the middle of an image, where the border is not seen."""
    middle = image[..., 12:-12, 12:-12]
    return (middle[..., 1:] - middle[..., :-1]).abs().max().item()


def test_the_convolutional_decoder_leaves_no_checkerboard():
    """Even features come out even, where a transposed convolution of uneven overlap leaves a pattern."""
    torch.manual_seed(0)
    network = ConvolutionalVAE(64, 1, 5, [4, 8], final_channels=4, extra_layers=1, norm_num_groups=2)
    assert not any(isinstance(module, nn.ConvTranspose2d) for module in network.modules())
    even = torch.randn(1, 8, 1, 1).expand(1, 8, 16, 16)
    assert checkerboard(network.decoder(even)) < 1e-5
    transposed = nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1, output_padding=1)
    assert checkerboard(transposed(even)) > 1e-2


def test_an_image_too_small_to_be_halved_is_refused():
    with pytest.raises(ValueError, match="sample_size: expected at least 16, got 8"):
        ConvolutionalVAE(8)


@pytest.mark.parametrize(
    ("recipe", "latent", "parameters"),
    [("cvae-small", 64, 1_338_049), ("cvae-transposed", 64, None), ("cvae", 512, 4_000_000)],
)
def test_study_bs_autoencoders_are_as_large_as_the_study_says(recipe, latent, parameters):
    file = Path(__file__).parents[2] / "training" / "recipes" / "study_b" / f"{recipe}.yaml"
    settings = yaml.safe_load(file.read_text())["network"]
    network = ConvolutionalVAE(180, 1, **settings)
    count = sum(weight.numel() for weight in network.parameters())
    assert network.config.latent_dim == latent
    if recipe == "cvae-small":
        assert count == parameters and settings["extra_layers"] > 0
    elif recipe == "cvae":
        assert parameters < count < 1.25 * parameters
    else:  # a plain mirror of the second one
        mirror = ConvolutionalVAE(180, 1, **settings | {"upsampling": "bilinear"})
        assert count == sum(weight.numel() for weight in mirror.parameters()) and settings["extra_layers"] == 0
        assert any(isinstance(layer, nn.ConvTranspose2d) for layer in network.decoder)
    assert network.decode(torch.zeros(1, latent)).shape == (1, 1, 180, 180)


def test_an_unknown_upsampling_is_refused():
    with pytest.raises(ValueError, match="upsampling: expected bilinear or transposed, got 'nearest'"):
        ConvolutionalVAE(16, upsampling="nearest")
