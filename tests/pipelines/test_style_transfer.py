"""The losses of style transfer and their descent."""

import numpy as np
import pytest
import torch
from torch import nn

from zoo.pipelines.style_transfer import (
    OPTIMIZERS,
    FeatureNetwork,
    SmoothedMomentum,
    encoder_network,
    gram_matrix,
    relative_error,
    smoothed,
    transfer,
)


@pytest.fixture
def network() -> FeatureNetwork:
    torch.manual_seed(0)
    return encoder_network(
        nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.SiLU(), nn.Conv2d(4, 8, 4, 2, 1), nn.Flatten(), nn.Linear(128, 2))
    )


@pytest.fixture
def images() -> dict[str, torch.Tensor]:
    """Smooth content and noisy style, of 16x16 pixels."""
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0.2, 0.8, 16)
    smooth = torch.stack([ramp.expand(16, 16), ramp[:, None].expand(16, 16), 1 - ramp.expand(16, 16)])[:, None]
    return {"content": smooth.clone(), "style": torch.rand(3, 1, 16, 16, generator=generator)}


def styled(network, images, style_weight=1.0, content_weight=1.0, learning_rate=0.02, num_iterations=40, **settings):
    return transfer(
        network,
        images["content"],
        network.style(images["style"], settings.get("style_loss", "relative")),
        style_weight=style_weight,
        content_weight=content_weight,
        learning_rate=learning_rate,
        num_iterations=num_iterations,
        **settings,
    )


def test_gram_matrix_by_hand():
    maps = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = [[[(m[i] * m[j]).sum() / 20 for j in range(3)] for i in range(3)] for m in maps.numpy().astype(float)]
    np.testing.assert_allclose(gram_matrix(maps), expected, atol=1e-6)
    # The style of an image does not depend on its size, nor on where things are
    torch.testing.assert_close(gram_matrix(maps.repeat(1, 1, 2, 3)), gram_matrix(maps))
    torch.testing.assert_close(gram_matrix(maps.flip(3)), gram_matrix(maps))


def test_relative_error_by_hand():
    found = [torch.tensor([[1.0, 3.0], [2.0, 2.0]]), torch.tensor([[4.0], [0.0]])]
    wanted = [torch.tensor([[1.0, 1.0], [2.0, 2.0]]), torch.tensor([[2.0], [2.0]])]
    assert relative_error(found, wanted).tolist() == pytest.approx([(4 / 2 + 4 / 4) / 2, (0 + 4 / 4) / 2])
    scaled = relative_error([100 * f for f in found], [100 * w for w in wanted])
    assert scaled.tolist() == pytest.approx(relative_error(found, wanted).tolist())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_losses_fall_as_told(network, images, optimizer):
    found = styled(network, images, style_weight=100.0, learning_rate=0.05, optimizer=optimizer)
    assert found.style_losses.shape == found.content_losses.shape == (41, 3)
    total = 100 * found.style_losses + found.content_losses
    assert (found.content_losses[0] == 0).all()
    assert (total[-1] < 0.5 * total[0]).all()
    # They are those of the images that are returned
    style = relative_error(network.grams(found.images), network.grams(images["style"]))
    torch.testing.assert_close(found.style_losses[-1], style)
    content = relative_error(network(found.images)[1], network(images["content"])[1])
    torch.testing.assert_close(found.content_losses[-1], content)
    assert 0 <= found.images.min() <= found.images.max() <= 1


def test_a_huge_content_weight_keeps_the_image_and_style_alone_changes_it(network, images):
    changes = [
        (styled(network, images, style_weight=weight, learning_rate=0.002).images - images["content"]).abs().mean()
        for weight in (1e-12, 1e12)
    ]
    assert changes[0] < 0.003
    assert changes[1] > 10 * changes[0]
    unmoved = styled(network, images, style_weight=0.0).images
    assert torch.equal(unmoved, images["content"])


def test_more_style_weight_is_nearer_to_the_style_and_farther_from_the_content(network, images):
    found = [styled(network, images, style_weight=weight) for weight in (0.01, 1.0, 100.0)]
    style = torch.stack([f.style_losses[-1] for f in found])
    content = torch.stack([f.content_losses[-1] for f in found])
    assert (style.diff(dim=0) < 0).all()
    assert (content.diff(dim=0) > 0).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_ratio_of_the_weights_alone_counts(network, images, optimizer):
    usual = styled(network, images, 3.0, 1.0, optimizer=optimizer).images
    for factor in (1e-15, 1e15):
        torch.testing.assert_close(
            styled(network, images, 3 * factor, factor, optimizer=optimizer).images, usual, atol=1e-5, rtol=0
        )


def test_smoothing_is_a_binomial_mean():
    impulse = torch.zeros(1, 2, 9, 9)
    impulse[0, 1, 4, 4] = 256
    row = np.array([1, 4, 6, 4, 1])
    np.testing.assert_allclose(smoothed(impulse)[0, 1, 2:7, 2:7], np.outer(row, row), atol=1e-5)
    assert smoothed(impulse)[0, 0].abs().max() == 0  # channels are not mixed
    torch.testing.assert_close(smoothed(torch.full((2, 1, 7, 5), 0.3)), torch.full((2, 1, 7, 5), 0.3))


def test_momentum_by_hand():
    images, lr = torch.zeros(1, 1, 6, 6, requires_grad=True), 0.1
    descent, mean = SmoothedMomentum([images], lr=lr), np.zeros((6, 6))
    expected = np.zeros((6, 6))
    for seed in range(3):
        images.grad = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(seed)) - 0.5
        smooth = smoothed(images.grad)[0, 0].numpy()
        mean = 0.9 * mean + 0.1 * smooth / np.sqrt((smooth**2).mean())
        expected -= lr * mean
        descent.step()
    np.testing.assert_allclose(images[0, 0].detach(), expected, atol=1e-6)
    images.grad = torch.zeros(1, 1, 6, 6)
    descent.step()
    assert images.isfinite().all()


def test_momentum_leaves_less_noise(network, images):
    """For the same change of the image, less of it is between neighbouring pixels."""

    def roughness(optimizer: str) -> float:
        change = styled(network, images, num_iterations=1, optimizer=optimizer).images - images["content"]
        return (change.diff(dim=3).square().mean() / change.square().mean()).item()

    assert roughness("momentum") < 0.5 * roughness("adam")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_image_depends_on_those_beside_it(network, images, optimizer):
    whole = styled(network, images, optimizer=optimizer)
    assert torch.equal(styled(network, images, optimizer=optimizer).images, whole.images)
    for i in range(3):
        alone = styled(network, {name: batch[i : i + 1] for name, batch in images.items()}, optimizer=optimizer)
        assert torch.equal(alone.images, whole.images[i : i + 1])
        assert torch.equal(alone.style_losses, whole.style_losses[:, i : i + 1])


def test_the_network_is_left_as_it_was(network, images):
    before = [parameter.clone() for layer in network.layers for parameter in layer.parameters()]
    styled(network, images, num_iterations=2)
    after = [parameter for layer in network.layers for parameter in layer.parameters()]
    assert before and all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert all(parameter.grad is None and parameter.requires_grad for parameter in after)


def test_the_encoder_is_seen_at_its_convolutions(images):
    torch.manual_seed(0)
    first, second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 3)
    network = encoder_network(nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), nn.Flatten(), nn.Linear(9999, 2)))
    style, content = network(images["content"])
    expected = first(images["content"] * 2 - 1)
    torch.testing.assert_close(style, [expected, second(nn.functional.silu(expected))])
    torch.testing.assert_close(content, style[1:])
    assert len(network.layers) == 3  # what lies behind is not run: the linear layer would not fit
    with pytest.raises(ValueError, match="encoder: expected an nn.Sequential with convolutions"):
        encoder_network(nn.Sequential(nn.Linear(2, 2)))


BAD = {
    "negative": ({"style_weight": -1.0}, "style_weight, content_weight: expected finite numbers"),
    "both 0": ({"style_weight": 0.0, "content_weight": 0.0}, "not both 0"),
    "infinite": ({"style_weight": float("inf")}, "expected finite numbers"),
    "nan": ({"content_weight": float("nan")}, "expected finite numbers"),
    "rate": ({"learning_rate": 0.0}, "learning_rate: expected a positive number, got 0.0"),
    "iterations": ({"num_iterations": 0}, "num_iterations: expected at least 1, got 0"),
    "optimizer": ({"optimizer": "sgd"}, "optimizer: expected adam or momentum, got 'sgd'"),
}


@pytest.mark.parametrize(("settings", "message"), BAD.values(), ids=BAD)
def test_bad_settings_are_named(network, images, settings, message):
    with pytest.raises(ValueError, match=message):
        styled(network, images, **settings)


def test_a_style_of_another_network_is_refused(network, images):
    settings = {"style_weight": 1.0, "content_weight": 1.0, "learning_rate": 0.1, "num_iterations": 1}
    with pytest.raises(ValueError, match="a style of another feature network"):
        transfer(network, images["content"], [torch.zeros(1, 4, 4)], **settings)


def by_hand(network, image, target, settings: dict, steps: int) -> torch.Tensor:
    """Study B's descent as its text tells it: absolute weights, Keras's Adam, nothing else."""
    pixels = image.clone().double().requires_grad_(True)
    content = [maps.detach() for maps in network(image)[1]]
    adam = torch.optim.Adam([pixels], settings["learning_rate"], eps=1e-7)
    for _ in range(steps):
        style_maps, content_maps = network(pixels.float())
        if settings["style_loss"] == "gram":
            style_maps = [gram_matrix(maps) for maps in style_maps]
        loss = sum(nn.functional.mse_loss(a, b) for a, b in zip(style_maps, target, strict=True))
        loss = settings["style_weight"] * loss
        loss += settings["content_weight"] * sum(
            nn.functional.mse_loss(a, b) for a, b in zip(content_maps, content, strict=True)
        )
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)
    return pixels.detach().float()


@pytest.mark.parametrize("style_loss", ["gram", "maps"])
def test_study_bs_losses_are_those_of_its_text(network, images, style_loss):
    settings = {"style_weight": 1e-4, "content_weight": 1e-5, "learning_rate": 0.02, "style_loss": style_loss}
    found = styled(network, images, num_iterations=10, **settings).images
    for index in range(3):
        with torch.no_grad():
            target = network.style(images["style"][index : index + 1], style_loss)
        expected = by_hand(network, images["content"][index : index + 1], target, settings, steps=10)
        torch.testing.assert_close(found[index : index + 1], expected, atol=1e-4, rtol=0)
    assert (found - images["content"]).abs().max() > 0.02


def test_the_size_of_absolute_weights_counts_and_that_of_relative_ones_does_not(network, images):
    def change(style_loss: str, scale: float) -> torch.Tensor:
        weights = {"style_weight": scale, "content_weight": scale}
        return styled(network, images, **weights, num_iterations=20, style_loss=style_loss).images - images["content"]

    torch.testing.assert_close(change("relative", 1e-9), change("relative", 1e3), atol=1e-4, rtol=0)
    small, large = change("maps", 1e-9).abs().mean(), change("maps", 1e3).abs().mean()
    assert 0 < small < 0.05 * large  # Adam's ε is larger than the gradient


@pytest.mark.parametrize("style_loss", ["gram", "maps"])
@pytest.mark.parametrize("weights", [(1e-15, 1e-15), (1e16, 1e-15), (1e-15, 1e16), (1e16, 1e16)])
def test_no_weight_of_the_studys_grid_overflows(network, images, style_loss, weights):
    names = ("style_weight", "content_weight")
    found = styled(network, images, **dict(zip(names, weights, strict=True)), num_iterations=3, style_loss=style_loss)
    assert all(torch.isfinite(part).all() for part in found)
    moved = (found.images - images["content"]).abs().max()
    assert (moved > 0.01) == (1e16 in weights[:1])


def test_an_unknown_style_loss_is_refused(network, images):
    settings = {"style_weight": 1.0, "content_weight": 1.0, "learning_rate": 0.1, "num_iterations": 1}
    with pytest.raises(ValueError, match="style_loss: expected relative, gram, maps, got 'vgg'"):
        transfer(network, images["content"], network.grams(images["style"]), style_loss="vgg", **settings)
    with pytest.raises(ValueError, match="expected maps .* a style of another feature network"):
        transfer(network, images["content"], network.grams(images["style"]), style_loss="maps", **settings)
