"""The latent of a one-pass generator: what it is drawn from, and the search for the one nearest to an image."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class LatentPrior:
    """Normal noise and, in an InfoGAN (Chen et al., 2016, arXiv 1606.03657), a categorical code and continuous codes.

    Args:
        noise_dim (`int`): Standard normal numbers.
        categories (`int`): Values of the categorical code, equally likely; 0 is no such code.
        continuous_codes (`int`): Codes that are uniform in [-1, 1].
    """

    noise_dim: int
    categories: int = 0
    continuous_codes: int = 0

    def draw(
        self, count: int, generator: torch.Generator | None = None, device="cpu"
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draws the parts of `count` latents.

        Returns:
            Noise `(count, noise_dim)`, categories `(count,)` int64 (zeros where there is no such code) and codes
            `(count, continuous_codes)`.
        """
        settings = {"generator": generator, "device": device}
        noise = torch.randn(count, self.noise_dim, **settings)
        if not self.categories:
            return noise, torch.zeros(count, dtype=torch.int64, device=device), noise[:, :0]
        category = torch.randint(self.categories, (count,), **settings)
        return noise, category, torch.rand(count, self.continuous_codes, **settings) * 2 - 1

    def join(self, noise: torch.Tensor, category: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """The latents `(count, noise_dim + categories + continuous_codes)` of what `draw` returns."""
        one_hot = category[:, None] == torch.arange(self.categories, device=category.device)
        return torch.cat([noise, one_hot.to(noise.dtype), codes], dim=1)

    def on_shell(self, noise: torch.Tensor) -> torch.Tensor:
        """The noise at length √noise_dim, where a normal prior of many dimensions has nearly all of its mass.

        As in Karras et al., 2020, arXiv 1912.04958, and Menon et al., 2020, arXiv 2003.03808.
        """
        return noise * (self.noise_dim**0.5 / noise.norm(dim=1, keepdim=True))


TRIAL_STEPS = 10  # of Adam for each class that a search tries


def search(
    render: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    target: torch.Tensor,
    start: torch.Tensor,
    counts: list[int],
    num_steps: int,
    learning_rate: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Finds by Adam, image by image, the latent and the choices whose image is nearest to a target in its pixels.

    The choices are settled one after the other: a few steps with each value, the others being as they are, and the
    best one stays. Then the latent goes on from there.

    Args:
        render (callable): `(latents, choices)` → images; `choices` are `(batch_size, len(counts))` integers.
        target (`torch.Tensor` of shape `(batch_size, channels, height, width)`): Images.
        start (`torch.Tensor` of shape `(batch_size, latent_dim)`): The latents to start from.
        counts (`list[int]`): Number of values of each choice.
        num_steps (`int`): Steps of Adam once the choices are made.
        learning_rate (`float`): Of Adam.

    Returns:
        The images, of the shape of `target`, and their mean squared errors, `(batch_size,)`.
    """

    def errors_of(images: torch.Tensor) -> torch.Tensor:
        return (images - target).square().mean(dim=(1, 2, 3))

    def descend(latents: torch.Tensor, choices: torch.Tensor, steps: int) -> tuple[torch.Tensor, ...]:
        """The latents after some steps, their images and errors."""
        latents = latents.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([latents], lr=learning_rate)
        for _ in range(steps):
            with torch.enable_grad():
                optimizer.zero_grad()
                errors_of(render(latents, choices)).sum().backward()
            optimizer.step()
        with torch.no_grad():
            images = render(latents, choices)
        return latents.detach(), images, errors_of(images)

    latents = start
    choices = torch.zeros(len(target), len(counts), dtype=torch.int64, device=target.device)
    for column, count in enumerate(counts):
        if count < 2:
            continue
        trials = []
        for value in range(count):
            tried = choices.clone()
            tried[:, column] = value
            trials.append(descend(latents, tried, TRIAL_STEPS))
        choices[:, column] = torch.stack([errors for _, _, errors in trials]).argmin(dim=0)
        row = torch.arange(len(target), device=target.device)
        latents = torch.stack([found for found, _, _ in trials])[choices[:, column], row]
    _, images, errors = descend(latents, choices, num_steps)
    return images, errors
