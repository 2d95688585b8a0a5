import json

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

import common.run
import train_autoencoder
from common.data import ImageTensors, split_of, to_network
from train_autoencoder import latent_scale, reconstruct
from zoo import datasets
from zoo.errors import ZooError

TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
block_out_channels: [4, 4, 8]
norm_num_groups: 2
epochs: 2
batch_size: 16
ema_decay: 0.9
evaluate_every: 2
sample_every: 2
checkpoint_every: 1
"""


@pytest.fixture
def recipe(tmp_path, few_images, monkeypatch):
    class PoolingExtractor:
        """Stands for a pretrained network, which takes long."""

    def extract(extractor, images):
        return torch.nn.functional.avg_pool2d(images.float() / 255, 16).flatten(1)

    monkeypatch.setattr(train_autoencoder, "EfficientNetLite0Extractor", PoolingExtractor)
    monkeypatch.setattr(train_autoencoder, "extract", extract)

    def write(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=few_images, output_dir=tmp_path / "runs", name=name))
        return ["--config", str(path)]

    return write


def test_a_run_leaves_an_autoencoder_for_latent_diffusion(recipe, tmp_path, few_images):
    train_autoencoder.main(recipe("whole"))
    run = tmp_path / "runs" / "whole"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    first, second = (row["reconstruction"] for row in rows if "reconstruction" in row)
    assert second < first
    assert {"validation_feature_error", "validation_l1", "validation_mse", "validation_ssim"} <= set(rows[-1])
    assert (run / "samples" / "epoch-0002.png").exists()

    autoencoder = AutoencoderKL.from_pretrained(run / "pipeline" / "autoencoder").eval()
    images = to_network(ImageTensors(split_of(datasets.load(few_images), "train"), {}).images)
    with torch.no_grad():
        latents = autoencoder.encode(images).latent_dist.mean * autoencoder.config.scaling_factor
    assert latents.shape[1:] == (4, 16, 16)
    assert latents.std().item() == pytest.approx(1, abs=0.05)
    metrics = json.loads((run / "pipeline" / "metrics.json").read_text())
    assert metrics["model"]["family"] == "autoencoder"
    assert metrics["training"]["images_seen"] == rows[-1]["images_seen"]

    train_autoencoder.main([*recipe("tuned"), "--epochs", "1", "--init_from", str(run / "pipeline")])
    tuned = json.loads((tmp_path / "runs" / "tuned" / "pipeline" / "metrics.json").read_text())
    assert tuned["training"]["images_seen"] == 1.5 * rows[-1]["images_seen"]
    with pytest.raises(ZooError, match="autoencoder: not found, expected the autoencoder to go on from"):
        train_autoencoder.main([*recipe("lost"), "--init_from", str(tmp_path)])


def test_a_stopped_run_goes_on_to_the_same_weights(recipe, tmp_path, monkeypatch):
    train_autoencoder.main(recipe("whole"))
    end_epoch = common.run.Run.end_epoch

    def stop_after_the_first_epoch(self, *arguments, **settings):
        end_epoch(self, *arguments, **settings)
        self.interrupted = self.progress.epoch == 1

    with monkeypatch.context() as patch:
        patch.setattr(common.run.Run, "end_epoch", stop_after_the_first_epoch)
        train_autoencoder.main(recipe("broken"))
    train_autoencoder.main([*recipe("broken"), "--resume"])
    one, other = (
        load_file(tmp_path / "runs" / run / "checkpoints/last/model.safetensors") for run in ("whole", "broken")
    )
    assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_reconstructions_are_of_the_mean_and_in_range():
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",), "up_block_types": ("UpDecoderBlock2D",)}
    autoencoder = AutoencoderKL(1, 1, **blocks, block_out_channels=(4,), norm_num_groups=2).eval()
    images = torch.rand(5, 1, 8, 8) * 2 - 1
    found = reconstruct(autoencoder, images, batch_size=2)
    mean = autoencoder.encode(images).latent_dist.mean
    torch.testing.assert_close(found, autoencoder.decode(mean).sample.clamp(-1, 1))
    assert latent_scale(autoencoder, images) == pytest.approx(1 / mean.std().item())
