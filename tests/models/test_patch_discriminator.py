import torch

from zoo.models import PatchDiscriminator


def test_a_score_a_patch():
    discriminator = PatchDiscriminator(3, [4, 8, 8])
    assert discriminator(torch.randn(2, 3, 64, 64)).shape == (2, 1, 8, 8)


def test_a_score_sees_38_pixels_a_side():
    torch.manual_seed(0)
    image = torch.randn(1, 1, 128, 128, requires_grad=True)
    PatchDiscriminator(1, [4, 8, 8]).double()(image.double())[0, 0, 8, 8].backward()
    seen = image.grad[0, 0].abs() > 0
    assert seen.any(0).sum() == seen.any(1).sum() == 38


def test_no_layer_enlarges_what_it_is_given():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(1, [4, 8])
    for _ in range(30):  # power iterations
        discriminator(torch.randn(1, 1, 16, 16))
    discriminator.eval()
    for layer in (discriminator.layers[0], discriminator.layers[2]):
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        assert abs(largest - 1) < 1e-2
