import math

import pytest
import torch
from torch import nn

from common.gan_losses import (
    adaptive_weight,
    class_loss,
    code_loss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    input_gradients,
)


class Quadratic(nn.Module):
    """Scores ½·w·‖x‖², whose gradient is w·x; the second output is not a score."""

    def __init__(self, weight: float):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.weight * images.square().sum(dim=(1, 2, 3)) / 2, images.sum()


REAL, FAKE = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])


def test_non_saturating_losses_are_cross_entropies():
    real, fake = REAL.sigmoid(), FAKE.sigmoid()
    expected = -(0.9 * real.log() + 0.1 * (1 - real).log()).mean() - (1 - fake).log().mean()
    torch.testing.assert_close(discriminator_loss("non_saturating", REAL, FAKE, real_label=0.9), expected)
    torch.testing.assert_close(generator_loss("non_saturating", FAKE), -fake.log().mean())


def test_wasserstein_by_hand():
    assert discriminator_loss("wasserstein", REAL, FAKE).item() == -1.5 - 1.25
    assert generator_loss("wasserstein", FAKE).item() == 1.5


def test_input_gradients_are_those_of_the_score_alone_and_can_be_trained_on():
    judge, images = Quadratic(3.0), torch.randn(3, 2, 4, 4)
    gradients = input_gradients(judge, images)
    torch.testing.assert_close(gradients, 3 * images.flatten(1))
    gradients.sum().backward()
    torch.testing.assert_close(judge.weight.grad, images.sum())


def test_gradient_penalty_is_zero_for_slope_one_and_taken_between_the_images():
    unit = nn.functional.normalize(torch.randn(16), dim=0)

    def slope_one(images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ unit

    assert gradient_penalty(slope_one, torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)).item() < 1e-10
    # ‖∇D‖ = 2·‖x‖, with x between images of lengths 1 and 3: (‖∇D‖ - 1)² lies between 1² and 5²
    real = torch.zeros(200, 1, 4, 4)
    real[:, 0, 0, 0] = 1
    torch.manual_seed(0)
    share = torch.rand(200, 1, 1, 1).flatten()
    torch.manual_seed(0)
    found = gradient_penalty(Quadratic(2.0), real, 3 * real)
    torch.testing.assert_close(found, (2 * (3 - 2 * share) - 1).square().mean())


def test_class_loss_adds_up_conditions_and_skips_labels_left_open():
    torch.manual_seed(0)
    logits = [torch.randn(3, 4), torch.randn(3, 2)]
    labels = torch.tensor([[0, 1], [4, 0], [2, 2]])  # the second image's first label is open, the third's second
    first, second = (part.log_softmax(1) for part in logits)
    expected = -(first[0, 0] + first[2, 2]) / 2 - (second[0, 1] + second[1, 0]) / 2
    torch.testing.assert_close(class_loss(logits, labels), expected)
    assert class_loss(logits, torch.tensor([[4, 2]] * 3)).item() == 0


def test_code_loss_is_least_where_the_codes_are_recovered():
    category, codes = torch.tensor([1, 0]), torch.tensor([[0.5, -1.0], [0.0, 0.2]])
    sure = torch.tensor([[-20.0, 20.0], [20.0, -20.0]])
    assert code_loss(sure, codes, category, codes).item() == pytest.approx(0, abs=1e-6)
    assert code_loss(torch.zeros(2, 2), codes, category, codes).item() == pytest.approx(math.log(2))
    # off by 1 in one of two codes of each image: ½·1²
    assert code_loss(sure, codes + torch.tensor([1.0, 0.0]), category, codes).item() == pytest.approx(0.5)


def test_the_weight_makes_both_losses_pull_alike():
    layer = torch.tensor([1.0, 2.0], requires_grad=True)
    loss, adversarial = 6 * layer.sum(), 0.5 * layer.sum()
    assert adaptive_weight(loss, adversarial, layer).item() == pytest.approx(12, rel=1e-4)
