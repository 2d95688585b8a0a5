"""Trains a U-Net (Ronneberger et al., 2015, arXiv 1505.04597) to find the structures of the heart, or a lesion.

    accelerate launch training/train_segmenter.py --config training/recipes/segmenter-acdc-64.yaml

The protocol measures the anatomy of samples with it. Every key of the recipe can be overridden (`--epochs 3`);
`--resume` goes on, `--init_from MODEL` fine-tunes.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from common.recipe import OptimizerName, Recipe, Widths, parse_recipe, stop_at_dry_run


class SegmenterRecipe(Recipe):
    """Hyperparameters of a U-Net segmenter."""

    block_out_channels: Widths
    class_names: Annotated[list[str], Field(min_length=2)] = ["background", "RV", "myocardium", "LV"]  # by label
    loss: Literal["dice_cross_entropy", "mse"] = "dice_cross_entropy"  # mse is that of soft maps, as in study C
    optimizer: OptimizerName = "adamw"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-2
    intensity: NonNegativeFloat = 0.0  # largest change of brightness, contrast and gamma
    noise: NonNegativeFloat = 0.0  # largest standard deviation, as a share of the range


if __name__ == "__main__":
    stop_at_dry_run(SegmenterRecipe)  # what follows takes seconds to import

import torch
import torch.nn.functional as F

import zoo.hub.datasets
from common.data import augment, pixel_spacing, split_of, to_network
from common.errors import settings_of, told_in_one_line, try_out
from common.networks import MaskedImages, NetworkRun, vary_intensity
from common.optimizers import build_optimizer
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.metrics.functional import volume_dice
from zoo.metrics.image_set import from_split, volumes_of
from zoo.metrics.utility.segmentation import segmentation_loss
from zoo.models import UNetSegmenter, UNetSegmenterConfig


def augment_pair(images: torch.Tensor, masks: torch.Tensor, num_classes: int, recipe: SegmenterRecipe, draw=torch):
    """Turns, zooms and flips images and masks alike, and varies the images' intensity.

    The masks move as one channel a label, so that each new pixel takes the label that covers most of it.

    Args:
        images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [-1, 1].
        masks (`torch.Tensor` of shape `(batch_size, height, width)`): Labels.

    Returns:
        The changed images and masks, the masks int64.
    """
    layers = F.one_hot(masks.long(), num_classes).movedim(-1, 1).float() * 2 - 1
    moved = augment(torch.cat([images, layers], dim=1), recipe, draw)
    images, layers = moved.split([images.shape[1], num_classes], dim=1)
    return vary_intensity(images, recipe, draw), layers.argmax(1)


def soft_map_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Mean squared error between the soft maps of the labels and the masks, as study C trains its U-Net.

    Args:
        logits (`torch.Tensor` of shape `(batch_size, num_classes, height, width)`): Scores.
        masks (`torch.Tensor` of shape `(batch_size, height, width)`): Labels, int64.
    """
    wanted = F.one_hot(masks, logits.shape[1]).movedim(-1, 1)
    return F.mse_loss(logits.float().softmax(1), wanted.float())


LOSSES = {"dice_cross_entropy": segmentation_loss, "mse": soft_map_loss}


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(SegmenterRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return
    if recipe.invert_probability:  # images and masks move as one, and a mask has no negative
        raise ZooError(f"recipe: invert_probability: expected 0 for a segmenter, got {recipe.invert_probability}")

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    run = NetworkRun(recipe, switches.resume, switches.from_state)
    train_split, validation_split = split_of(built, "train"), split_of(built, "validation")
    train, validation = MaskedImages(train_split, {}), MaskedImages(validation_split, {})
    volumes = volumes_of(from_split(built, "validation"), validation_split)
    if not validation.masks.any():
        raise ZooError("dataset: expected a structure in a mask of split 'validation', whose Dice coefficient decides")
    run.describe_dataset(built)

    # Model, optimiser
    channels, size = train.images.shape[1:3]
    with settings_of(switches.config):
        if recipe.init_from:
            network = UNetSegmenter.from_pretrained(recipe.init_from, dtype=torch.float32)
        else:
            network = UNetSegmenter(
                UNetSegmenterConfig(
                    size,
                    channels,
                    recipe.class_names,
                    recipe.block_out_channels,
                    pixel_spacing_mm=pixel_spacing(train_split),
                )
            )
        try_out(network, to_network(train.images[:1]))
    num_classes = len(network.config.class_names)
    if (largest := train.masks.max().item()) >= num_classes:
        raise ZooError(f"dataset: expected masks of the labels 0 to {num_classes - 1}, one of them holds {largest}")
    weights, rate = network.parameters(), recipe.learning_rate
    optimizer = build_optimizer(recipe.optimizer, weights, rate, weight_decay=recipe.weight_decay)
    loader = run.loader(train)
    network, optimizer, loader = run.prepare(network, optimizer, loader)
    scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(network)
    run.start(scheduler)

    def build() -> UNetSegmenter:
        return run.averaged(network, ema)

    def evaluate() -> dict[str, float]:
        averaged = build()
        batches = validation.images.split(64)
        found = torch.cat([averaged.segment(to_network(batch).to(run.device)).cpu() for batch in batches])
        _, scores = volume_dice(found, validation.masks, volumes, range(1, num_classes))
        return {"validation_dice": scores.nanmean().item(), "validation_dice_error": 1 - scores.nanmean().item()}

    for _ in run.epochs():
        for batch in run.batches(loader):
            with run.accelerator.accumulate(network):
                images, masks = augment_pair(to_network(batch["image"]), batch["mask"], num_classes, recipe, run.draw)
                with run.accelerator.autocast():
                    loss = LOSSES[recipe.loss](network(images).logits, masks)
                run.accelerator.backward(loss)
                run.update(network, optimizer)
            if run.accelerator.sync_gradients:
                scheduler.step()
                ema.step(run.accelerator.unwrap_model(network).parameters())
            run.log(loss=loss)
        run.end_epoch(build, evaluate, decide="validation_dice_error")


if __name__ == "__main__":
    with told_in_one_line():
        main()
