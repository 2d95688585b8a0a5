import pytest
import torch
from diffusers import DDIMScheduler, DDPMPipeline, PNDMScheduler

from zoo.pipelines import sample_generators


def make(pipe, count=1, seed=0, **settings):
    return pipe(count, generator=torch.Generator().manual_seed(seed), output_type="pt", **settings).images


def test_names_indices_and_lists_mean_the_same(conditional_ddpm):
    by_name = make(conditional_ddpm, 2, class_labels="HCM", phase="ES")
    assert torch.equal(by_name, make(conditional_ddpm, 2, class_labels=1, phase=1))
    assert torch.equal(by_name, make(conditional_ddpm, 2, class_labels=["HCM", "HCM"], phase=torch.tensor([1, 1])))
    assert not torch.allclose(by_name, make(conditional_ddpm, 2, class_labels="NOR", phase="ES"))


def test_classes_do_not_change_the_noise(conditional_ddpm, monkeypatch):
    starts = []
    monkeypatch.setattr(
        type(conditional_ddpm), "_reverse", lambda self, sample, *_: starts.append(sample.clone()) or sample
    )
    for settings in ({}, {"class_labels": "HCM"}, {"class_labels": "any", "phase": "ED"}):
        make(conditional_ddpm, 3, **settings)
    assert torch.equal(starts[0], starts[1])
    assert torch.equal(starts[0], starts[2])


def test_classes_left_to_chance_follow_the_training_frequencies(conditional_ddpm):
    labels = conditional_ddpm.draw_labels(None, {}, sample_generators(0, range(2000)))
    shares = (labels == 1).float().mean(dim=0).tolist()
    assert shares == pytest.approx([0.75, 0.5], abs=0.03)


def test_guidance_zero_is_unconditional_and_one_is_none(conditional_ddpm):
    asked = {"class_labels": "HCM", "phase": "ED"}
    unasked = make(conditional_ddpm, class_labels="any", phase="any")
    torch.testing.assert_close(make(conditional_ddpm, **asked, guidance_scale=0.0), unasked, atol=1e-4, rtol=1e-4)
    assert torch.equal(make(conditional_ddpm, **asked), make(conditional_ddpm, **asked, guidance_scale=1.0))
    assert not torch.allclose(make(conditional_ddpm, **asked), make(conditional_ddpm, **asked, guidance_scale=3.0))


def test_network_evaluations_are_what_runs(conditional_ddpm, monkeypatch):
    rows = []
    forward = type(conditional_ddpm.unet).forward
    monkeypatch.setattr(
        type(conditional_ddpm.unet), "forward", lambda self, x, *a: rows.append(len(x)) or forward(self, x, *a)
    )
    for settings in ({}, {"num_inference_steps": 5}, {"guidance_scale": 2.0}):
        rows.clear()
        make(conditional_ddpm, **settings)
        assert sum(rows) == conditional_ddpm.network_evaluations(**settings)


def test_an_expert_takes_the_timesteps_of_little_noise(expert_ddpm, monkeypatch):
    seen = {"unet": [], "unet_2": []}
    for name, timesteps in seen.items():
        network = getattr(expert_ddpm, name)
        monkeypatch.setattr(
            network,
            "forward",
            lambda x, t, *a, f=network.forward, to=timesteps: to.extend([int(t)] * len(x)) or f(x, t, *a),
        )
    for settings in ({}, {"num_inference_steps": 5}, {"guidance_scale": 3.0}):
        for timesteps in seen.values():
            timesteps.clear()
        make(expert_ddpm, **settings)
        assert min(seen["unet"]) >= 500 > max(seen["unet_2"])  # boundary_ratio 0.5 of 1000
        evaluations = expert_ddpm.network_evaluations(**settings)
        assert len(seen["unet"]) + len(seen["unet_2"]) == evaluations and isinstance(evaluations, int)
    seen["unet"].clear()
    expert_ddpm.project(torch.rand(1, 1, 8, 8), alpha_bar=0.9)
    assert not seen["unet"]  # this little noise is the expert's alone


def test_an_expert_that_knows_no_more_changes_nothing(conditional_ddpm, expert_ddpm):
    expert_ddpm.register_modules(unet_2=conditional_ddpm.unet.unconditional_unet())
    unasked = {"class_labels": "any", "phase": "any", "num_inference_steps": 4}
    torch.testing.assert_close(make(expert_ddpm, 2, **unasked), make(conditional_ddpm, 2, **unasked), atol=1e-4, rtol=0)


def test_an_expert_has_a_share_of_the_timesteps(conditional_ddpm, expert_ddpm):
    unet, scheduler = conditional_ddpm.unet, conditional_ddpm.scheduler
    with pytest.raises(ValueError, match="boundary_ratio: expected with `unet_2`"):
        type(expert_ddpm)(unet, scheduler, unet_2=expert_ddpm.unet_2.from_config(expert_ddpm.unet_2.config))
    whole = type(expert_ddpm)(unet, scheduler, boundary_ratio=0.5)  # as what is loaded without its expert
    assert not any(whole._is_for_expert(timestep) for timestep in torch.tensor([999, 0]))


def test_the_unconditional_pipeline_equals_leaving_all_open(conditional_ddpm, unconditional_ddpm):
    start = torch.randn(1, 1, 8, 8)
    for pipe in (conditional_ddpm, unconditional_ddpm):
        pipe.scheduler.set_timesteps(3)
    a, b = (pipe._reverse(start, [], pipe._predict_open) for pipe in (conditional_ddpm, unconditional_ddpm))
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    assert isinstance(unconditional_ddpm, DDPMPipeline)


def test_projection_follows_the_signal(unconditional_ddpm):
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    errors = []
    for alpha_bar in (0.9999, 0.9, 0.1):
        found = unconditional_ddpm.project(images, generator=torch.Generator().manual_seed(0), alpha_bar=alpha_bar)
        errors.append((found - images).square().mean().item())
    assert errors[0] < errors[1] < errors[2]
    assert errors[0] < 1e-3


def test_projection_refuses_what_it_cannot_do(conditional_ddpm):
    images = torch.rand(1, 1, 8, 8)
    with pytest.raises(ValueError, match="alpha_bar: expected a number between 0 and 1"):
        conditional_ddpm.project(images, alpha_bar=1.0)
    conditional_ddpm.scheduler = PNDMScheduler()
    with pytest.raises(ValueError, match="scheduler: PNDMScheduler takes no timesteps"):
        conditional_ddpm.project(images)


def test_another_scheduler_can_be_put_in(conditional_ddpm):
    conditional_ddpm.scheduler = DDIMScheduler.from_config(conditional_ddpm.scheduler.config)
    assert make(conditional_ddpm, 2, num_inference_steps=4).shape == (2, 1, 8, 8)


def test_unknown_conditions_and_classes_are_named(conditional_ddpm, unconditional_ddpm):
    with pytest.raises(ValueError, match="class_labels: unknown class 'XYZ', expected one of NOR, HCM, any"):
        make(conditional_ddpm, class_labels="XYZ")
    with pytest.raises(ValueError, match="colour: unknown argument, the conditions of this model are pathology, phase"):
        make(conditional_ddpm, colour="red")
    with pytest.raises(ValueError, match=r"phase: expected one class or 2 \(batch_size\), got 3"):
        make(conditional_ddpm, 2, phase=["ED"] * 3)
    with pytest.raises(ValueError, match="num_inference_steps: expected 1 to 1000, got 0"):
        make(conditional_ddpm, num_inference_steps=0)
    with pytest.raises(ValueError, match="class_labels: expected None"):
        make(unconditional_ddpm, class_labels="HCM")
