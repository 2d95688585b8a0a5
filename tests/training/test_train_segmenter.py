import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import common.run
import train_segmenter
from common.networks import vary_intensity
from zoo.errors import ZooError
from zoo.models import UNetSegmenter

TINY = """
dataset: {dataset}
output_dir: {output_dir}
name: {name}
epochs: 2
batch_size: 16
block_out_channels: [8, 16]
learning_rate: 0.01
lr_scheduler: cosine
lr_warmup_steps: 2
max_grad_norm: 1.0
ema_decay: 0.5
rotation_degrees: 10
zoom: 0.1
intensity: 0.1
noise: 0.02
evaluate_every: 1
checkpoint_every: 1
"""


@pytest.fixture
def recipe(tmp_path, phantom):
    def write(name: str) -> list[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(TINY.format(dataset=phantom, output_dir=tmp_path / "runs", name=name))
        return ["--config", str(path)]

    return write


def test_a_run_learns_and_resumes_exactly_and_can_be_fine_tuned(recipe, tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    train_segmenter.main(recipe("whole"))
    rows = [json.loads(line) for line in (runs / "whole" / "metrics.jsonl").read_text().splitlines()]
    dice = [row["validation_dice"] for row in rows if "validation_dice" in row]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert len(losses) == len(dice) == 2 and dice[1] > dice[0] and losses[1] < 0.9 * losses[0]
    metrics = json.loads((runs / "whole" / "pipeline" / "metrics.json").read_text())
    assert metrics["model"] == {"name": "whole", "family": "segmenter"}
    assert metrics["training"]["selected_by"] == {"validation_dice_error": 1 - max(dice)}
    network = UNetSegmenter.from_pretrained(runs / "whole" / "pipeline")
    assert network.config.pixel_spacing_mm == 2.0 and not (runs / "whole" / "samples").exists()

    end_epoch = common.run.Run.end_epoch

    def stop_after_the_first_epoch(self, *arguments, **settings):
        end_epoch(self, *arguments, **settings)
        self.interrupted = True

    with monkeypatch.context() as patch:
        patch.setattr(common.run.Run, "end_epoch", stop_after_the_first_epoch)
        train_segmenter.main(recipe("broken"))
    train_segmenter.main([*recipe("broken"), "--resume"])
    one, other = (load_file(runs / name / "checkpoints/last/model.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(value, other[key]) for key, value in one.items())

    tuned = [
        *recipe("tuned"),
        "--epochs",
        "1",
        "--learning_rate",
        "1e-30",
        "--init_from",
        str(runs / "whole" / "pipeline"),
    ]
    train_segmenter.main(tuned)
    after = UNetSegmenter.from_pretrained(runs / "tuned" / "pipeline").state_dict()
    assert all(torch.equal(value, after[key]) for key, value in network.state_dict().items())


def test_negatives_are_refused(recipe):
    with pytest.raises(ZooError, match="invert_probability: expected 0 for a segmenter, got 0.5"):
        train_segmenter.main([*recipe("negative"), "--invert_probability", "0.5"])


def test_the_loss_is_cross_entropy_and_dice_by_hand():
    masks = torch.tensor([[[0, 1], [1, 1]]])
    logits = torch.zeros(1, 2, 2, 2)  # half for each label everywhere
    overlap, total = 3 * 0.5, 4 * 0.5 + 3
    expected = torch.log(torch.tensor(2.0)) + 1 - (2 * overlap + 1) / (total + 1)
    torch.testing.assert_close(train_segmenter.segmentation_loss(logits, masks), expected)
    certain = torch.nn.functional.one_hot(masks, 2).movedim(-1, 1).float() * 100
    assert train_segmenter.segmentation_loss(certain, masks) < 1e-4


def test_images_and_masks_move_alike():
    torch.manual_seed(0)
    steps = {"rotation_degrees": 30, "zoom": 0.2, "horizontal_flip": True, "vertical_flip": True}
    steps = train_segmenter.SegmenterRecipe(name="moves", dataset="none", block_out_channels=[8], **steps)
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 25.5, indexing="ij")
    disc = ((y**2 + 3 * x**2) < 300).long().expand(8, -1, -1)
    images, masks = train_segmenter.augment_pair(disc[:, None].float() * 2 - 1, disc, 2, steps)
    assert masks.dtype == torch.int64 and (masks != disc).float().mean() > 0.02
    assert ((images[:, 0] > 0) == masks.bool()).float().mean() > 0.995


def test_intensity_varies_by_image_within_its_range():
    torch.manual_seed(0)
    images = (torch.rand(1, 1, 16, 16) * 2 - 1).expand(6, -1, -1, -1)
    changed = vary_intensity(images, SimpleNamespace(intensity=0.3, noise=0.0))
    assert changed.shape == images.shape and changed.min() >= -1 and changed.max() <= 1
    assert len({round(mean, 4) for mean in changed.mean((1, 2, 3)).tolist()}) == 6
    order = images[0].flatten().argsort()
    assert all((image.flatten()[order].diff() >= -1e-6).all() for image in changed)  # brighter stays brighter
    same = vary_intensity(images, SimpleNamespace(intensity=0.0, noise=0.0))
    torch.testing.assert_close(same, images, atol=1e-6, rtol=0)
    noisy = vary_intensity(torch.zeros(50, 1, 32, 32), SimpleNamespace(intensity=0.0, noise=0.05))
    assert noisy.std((1, 2, 3)).max() < 0.12 and noisy.std() > 0.03


def test_other_labels_than_those_of_a_heart(recipe, phantom):
    with pytest.raises(ZooError, match="expected masks of the labels 0 to 1, one of them holds 3"):
        train_segmenter.main([*recipe("lesion"), "--class_names", "[background, lesion]"])


def test_labels_are_named_as_the_protocol_names_them():
    from zoo.metrics.anatomy import STRUCTURES

    assert train_segmenter.SegmenterRecipe.model_fields["class_names"].default == STRUCTURES
