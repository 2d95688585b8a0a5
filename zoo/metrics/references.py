"""The three rows that stand beside every model: what real images score, a blurred non-answer, and a memoriser."""

import torch

from zoo.metrics.image_set import ImageSet, of_samples

MAX_SHIFT = 2


def real_row(training: ImageSet, count: int, seed: int) -> ImageSet:
    """A seeded choice of `count` training images without replacement (all of them if there are fewer)."""
    generator = torch.Generator().manual_seed(seed)
    return training[torch.randperm(len(training), generator=generator)[:count]]


def mean_row(training: ImageSet, count: int) -> ImageSet:
    """The mean training image, `count` times."""
    mean = training.images.double().mean(0, keepdim=True).round().to(torch.uint8)
    return of_samples(mean.repeat(count, 1, 1, 1))


def copy_row(training: ImageSet, count: int, seed: int) -> ImageSet:
    """The images of `real_row` handed out as samples, every second one shifted by one or two pixels.

    A shift moves the image by -2 to 2 pixels in each direction, not by 0 in both; the edge is repeated.
    """
    chosen = real_row(training, count, seed)
    generator = torch.Generator().manual_seed(seed)
    images = chosen.images.clone()
    side = 2 * MAX_SHIFT + 1
    for i in range(1, len(images), 2):
        place = torch.randint(side**2 - 1, (), generator=generator).item()
        place += place >= side**2 // 2  # leaves out the middle, which is no shift
        images[i] = shift(images[i], place // side - MAX_SHIFT, place % side - MAX_SHIFT)
    return ImageSet(images, chosen.ids)


def shift(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """`(channels, height, width)` moved by whole pixels, its edges repeated."""
    rows = (torch.arange(image.shape[-2]) - down).clamp(0, image.shape[-2] - 1)
    columns = (torch.arange(image.shape[-1]) - right).clamp(0, image.shape[-1] - 1)
    return image[:, rows][:, :, columns]
