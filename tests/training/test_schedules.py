import math
from pathlib import Path

import pytest
import torch

from common.recipe import Recipe, parse_recipe
from common.schedules import SCHEDULES, PlateauScheduler, build_scheduler, schedule_of, study_b_factor
from train_vae import VAERecipe
from zoo.errors import ZooError


def adam(rate: float = 1e-3) -> torch.optim.Optimizer:
    return torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], rate)


def rates(name: str, steps: int, rate: float = 1e-3, **settings) -> list[float]:
    """The learning rate of each step, and the one after the last."""
    optimizer = adam(rate)
    scheduler = build_scheduler(name, optimizer, steps, **settings)
    seen = []
    for _ in range(steps + 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_constant_with_and_without_warmup():
    assert rates("constant", 4) == [1e-3] * 5
    assert rates("constant_with_warmup", 4, warmup_steps=2) == pytest.approx([0, 5e-4, 1e-3, 1e-3, 1e-3])


def test_linear_falls_to_the_final_rate_of_study_c():
    assert rates("linear", 4, final_learning_rate=2e-4) == pytest.approx([1e-3, 8e-4, 6e-4, 4e-4, 2e-4])
    assert rates("linear", 4, warmup_steps=2) == pytest.approx([0, 5e-4, 1e-3, 5e-4, 0])


def test_cosine_is_half_a_period():
    expected = [1e-3 * 0.5 * (1 + math.cos(math.pi * step / 4)) for step in range(5)]
    assert rates("cosine", 4) == pytest.approx(expected, abs=1e-12)


def test_study_b_by_hand():
    # γ(0) = 1; γ(200) = 0.5 / (1 + 2/15) = 7.5/17; γ(400) = 0; γ(800) = 1 / (1 + 8/15) = 15/23
    for epoch, gamma in ((0, 1.0), (200, 7.5 / 17), (400, 0.0), (800, 15 / 23)):
        assert study_b_factor(epoch, 5e-5) == pytest.approx(0.99995 * gamma + 5e-5, rel=1e-12)
    found = rates("study_b_cosine", 6, rate=1e-4, final_learning_rate=5e-9, steps_per_epoch=3)
    assert found == pytest.approx([1e-4 * study_b_factor(epoch, 5e-5) for epoch in (0, 0, 0, 1, 1, 1, 2)])
    assert found[3] < found[0]


@pytest.mark.parametrize(("recipe", "lowest"), [("cvae", 5e-9), ("cvae-rate", 5e-5)])
def test_both_readings_of_study_bs_schedule_start_alike_and_end_where_they_say(recipe, lowest):
    file = Path(__file__).parents[2] / "training" / "recipes" / "study_b" / f"{recipe}.yaml"
    recipe, _ = parse_recipe(VAERecipe, ["--config", str(file)])
    found = rates(recipe.lr_scheduler, 400, rate=recipe.learning_rate, final_learning_rate=recipe.lr_final)
    assert found[0] == 1e-4 and found[400] == pytest.approx(lowest) and min(found) == found[400]


def test_a_plateau_reduces_and_resumes_where_it_was():
    optimizer = adam()
    scheduler = build_scheduler("reduce_on_plateau", optimizer, 100, plateau_factor=0.5, plateau_patience=1)
    assert isinstance(scheduler, PlateauScheduler)

    def observe(figure: float) -> float:
        for _ in range(3):
            scheduler.step()  # the optimiser's steps between two evaluations change nothing
        scheduler.step(figure)
        return scheduler.get_last_lr()[0]

    assert [observe(figure) for figure in (3.0, 2.0, 2.5)] == [1e-3] * 3
    saved = scheduler.state_dict(), optimizer.state_dict()

    optimizer = adam(7.0)
    scheduler = build_scheduler("reduce_on_plateau", optimizer, 100, plateau_factor=0.1, plateau_patience=9)
    scheduler.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    assert observe(2.5) == 5e-4  # the second figure without a better one


def test_a_recipe_says_it_all():
    recipe = Recipe(
        name="a", dataset="d", epochs=2, gradient_accumulation_steps=2, lr_scheduler="linear", lr_final=5e-4
    )
    optimizer = adam()
    scheduler = schedule_of(recipe, optimizer, loader=range(3))  # two steps an epoch, the second of one batch
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([5e-4])


def test_bad_settings_are_named():
    with pytest.raises(ZooError, match="lr_scheduler: expected one of constant, .*, got 'step'"):
        build_scheduler("step", adam(), 1)
    for name in sorted(set(SCHEDULES) - {"constant_with_warmup", "linear", "cosine"}):
        with pytest.raises(ZooError, match=f"lr_warmup_steps: expected 0 with lr_scheduler {name}, got 3"):
            build_scheduler(name, adam(), 1, warmup_steps=3)
