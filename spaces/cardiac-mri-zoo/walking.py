"""Walks through the latent space of one-pass generators, and InfoGAN's codes."""

import numpy as np
import torch

from zoo.errors import ZooError
from zoo.pipelines import GANPipeline, VAEPipeline, sample_generators
from zoo.png import channels_last, to_uint8

FRAMES = 13
CODE_LIMIT = 2.0  # InfoGAN's continuous codes are drawn from -1 to 1; beyond, the network extrapolates


def can_walk(cls: type, index: dict) -> bool:
    """Whether a model has a latent that one pass turns into an image."""
    return cls in (GANPipeline, VAEPipeline)


def has_codes(cls: type, index: dict) -> bool:
    """Whether a model is an InfoGAN."""
    return bool(index.get("categories") or index.get("continuous_codes"))


def slerp(start: torch.Tensor, end: torch.Tensor, count: int) -> torch.Tensor:
    """Points on the great circle from one vector to another, their lengths interpolated too: `(count, dimensions)`.

    The straight line would lead through short vectors, which a normal prior of many dimensions never yields
    (Shoemake, 1985, doi 10.1145/325334.325242; White, 2016, arXiv 1609.04468).
    """
    share = torch.linspace(0, 1, count)[:, None]
    lengths = start.norm(), end.norm()
    cosine = (start @ end / (lengths[0] * lengths[1])).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if angle < 1e-4:
        return start + share * (end - start)
    a, b = start / lengths[0], end / lengths[1]
    direction = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
    return direction * (lengths[0] + share * (lengths[1] - lengths[0]))


@torch.no_grad()
def walk(pipe, seeds: tuple[int, int], pathology: str | None = None, count: int = FRAMES) -> np.ndarray:
    """The images between sample 0 of one seed and sample 0 of another, both included.

    The classes are those of the first sample, unless a pathology is asked for; so is an InfoGAN's category. Its codes
    go straight from one to the other.

    Args:
        pipe: A [`GANPipeline`] or [`VAEPipeline`].
        seeds (`(int, int)`): Where to start and to end.
        pathology (`str`, *optional*): Class of the first condition.
        count (`int`): How many images.

    Returns:
        `np.ndarray` of shape `(count, height, width, channels)`: uint8.

    Raises:
        ZooError: If the model does not know the class.
    """
    ends = [sample_generators(seed, [0]) for seed in seeds]
    if isinstance(pipe, VAEPipeline):
        start, end = (torch.randn(pipe.latent_dimensions, generator=generators[0]) for generators in ends)
        return channels_last(pipe.vae.decode(slerp(start, end, count).to(pipe.device)) / 2 + 0.5)
    try:
        labels = [pipe.draw_labels(pathology, {}, generators) for generators in ends][0]
    except ValueError as error:
        raise ZooError(str(error)) from error
    (start, category, first), (end, _, last) = (pipe.prior.draw(1, generators[0]) for generators in ends)
    share = torch.linspace(0, 1, count)[:, None]
    codes = first + share * (last - first)
    latents = pipe.prior.join(slerp(start[0], end[0], count), category.expand(count), codes).to(pipe.device)
    network = pipe.generator_model
    images = network(latents, labels.expand(count, -1)) if pipe.class_names else network(latents)
    images = getattr(images, "sample", images)
    return channels_last(images / 2 + 0.5)


def with_codes(pipe, seed: int, category: int | None, codes: list[float]) -> np.ndarray:
    """Sample 0 of a seed of an InfoGAN with given codes, uint8 `(height, width, channels)`.

    Raises:
        ZooError: If the model has other codes.
    """
    settings = {"category": category if pipe.config.categories else None, "codes": codes}
    try:
        return to_uint8(pipe(1, generator=sample_generators(seed, [0]), output_type="np", **settings).images[0])
    except (ValueError, TypeError) as error:
        raise ZooError(str(error)) from error
