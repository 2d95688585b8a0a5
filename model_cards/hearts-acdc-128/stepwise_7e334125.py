"""What a pipeline that works in steps tells its caller. It is published beside each of them."""

import torch


class Stepwise:
    """Goes before `ZooPipeline` in the bases of a pipeline after each of whose steps a caller may look, change or stop.

    As in diffusers, `callback_on_step_end(pipe, step, timestep, {"latents": …})` returns a dict whose `latents` go on;
    it may set `pipe._guidance_scale`, and `pipe._interrupt = True` ends the loop.
    """

    _callback_tensor_inputs = ["latents"]
    _guidance_scale, _num_timesteps, _interrupt = 1.0, 0, False

    @property
    def guidance_scale(self) -> float:
        """Strength of classifier-free guidance of the call that runs, or of the last one."""
        return self._guidance_scale

    @property
    def do_classifier_free_guidance(self) -> bool:
        """Whether that makes a difference."""
        return self._guidance_scale != 1

    @property
    def num_timesteps(self) -> int:
        """Steps of the call that runs, or of the last one."""
        return self._num_timesteps

    @property
    def interrupt(self) -> bool:
        """Whether the loop ends before the next step."""
        return self._interrupt

    def _watched(self, callback, tensor_inputs):
        """`(step, timestep, sample)` → the sample to go on with, of a call's `callback_on_step_end`.

        Raises:
            ValueError: If a tensor is asked for that the loop does not have.
        """
        tensor_inputs = getattr(callback, "tensor_inputs", tensor_inputs)  # diffusers' `PipelineCallback` names its own
        if unknown := set(tensor_inputs) - set(self._callback_tensor_inputs):
            known = ", ".join(self._callback_tensor_inputs)
            raise ValueError(f"callback_on_step_end_tensor_inputs: expected some of {known}, got {min(unknown)}")

        def on_step(step: int, timestep, sample: torch.Tensor) -> torch.Tensor:
            if callback is None:
                return sample
            found = callback(self, step, timestep, {name: sample for name in tensor_inputs})
            return (found or {}).get("latents", sample)

        return on_step
