"""This project's own training and sampling, as contenders of `bench.worker`; settings are those of `bench.peers`."""

import tempfile
import time
from pathlib import Path

import torch

from bench.peers import LEARNING_RATE, MAX_NORM

NEVER = 10**6  # epochs


def training(blocks, settings: dict) -> None:
    """`training/train_diffusion.py` itself, held between blocks: loader, draws, loss, clipping, schedule, EMA, log."""
    import train_diffusion
    from common.run import Run

    torch.set_num_threads(settings["threads"])

    class Held(Run):
        """A run that waits for every block."""

        def batches(self, loader):
            if not self.progress.step:
                self._begin()
            for batch in super().batches(loader):
                if self.left == 0:
                    blocks.done(settings["batch_size"] * settings["steps"], time.perf_counter() - self.began)
                    self._next()
                if self.interrupted:
                    return
                yield batch
                self.left -= 1

        def _begin(self):
            (network,) = self.accelerator._models
            blocks.ready(parameters=sum(parameter.numel() for parameter in network.parameters()))
            self._next()

        def _next(self):
            self.interrupted = not blocks.wait()
            self.left, self.began = settings["steps"], time.perf_counter()

        def end_epoch(self, *arguments, **keywords):
            """Counts the epoch; what is due after one is no part of a step."""
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0

        def _save_checkpoint(self):
            """Nothing is kept."""

    train_diffusion.Run = Held
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "bench.yaml"
        recipe.write_text(_recipe(settings, folder))
        train_diffusion.main(["--config", str(recipe)])


def sampling(blocks, settings: dict) -> None:
    """`UnconditionalDDPMPipeline` with the scheduler of the others."""
    from diffusers import DDIMScheduler

    from bench.peers import autocast, parameters, prepare, unet
    from zoo.pipelines import UnconditionalDDPMPipeline

    prepare(settings)
    network = unet(settings).eval()
    pipe = UnconditionalDDPMPipeline(network, DDIMScheduler(), default_steps=settings["sampling_steps"])
    pipe.set_progress_bar_config(disable=True)

    def sample() -> None:
        with autocast(settings):
            pipe(settings["batch_size"], output_type="np")

    blocks.run(sample, settings["batch_size"], 1, parameters=parameters(network))


def _recipe(settings: dict, folder: str) -> str:
    width = settings["width"]
    return f"""
name: bench
dataset: {settings["dataset"]}
output_dir: {folder}/runs
epochs: {NEVER}
batch_size: {settings["batch_size"]}
mixed_precision: {"bf16" if settings["bf16"] else "no"}
learning_rate: {LEARNING_RATE}
max_grad_norm: {MAX_NORM}
ema_decay: 0.99
lr_scheduler: cosine
block_out_channels: [{width}, {2 * width}, {4 * width}]
attention_levels: [2]
attention_head_dim: {min(32, 4 * width)}
norm_num_groups: {min(8, width)}
channels_last: true
"""
