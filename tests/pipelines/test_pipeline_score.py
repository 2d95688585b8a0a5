import pytest
import torch

import zoo
from zoo.models import ScoreUNet2DModel
from zoo.pipelines import ScorePipeline, sample_generators


def make(pipe, count=1, seed=0, **settings):
    return pipe(count, generator=sample_generators(seed, range(count)), output_type="pt", **settings).images


@pytest.mark.parametrize("sampler", ScorePipeline.samplers)
def test_every_sampler_keeps_the_contract(score_model, sampler):
    whole = make(score_model, 3, sampler=sampler)
    assert whole.shape == (3, 1, 8, 8)
    alone = score_model(1, generator=sample_generators(0, [2]), output_type="pt", sampler=sampler).images
    torch.testing.assert_close(alone[0], whole[2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("sampler", ScorePipeline.samplers)
def test_network_evaluations_are_what_runs(score_model, monkeypatch, sampler):
    calls, forward = [], ScoreUNet2DModel.forward
    monkeypatch.setattr(ScoreUNet2DModel, "forward", lambda self, *a: calls.append(1) or forward(self, *a))
    for steps in (None, 3):
        calls.clear()
        make(score_model, sampler=sampler, num_inference_steps=steps)
        assert len(calls) == score_model.network_evaluations(steps, sampler=sampler)


def test_the_default_is_the_stored_one(score_model, tmp_path):
    score_model.save_pretrained(tmp_path / "model")
    loaded = zoo.from_pretrained(tmp_path / "model")
    assert loaded.default_settings == {"sampler": "predictor_corrector", "num_inference_steps": 4}
    expected = make(score_model, sampler="predictor_corrector", num_inference_steps=4)
    torch.testing.assert_close(make(loaded), expected)
    assert not torch.allclose(make(loaded, sampler="probability_flow"), expected)


def test_the_flow_above_a_level_is_stored_and_changes_samples(score_model, tmp_path):
    plain = make(score_model, sampler="predictor_corrector")
    score_model.register_to_config(flow_above=1.0)
    mixed = make(score_model, sampler="predictor_corrector")
    assert not torch.allclose(mixed, plain)
    score_model.save_pretrained(tmp_path / "model")
    torch.testing.assert_close(make(zoo.from_pretrained(tmp_path / "model"), sampler="predictor_corrector"), mixed)


def test_projection_follows_the_signal(score_model):
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for sampler in ScorePipeline.samplers:
        errors = [
            (score_model.project(images, sample_generators(0, range(4)), alpha_bar, sampler=sampler) - images)
            .square()
            .mean()
            .item()
            for alpha_bar in (0.9999, 0.9, 0.1)
        ]
        assert errors[0] < errors[1] < errors[2]
        assert errors[0] < 2e-3


def test_the_noise_of_a_projection_has_the_signal_to_noise_ratio_of_alpha_bar(score_model, monkeypatch):
    starts = []
    monkeypatch.setattr(ScorePipeline, "_reverse", lambda self, x, levels, *_: starts.append((x, levels)) or x)
    score_model.project(torch.full((200, 1, 8, 8), 0.5), alpha_bar=0.1)
    sample, levels = starts[0]
    assert sample.std().item() == pytest.approx(3, rel=0.02) == levels[0]  # (1 - 0.1) / 0.1 = 3²
    assert all(level < 3 for level in levels[1:])


def test_callback_sees_each_level_and_may_change_the_sample(score_model):
    seen = []

    def callback(pipe, step, sigma, tensors):
        seen.append((step, sigma))
        return {"latents": torch.full_like(tensors["latents"], 0.5)} if sigma == 0 else {}

    images = make(score_model, callback_on_step_end=callback)
    assert [step for step, _ in seen] == [0, 1, 2, 3]
    assert seen[-1][1] == 0
    torch.testing.assert_close(images, torch.full_like(images, 0.75))


def test_a_preview_of_loud_noise_is_not_black_and_white(score_model):
    picture = score_model.preview(50 * torch.randn(2, 1, 8, 8))
    assert picture.shape == (2, 8, 8, 1)
    assert 0.2 < picture.std() < 0.45  # clipped at ±1, but not all of it


def test_bad_arguments_are_named(score_model):
    with pytest.raises(ValueError, match="sampler: expected one of annealed_langevin, predictor_corrector"):
        make(score_model, sampler="ddim")
    with pytest.raises(ValueError, match="num_inference_steps: expected at least 2, got 1"):
        make(score_model, num_inference_steps=1)
    with pytest.raises(ValueError, match="class_labels: expected None"):
        make(score_model, class_labels="HCM")
    with pytest.raises(ValueError, match="alpha_bar: expected a number between 0 and 1"):
        score_model.project(torch.rand(1, 1, 8, 8), alpha_bar=1.0)
    with pytest.raises(ValueError, match="sde: expected one of ve, vp"):
        ScorePipeline(score_model.unet, {"name": "x"})
