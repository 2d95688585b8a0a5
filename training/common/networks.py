"""What the trainings of networks that measure, not generate, share: they have no samples to draw."""

import torch

from common.data import ImageTensors
from common.recipe import Recipe
from common.run import Run
from zoo.metrics.image_set import masks_of


class NetworkRun(Run):
    """A run that ends in a network rather than a pipeline."""

    def _save_samples(self, network) -> None:
        """There are none."""


class MaskedImages(ImageTensors):
    """Images with their masks: an item also holds `mask`, `(height, width)` uint8. For the rest see `ImageTensors`."""

    def __init__(self, split, class_names: dict[str, list[str]]):
        super().__init__(split, class_names)
        self.masks = masks_of(split)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return super().__getitem__(index) | {"mask": self.masks[index]}


def vary_intensity(images: torch.Tensor, recipe: Recipe, draw=torch) -> torch.Tensor:
    """Changes brightness, contrast, gamma and noise of each image of a batch by amounts of its own.

    Args:
        images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [-1, 1].
        recipe: Has `intensity`, the largest change of brightness as a share of the range, and of contrast and gamma as
            exponents of e; and `noise`, the largest standard deviation of the noise as a share of the range.
        draw: What random numbers come from: torch, or the `Draws` of a run.

    Returns:
        `torch.Tensor` of the shape of `images`, in [-1, 1].
    """

    def uniform() -> torch.Tensor:
        return draw.rand(len(images), 1, 1, 1, device=images.device) * 2 - 1

    light = (images / 2 + 0.5) ** torch.exp(recipe.intensity * uniform())
    mean = light.mean((1, 2, 3), keepdim=True)
    light = (light - mean) * torch.exp(recipe.intensity * uniform()) + mean + 0.5 * recipe.intensity * uniform()
    light = light + recipe.noise * uniform().abs() * draw.randn(*light.shape, device=light.device)
    return (2 * light - 1).clamp(-1, 1)
