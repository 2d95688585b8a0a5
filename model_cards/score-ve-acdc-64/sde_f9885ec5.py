"""Stochastic differential equations of noise, and three ways back from noise to image by the score.

Everything here lives in the coordinates of Karras et al. (2022, arXiv 2206.00364, section 2): `x = image + σ · noise`.
Divided by its scale s(t), the variance-preserving SDE only differs from the variance-exploding one in the σ that it has
at time t, so that all samplers serve both. The file is published beside the pipeline.
"""

import math
from collections.abc import Callable

import torch


class VESDE:
    """The variance-exploding SDE (Song et al., 2021, arXiv 2011.13456, equation 30): σ rises geometrically.

    Args:
        sigma_min (`float`): σ at time 0.
        sigma_max (`float`): σ at time 1, about the largest distance of two training images (Song & Ermon, 2020,
            arXiv 2006.09011, technique 1).

    Raises:
        ValueError: If not 0 < `sigma_min` < `sigma_max`.
    """

    def __init__(self, sigma_min: float = 0.01, sigma_max: float = 50.0):
        if not 0 < sigma_min < sigma_max:
            raise ValueError(f"sigma_min, sigma_max: expected 0 < sigma_min < sigma_max, got {sigma_min}, {sigma_max}")
        self.sigma_min, self.sigma_max = sigma_min, sigma_max

    def sigma(self, time: torch.Tensor) -> torch.Tensor:
        """σ at times in [0, 1], of any shape."""
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** time


class VPSDE:
    """The variance-preserving SDE (Song et al., 2021, equation 32), DDPM's in continuous time, divided by its scale.

    With B(t) = β_min·t + (β_max - β_min)·t²/2 it is s(t) = exp(-B/2) and σ(t) = √(exp(B) - 1).

    Args:
        beta_min (`float`): β at time 0.
        beta_max (`float`): β at time 1.
        first_time (`float`): Where time begins; σ is 0 at time 0, and the score has no bound there.

    Raises:
        ValueError: If not 0 < `beta_min` < `beta_max`.
    """

    def __init__(self, beta_min: float = 0.1, beta_max: float = 20.0, first_time: float = 1e-3):
        if not 0 < beta_min < beta_max:
            raise ValueError(f"beta_min, beta_max: expected 0 < beta_min < beta_max, got {beta_min}, {beta_max}")
        self.beta_min, self.beta_max, self.first_time = beta_min, beta_max, first_time

    def sigma(self, time: torch.Tensor) -> torch.Tensor:
        """σ at times in [0, 1], of any shape; they are spread over [`first_time`, 1]."""
        time = self.first_time + (1 - self.first_time) * time
        return torch.expm1(self.beta_min * time + (self.beta_max - self.beta_min) * time**2 / 2).sqrt()


SDES = {"ve": VESDE, "vp": VPSDE}


def build_sde(name: str, **settings: float) -> VESDE | VPSDE:
    """The SDE called `"ve"` or `"vp"`, with its own keywords.

    Raises:
        ValueError: If the name is unknown, or a setting is out of range.
    """
    if name not in SDES:
        raise ValueError(f"sde: expected one of {', '.join(SDES)}, got {name!r}")
    return SDES[name](**settings)


def noise_levels(sde: VESDE | VPSDE, count: int, start: float | None = None) -> list[float]:
    """`count` values of σ at evenly spaced times, the largest first.

    Args:
        sde (`VESDE` or `VPSDE`): The SDE.
        count (`int`): Levels of the whole way from noise to image.
        start (`float`, *optional*): Where to begin instead, between two levels: it comes first and higher ones go.
    """
    levels = sde.sigma(torch.linspace(1, 0, count, dtype=torch.float64)).tolist()
    return levels if start is None else [start, *(level for level in levels if level < 0.999 * start)]


Denoise = Callable[[torch.Tensor, float], torch.Tensor]
Noise = Callable[[], torch.Tensor]
OnStep = Callable[[int, float, torch.Tensor], torch.Tensor]


def probability_flow(denoise: Denoise, sample: torch.Tensor, levels: list[float], on_step: OnStep) -> torch.Tensor:
    """Solves the probability-flow ODE, which draws no noise (Song et al., 2021, equation 13), by Heun's method.

    In these coordinates it is dx/dσ = (x - D(x; σ)) / σ, as D = x + σ²·score (Karras et al., 2022, algorithm 1).

    Args:
        denoise (callable): `(sample, sigma)` → D, the expected image.
        sample (`torch.Tensor` of shape `(batch_size, …)`): At the noise of the first level.
        levels (`list[float]`): Values of σ, falling.
        on_step (callable): `(step, sigma, sample)` → the sample to go on with, after each level.
    """
    for step, (sigma, lower) in enumerate(zip(levels, [*levels[1:], 0.0], strict=True)):
        slope = (sample - denoise(sample, sigma)) / sigma
        moved = sample + (lower - sigma) * slope
        if lower:
            slope = (slope + (moved - denoise(moved, lower)) / lower) / 2
            moved = sample + (lower - sigma) * slope
        sample = on_step(step, lower, moved)
    return sample


def predictor_corrector(
    denoise: Denoise,
    sample: torch.Tensor,
    levels: list[float],
    on_step: OnStep,
    noise: Noise,
    snr: float,
    flow_above: float = math.inf,
) -> torch.Tensor:
    """Ancestral steps, each corrected by a step of Langevin dynamics (Song et al., 2021, algorithm 1, equation 47).

    An ancestral step takes the expected image for the true one. Where the two are far apart, in long steps from much
    noise, that makes samples alike; there the probability flow can predict instead, another of the paper's predictors.

    diffusers' `ScoreSdeVeScheduler` takes the length of the Langevin step from the mean over the batch. Here each
    sample has its own, so that it does not depend on its neighbours. The last step denoises.

    Args:
        denoise (callable): `(sample, sigma)` → D, the expected image.
        sample (`torch.Tensor` of shape `(batch_size, …)`): At the noise of the first level.
        levels (`list[float]`): Values of σ, falling.
        on_step (callable): `(step, sigma, sample)` → the sample to go on with, after each level.
        noise (callable): Draws standard normal numbers of the shape of `sample`.
        snr (`float`): Length of a Langevin step's drift relative to its noise; the step is 2·(snr·‖noise‖/‖score‖)².
        flow_above (`float`): σ above which the predictor is an Euler step of the probability flow.
    """
    for step, (sigma, lower) in enumerate(zip(levels, levels[1:], strict=False)):
        # Predictor: the flow, or the exact posterior, were the expected image the true one
        expected, kept = denoise(sample, sigma), lower / sigma if sigma > flow_above else lower**2 / sigma**2
        sample = expected * (1 - kept) + sample * kept
        if sigma <= flow_above:
            sample = sample + lower * (1 - kept) ** 0.5 * noise()
        # Corrector
        score, drawn = (denoise(sample, lower) - sample) / lower**2, noise()
        length = 2 * (snr * _norm(drawn) / _norm(score)) ** 2
        sample = on_step(step, lower, sample + length * score + (2 * length).sqrt() * drawn)
    return on_step(len(levels) - 1, 0.0, denoise(sample, levels[-1]))


def annealed_langevin(
    denoise: Denoise, sample: torch.Tensor, levels: list[float], on_step: OnStep, noise: Noise, steps_per_level: int
) -> torch.Tensor:
    """Langevin dynamics at falling noise levels (Song & Ermon, 2019, arXiv 1907.05600, algorithm 1).

    The step is α = ε·σ², and ε is chosen by `langevin_step`. The last step denoises, as Jolicoeur-Martineau et al.
    (2020, arXiv 2009.05475) found necessary.

    Args:
        denoise (callable): `(sample, sigma)` → D, the expected image.
        sample (`torch.Tensor` of shape `(batch_size, …)`): At the noise of the first level.
        levels (`list[float]`): Values of σ, falling.
        on_step (callable): `(step, sigma, sample)` → the sample to go on with, after each level.
        noise (callable): Draws standard normal numbers of the shape of `sample`.
        steps_per_level (`int`): Langevin steps at each level.
    """
    sigma = levels[0]
    for step, (above, sigma) in enumerate(zip([levels[0], *levels], levels, strict=False)):
        epsilon = langevin_step(above / sigma, steps_per_level)
        for _ in range(steps_per_level):
            sample = sample + epsilon * (denoise(sample, sigma) - sample) + (2 * epsilon) ** 0.5 * sigma * noise()
        sample = on_step(step, sigma, sample)
    return on_step(len(levels), 0.0, denoise(sample, sigma))


def langevin_step(ratio: float, steps: int) -> float:
    """The step ε, in units of σ², that leaves a variance nearest to σ² after `steps` at a level.

    Song & Ermon (2020), technique 4: around one training image, samples that come with the variance `ratio`² (the level
    above, all in units of σ²) have the variance (1 - ε)^(2·steps)·(ratio² - v) + v afterwards, where v = 2/(2 - ε).
    """

    def excess(epsilon: float) -> float:
        limit = 2 / (2 - epsilon)
        return abs((1 - epsilon) ** (2 * steps) * (ratio**2 - limit) + limit - 1)

    return min((math.exp(exponent / 50) for exponent in range(-500, 0)), key=excess)


def _norm(values: torch.Tensor) -> torch.Tensor:
    """The Euclidean norm of each row, shaped to multiply `values`."""
    return values.flatten(1).norm(dim=1).reshape(-1, *[1] * (values.ndim - 1))
