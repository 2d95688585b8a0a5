"""The losses of adversarial training: who is held to be real, gradient penalties, and what discriminators recover."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn


def cross_entropy(logits: torch.Tensor, label: float) -> torch.Tensor:
    """Mean binary cross-entropy of `(batch_size,)` logits against one label for all of them."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def discriminator_loss(
    kind: str, on_real: torch.Tensor, on_fake: torch.Tensor, real_label: float = 1.0
) -> torch.Tensor:
    """What the discriminator minimises.

    Args:
        kind (`str`): `"non_saturating"`: binary cross-entropy (Goodfellow et al., 2014, arXiv 1406.2661, equation 1);
            `"wasserstein"` (Arjovsky et al., 2017, arXiv 1701.07875, equation 3).
        on_real, on_fake (`torch.Tensor` of shape `(batch_size,)`): Its logits.
        real_label (`float`): Of real images in the cross-entropy; 0.9 is one-sided label smoothing (Salimans et al.,
            2016, arXiv 1606.03498).
    """
    if kind == "wasserstein":
        return on_fake.mean() - on_real.mean()
    return cross_entropy(on_real, real_label) + cross_entropy(on_fake, 0.0)


def generator_loss(kind: str, on_fake: torch.Tensor) -> torch.Tensor:
    """What the generator minimises, with the arguments of `discriminator_loss`."""
    return cross_entropy(on_fake, 1.0) if kind == "non_saturating" else -on_fake.mean()


def scores(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The logits of real or generated, first among what a discriminator returns."""
    return output[0] if isinstance(output, tuple) else output


def input_gradients(discriminator: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """How each score changes with the pixels of its image, `(batch_size, num_pixels)`; it can be trained on."""
    images = images.detach().requires_grad_(True)
    (gradients,) = torch.autograd.grad(scores(discriminator(images)).sum(), images, create_graph=True)
    return gradients.flatten(1)


def gradient_penalty(discriminator: nn.Module, real: torch.Tensor, fake: torch.Tensor, draw=torch) -> torch.Tensor:
    """Mean (‖∇D‖ − 1)² between real and generated images (Gulrajani et al., 2017, arXiv 1704.00028, equation 3)."""
    between = torch.lerp(fake.detach(), real, draw.rand(len(real), 1, 1, 1, device=real.device))
    return (input_gradients(discriminator, between).norm(dim=1) - 1).square().mean()


def adaptive_weight(
    loss: torch.Tensor,
    adversarial: torch.Tensor,
    last_layer: torch.Tensor,
    mean: Callable[[torch.Tensor], torch.Tensor] = lambda gradients: gradients,
) -> torch.Tensor:
    """What makes the two losses pull alike at the last layer: Esser et al. (2021), arXiv 2012.09841, equation 7.

    `mean` makes of the gradients of this process those of all of them.
    """
    (pull,) = torch.autograd.grad(loss, last_layer, retain_graph=True)
    (other,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
    return (mean(pull).norm() / (mean(other).norm() + 1e-6)).clamp(max=1e4).detach()


def class_loss(logits: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """−Lc of an ACGAN (Odena et al., 2017, arXiv 1610.09585, equation 3), added up over the conditions.

    Args:
        logits (`list[torch.Tensor]`): By condition `(batch_size, num_classes)`.
        labels (`torch.Tensor` of shape `(batch_size, num_conditions)`): Class indices; `num_classes` is "left open",
            and such a label teaches nothing.
    """
    total = torch.zeros((), device=labels.device)
    for column, of_condition in enumerate(logits):
        target = labels[:, column]
        known = target < of_condition.shape[1]
        if known.any():
            total = total + F.cross_entropy(of_condition[known], target[known])
    return total


def code_loss(
    category_logits: torch.Tensor, code_means: torch.Tensor, category: torch.Tensor, codes: torch.Tensor
) -> torch.Tensor:
    """−L_I of an InfoGAN up to a constant (Chen et al., 2016, arXiv 1606.03657, equation 5).

    Q is a softmax over the category and, for each continuous code, a normal distribution of variance 1.

    Args:
        category_logits (`torch.Tensor` of shape `(batch_size, categories)`): Q's guess of the category.
        code_means (`torch.Tensor` of shape `(batch_size, continuous_codes)`): Q's guess of the codes.
        category (`torch.Tensor` of shape `(batch_size,)`): The category.
        codes (`torch.Tensor` of shape `(batch_size, continuous_codes)`): The codes.
    """
    return F.cross_entropy(category_logits, category) + (code_means - codes).square().sum(dim=1).mean() / 2
