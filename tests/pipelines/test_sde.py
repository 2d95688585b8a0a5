"""The samplers, on images of 16x16 independent Gaussian pixels, whose score is known."""

import math
from functools import partial

import pytest
import torch

from zoo.pipelines.sde import (
    VESDE,
    VPSDE,
    annealed_langevin,
    build_sde,
    langevin_step,
    noise_levels,
    predictor_corrector,
    probability_flow,
)

COUNT, PIXELS = 100, 256
MEAN, VARIANCE = torch.linspace(-0.5, 0.5, PIXELS), torch.linspace(0.04, 0.25, PIXELS)


def denoise(sample: torch.Tensor, sigma: float) -> torch.Tensor:
    """The expected image of Gaussian images: Tweedie's formula with the score of N(MEAN, VARIANCE + σ²)."""
    return sample - sigma**2 * (sample - MEAN) / (VARIANCE + sigma**2)


def keep(step: int, sigma: float, sample: torch.Tensor) -> torch.Tensor:
    return sample


def normal(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(COUNT, PIXELS, generator=generator)


SAMPLERS = {
    "probability_flow": (40, lambda *walk, noise: probability_flow(*walk)),
    "predictor_corrector": (200, lambda *walk, noise: predictor_corrector(*walk, noise, snr=0.1)),
    "annealed_langevin": (100, lambda *walk, noise: annealed_langevin(*walk, noise, steps_per_level=30)),
}


@pytest.mark.parametrize("sde", [VESDE(), VPSDE()], ids=["ve", "vp"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_finds_mean_and_variance(name, sde):
    count, sampler = SAMPLERS[name]
    noise = partial(normal, torch.Generator().manual_seed(0))
    levels = noise_levels(sde, count)
    found = sampler(denoise, levels[0] * noise(), levels, keep, noise=noise)
    assert (found.mean(dim=0) - MEAN).abs().mean() < 0.04  # that of the images themselves would be 0.03
    # Langevin dynamics lag behind the falling noise: at 200 levels of 40 steps the excess is 0.08, here 0.2 at most
    excess = 0.25 if name == "annealed_langevin" else 0.06
    for part in (slice(0, 64), slice(-64, None)):
        assert abs((found.var(dim=0) / VARIANCE)[part].mean() - 1) < excess


def test_the_flow_keeps_variance_that_long_ancestral_steps_lose():
    levels, ratio = noise_levels(VESDE(), 10), {}
    for flow_above in (math.inf, 0.1):
        noise = partial(normal, torch.Generator().manual_seed(0))
        found = predictor_corrector(denoise, levels[0] * noise(), levels, keep, noise, 0.1, flow_above)
        ratio[flow_above] = (found.var(dim=0) / VARIANCE).mean().item()
    assert ratio[math.inf] + 0.05 < ratio[0.1] < 1


def test_only_the_probability_flow_is_deterministic():
    levels = noise_levels(VESDE(), 10)
    start = levels[0] * normal(torch.Generator().manual_seed(0))
    for name, (_, sampler) in SAMPLERS.items():
        found = [
            sampler(denoise, start, levels, keep, noise=partial(normal, torch.Generator().manual_seed(seed)))
            for seed in (1, 2)
        ]
        assert torch.equal(*found) == (name == "probability_flow"), name


def test_the_probability_flow_keeps_the_order_of_gaussian_samples():
    """It is the map of one Gaussian to the other: x = mean + √(v / (v + σ²))·(start - mean)."""
    levels = noise_levels(VESDE(), 200)
    start = levels[0] * normal(torch.Generator().manual_seed(0))
    found = probability_flow(denoise, start, levels, keep)
    expected = MEAN + (VARIANCE / (VARIANCE + levels[0] ** 2)).sqrt() * (start - MEAN)
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("name", ["predictor_corrector", "annealed_langevin"])
def test_a_sample_knows_nothing_of_its_neighbours(name):
    levels = noise_levels(VESDE(), 10)
    noise = normal(torch.Generator().manual_seed(0))
    _, sampler = SAMPLERS[name]
    whole = sampler(denoise, levels[0] * noise, levels, keep, noise=lambda: noise)
    loud = torch.cat([noise[:1], 100 * noise[1:]])
    alone = sampler(denoise, levels[0] * loud, levels, keep, noise=lambda: loud)
    torch.testing.assert_close(alone[0], whole[0])
    assert not torch.allclose(alone[1], whole[1])


def test_what_a_step_returns_goes_on():
    seen = []

    def record(step: int, sigma: float, sample: torch.Tensor) -> torch.Tensor:
        seen.append((step, sigma))
        return torch.zeros_like(sample)

    levels = noise_levels(VESDE(), 3)
    assert probability_flow(denoise, torch.ones(2, PIXELS), levels, record).abs().max() == 0
    assert seen == [(0, levels[1]), (1, levels[2]), (2, 0.0)]


def test_the_variance_exploding_sde_is_geometric():
    levels = noise_levels(VESDE(0.01, 100.0), 5)
    assert levels == pytest.approx([100, 10, 1, 0.1, 0.01])
    assert noise_levels(VESDE(0.01, 100.0), 5, start=2.0) == pytest.approx([2, 1, 0.1, 0.01])


def test_the_variance_preserving_sde_is_the_limit_of_ddpm():
    """DDPM's 1 - ᾱ after N small steps with β/N is 1 - exp(-∫β), and σ² = (1 - ᾱ) / ᾱ."""
    steps = 100_000
    beta = torch.linspace(0.1, 20, steps, dtype=torch.float64) / steps
    alpha_bar = (1 - beta).log().cumsum(0).exp()
    sigma = VPSDE(first_time=0.0).sigma(torch.tensor([0.25, 0.5, 1.0], dtype=torch.float64))
    expected = ((1 - alpha_bar) / alpha_bar).sqrt()[[steps // 4 - 1, steps // 2 - 1, -1]]
    torch.testing.assert_close(sigma, expected, rtol=2e-3, atol=0)


@pytest.mark.parametrize(("ratio", "steps"), [(1.07, 3), (1.1, 5), (1.02, 1)])
def test_the_langevin_step_keeps_the_noise_of_the_level(ratio, steps):
    epsilon, variance = langevin_step(ratio, steps), ratio**2
    for _ in range(steps):  # around one image the score is -x / σ², here with σ = 1
        variance = (1 - epsilon) ** 2 * variance + 2 * epsilon
    others = [(1 - e) ** (2 * steps) * (ratio**2 - 2 / (2 - e)) + 2 / (2 - e) for e in (0.5 * epsilon, 2 * epsilon)]
    assert abs(variance - 1) < min(abs(other - 1) for other in others)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="sde: expected one of ve, vp, got 'sub-vp'"):
        build_sde("sub-vp")
    with pytest.raises(ValueError, match="expected 0 < sigma_min < sigma_max, got 1.0, 0.5"):
        build_sde("ve", sigma_min=1.0, sigma_max=0.5)
    with pytest.raises(ValueError, match="expected 0 < beta_min < beta_max, got 3, 2"):
        build_sde("vp", beta_min=3, beta_max=2)
    assert math.isclose(build_sde("ve", sigma_max=7.0).sigma_max, 7.0)
