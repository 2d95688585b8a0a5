"""What a user of diffusers expects of any pipeline: settings that stay, latents, callbacks, networks that wait."""

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, ModelMixin

from zoo.pipelines import GANPipeline, sample_generators

STEPWISE = [
    "conditional_ddpm",
    "expert_ddpm",
    "unconditional_ddpm",
    "latent_diffusion",
    "score_model",
    "anatomy",
    "hearts",
]


@pytest.fixture(params=STEPWISE)
def stepwise(request):
    return request.getfixturevalue(request.param)


def make(pipe, **settings):
    settings = {"output_type": "np"} | settings
    return pipe(2, generator=sample_generators(0, range(2)), **settings).images


def settings_of(pipe) -> dict:
    return {name: value for name, value in pipe.config.items() if not name.startswith("_")}


def test_components_alone_make_the_same_pipeline(any_pipeline):
    images = make(any_pipeline)
    for again in (type(any_pipeline)(**any_pipeline.components), type(any_pipeline).from_pipe(any_pipeline)):
        again.set_progress_bar_config(disable=True)
        assert settings_of(again) == settings_of(any_pipeline)
        np.testing.assert_array_equal(make(again), images)


def test_what_is_named_goes_before_what_is_remembered(infogan):
    generator = infogan.generator_model
    assert GANPipeline(generator, continuous_codes=5).prior.continuous_codes == 5
    assert GANPipeline(generator).prior.continuous_codes == 5  # of the last pipeline of this network
    infogan.register_to_config(default_temperature=2.0)
    assert GANPipeline(**infogan.components).config.default_temperature == 2.0
    other = type(generator).from_config(generator.config)
    assert GANPipeline(other).prior.continuous_codes == 0  # another network, another pipeline


def test_a_setting_may_be_changed_on_the_way(conditional_ddpm):
    again = type(conditional_ddpm).from_pipe(conditional_ddpm, default_steps=2)
    assert (again.default_steps, conditional_ddpm.default_steps) == (2, 3)
    assert again.unet is conditional_ddpm.unet


def test_latents_may_be_given(any_pipeline):
    pipe, images = any_pipeline, make(any_pipeline)
    drawn = []
    draw = pipe._randn

    def keep(generators, shape):
        drawn.append(draw(generators, shape))
        return drawn[-1]

    pipe._randn = keep
    make(pipe)
    start = (
        make(pipe, output_type="latent")
        if isinstance(pipe, GANPipeline)
        else drawn[type(pipe).__name__ == "HeartPipeline"]
    )
    np.testing.assert_array_equal(make(pipe, latents=start), images)
    assert np.abs(make(pipe, latents=start.flip(0)) - images).max() > 1e-3
    with pytest.raises(ValueError, match="latents: expected .2, "):
        make(pipe, latents=start[:, :-1])


def test_a_one_pass_generator_takes_latents_as_they_are(infogan, cvae):
    latents = make(infogan, output_type="latent", codes=[0.5, -0.5])
    np.testing.assert_array_equal(make(infogan, latents=latents), make(infogan, codes=[0.5, -0.5]))
    for pipe in (infogan, cvae):
        latents = make(pipe, output_type="latent", temperature=2.0)
        np.testing.assert_array_equal(make(pipe, latents=latents), make(pipe, temperature=2.0))
        with pytest.raises(ValueError, match="temperature"):
            make(pipe, latents=latents, temperature=2.0)


def test_latents_come_out_before_they_are_decoded(stepwise):
    latents = make(stepwise, output_type="latent")
    assert latents.shape == (2, *getattr(stepwise, "sample_shape", (1, 8, 8)))
    if type(stepwise).__name__ == "LatentDiffusionPipeline":
        with torch.no_grad():
            np.testing.assert_array_equal(
                stepwise._output(stepwise._decode(latents), "np", True).images, make(stepwise)
            )


def test_a_callback_sees_every_step_and_its_latents_go_on(stepwise):
    seen = []

    def callback(pipe, step, timestep, tensors):
        seen.append((step, list(tensors)))
        return {"latents": torch.zeros_like(tensors["latents"])} if step == pipe.num_timesteps - 1 else tensors

    latents = make(stepwise, output_type="latent", callback_on_step_end=callback)
    assert seen == [(step, ["latents"]) for step in range(stepwise.num_timesteps)]
    assert latents.abs().sum() == 0
    seen.clear()
    images = make(stepwise, callback_on_step_end=lambda *a: seen.append(a[3]), callback_on_step_end_tensor_inputs=[])
    np.testing.assert_array_equal(images, make(stepwise))
    assert seen == [{}] * stepwise.num_timesteps
    with pytest.raises(ValueError, match="callback_on_step_end_tensor_inputs: expected some of latents, got prompt"):
        make(stepwise, callback_on_step_end_tensor_inputs=["prompt"])


def test_a_callback_may_stop_the_loop(stepwise):
    seen = []

    def stop(pipe, step, timestep, tensors):
        seen.append(step)
        pipe._interrupt = True
        return tensors

    stopped = make(stepwise, output_type="latent", callback_on_step_end=stop)
    assert seen == [0]
    assert not torch.equal(stopped, make(stepwise, output_type="latent"))  # the next call runs to its end


@pytest.mark.parametrize("name", ["conditional_ddpm", "latent_diffusion", "anatomy", "hearts"])
def test_a_callback_may_change_the_guidance(name, request):
    pipe, asked = request.getfixturevalue(name), {"class_labels": "HCM"}
    if name == "hearts":  # its label map would change with the class
        asked["masks"] = pipe(1, generator=torch.Generator().manual_seed(1), output_type="np").masks[0]

    def more(pipe, step, timestep, tensors):
        pipe._guidance_scale += 1.0
        return tensors

    growing = make(pipe, guidance_scale=2.0, callback_on_step_end=more, output_type="latent", **asked)
    assert pipe.guidance_scale == 2.0 + pipe.num_timesteps
    assert not torch.equal(growing, make(pipe, guidance_scale=2.0, output_type="latent", **asked))
    assert pipe.guidance_scale == 2.0 and pipe.do_classifier_free_guidance


def test_no_tensor_is_made_where_waiting_weights_are(any_pipeline, monkeypatch):
    """With `enable_sequential_cpu_offload`, which needs an accelerator, networks are on "meta" between their calls."""
    images, somewhere = make(any_pipeline), torch.rand(1, 1, any_pipeline.sample_size, any_pipeline.sample_size)
    monkeypatch.setattr(ModelMixin, "device", property(lambda _: torch.device("meta")))
    monkeypatch.setattr(DiffusionPipeline, "_execution_device", property(lambda _: torch.device("cpu")))
    assert any_pipeline.device.type == "meta"
    np.testing.assert_array_equal(make(any_pipeline), images)
    if any_pipeline.family != "anatomy":  # knows no projection
        assert any_pipeline.project(somewhere).isfinite().all()


def test_networks_may_wait_elsewhere(any_pipeline):
    images = make(any_pipeline)
    if any_pipeline.model_cpu_offload_seq is None:  # the descent of style transfer runs through its networks
        with pytest.raises(ValueError, match="model_cpu_offload_seq"):
            any_pipeline.enable_model_cpu_offload(device="cpu")
        return
    any_pipeline.enable_model_cpu_offload(device="cpu")
    for _ in range(2):
        np.testing.assert_allclose(make(any_pipeline), images, atol=1e-6)


def test_the_hook_of_a_decoder_is_called(cvae):
    calls = []

    class Hook:
        def pre_forward(self, module, *args):
            calls.append(module)

    cvae.vae._hf_hook = Hook()
    make(cvae)
    cvae.project(torch.rand(1, 1, 16, 16))
    assert len(calls) >= 3 and set(calls) == {cvae.vae}  # decode; encode and decode
