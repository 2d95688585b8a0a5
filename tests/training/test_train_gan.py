import json

import pytest
import torch
from safetensors.torch import load_file

import train_gan
import zoo
from zoo.errors import ZooError

TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
epochs: 2
batch_size: 32
latent_dim: 8
generator_channels: 4
discriminator_channels: 4
real_label: 0.9
ema_decay: 0.9
kid_samples: 20
evaluate_every: 2
sample_every: 2
checkpoint_every: 1
"""


@pytest.fixture
def recipe(tmp_path, phantom):
    def write(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=phantom, output_dir=tmp_path / "runs", name=name))
        return ["--config", str(path)]

    return write


def test_a_run_resumes_exactly_and_can_be_fine_tuned(recipe, tmp_path):
    runs = tmp_path / "runs"
    train_gan.main(recipe("whole"))
    rows = [json.loads(line) for line in (runs / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert any("d_loss" in row for row in rows)
    assert any("validation_kid" in row for row in rows)
    pipe = zoo.from_pretrained(runs / "whole" / "pipeline")
    assert pipe(2, output_type="np").images.shape == (2, 64, 64, 1)

    train_gan.main([*recipe("parts"), "--max_seconds", "0"])  # stops after one step, counted as an epoch
    train_gan.main([*recipe("tuned"), "--epochs", "1", "--init_from", str(runs / "whole" / "pipeline")])
    assert (runs / "tuned" / "discriminator" / "config.json").exists()
    metrics = json.loads((runs / "tuned" / "pipeline" / "metrics.json").read_text())
    assert metrics["model"] == {"name": "tuned", "family": "dcgan"}


def test_a_stopped_run_goes_on_to_the_same_weights(recipe, tmp_path, monkeypatch):
    train_gan.main(recipe("whole"))
    import common.run

    end_epoch = common.run.Run.end_epoch

    def stop_after_the_first_epoch(self, *arguments, **settings):
        end_epoch(self, *arguments, **settings)
        self.interrupted = True

    with monkeypatch.context() as patch:
        patch.setattr(common.run.Run, "end_epoch", stop_after_the_first_epoch)
        train_gan.main(recipe("broken"))
    train_gan.main([*recipe("broken"), "--resume"])
    for name in ("model.safetensors", "model_1.safetensors"):
        one, other = (load_file(tmp_path / "runs" / run / "checkpoints/last" / name) for run in ("whole", "broken"))
        assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_a_dataset_of_another_size_is_refused(recipe, tmp_path, phantom):
    zoo.pipelines.DCGANPipeline(zoo.models.DCGANGenerator(32, 1, 8, 4)).save_pretrained(tmp_path / "small")
    with pytest.raises(ZooError, match="makes 32 pixels and 1 channels, the dataset has 64 and 1"):
        train_gan.main([*recipe("misfit"), "--init_from", str(tmp_path / "small")])


def test_the_loss_is_the_cross_entropy_with_one_label():
    logits = torch.tensor([-2.0, 0.0, 3.0])
    probability = logits.sigmoid()
    expected = -(0.9 * probability.log() + 0.1 * (1 - probability).log()).mean()
    torch.testing.assert_close(train_gan.adversarial_loss(logits, 0.9), expected)
