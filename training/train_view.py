"""Trains a network that tells how a heart lies in an image: upright, turned, mirrored, too small, or not there.

    accelerate launch training/train_view.py --config training/recipes/view-acdc-64.yaml

The Space asks it before it measures what a visitor brings. Its dataset shows whole slices with masks: views are cut
from them anew in every step. Every key of the recipe can be overridden (`--epochs 3`); `--resume` goes on, `--init_from
MODEL` fine-tunes.
"""

import math
from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat

from common.recipe import Momentum, Recipe, Share, Widths, parse_recipe, stop_at_dry_run


class ViewRecipe(Recipe):
    """Hyperparameters of a network of views. Hearts that lie in one of the eight ways are what the shares leave."""

    sample_size: Annotated[int, Field(ge=16)] = 64
    block_out_channels: Widths
    known_views: Annotated[list[str], Field(min_length=1)] = ["upright"]  # how hearts of the data lie; turns of `NAMES`
    dropout: Momentum = 0.5
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-2
    label_smoothing: Momentum = 0.0
    intensity: NonNegativeFloat = 0.0  # largest change of brightness, contrast and gamma
    noise: NonNegativeFloat = 0.0  # largest standard deviation, as a share of the range
    shift_pixels: NonNegativeFloat = 0.0  # largest distance of a heart from the middle, in rows and in columns
    share_whole: Share = 0.1  # of slices as a whole, the heart too small to be measured
    share_beside: Share = 0.1  # of squares without a heart
    share_clouds: Share = 0.05  # of smoothed noise


if __name__ == "__main__":
    stop_at_dry_run(ViewRecipe)  # what follows takes seconds to import

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

import zoo.hub.datasets
from common.errors import settings_of, told_in_one_line, try_out
from common.networks import NetworkRun, vary_intensity
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.metrics.views import (
    BESIDE_PIXELS,
    NAMES,
    OTHER,
    WHOLE,
    WholeSlices,
    beside,
    cut,
    said_of,
    shares_told,
    threshold_of,
    whole_slices,
)
from zoo.models import ViewNet, ViewNetConfig
from zoo.models.view_net import TURNS, turned


class Slices(Dataset):
    """Whole slices and where their hearts lie: an item is a dict of `image`, uint8, and `center`, row and column."""

    def __init__(self, slices: WholeSlices):
        self.slices = slices

    def __len__(self) -> int:
        return len(self.slices.images)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"image": self.slices.images[index], "center": self.slices.centers[index]}


def draw_views(images: torch.Tensor, centers: torch.Tensor, recipe: ViewRecipe, draw=torch):
    """Cuts a view from each slice, right or wrong.

    Args:
        images (`torch.Tensor` of shape `(batch_size, 1, side, side)`): uint8.
        centers (`torch.Tensor` of shape `(batch_size, 2)`): Row and column of the hearts.
        recipe (`ViewRecipe`): What is drawn how often, and how much a heart is moved, turned a little and zoomed.
        draw: What random numbers come from: torch, or the `Draws` of a run.

    Returns:
        Images `(batch_size, 1, sample_size, sample_size)` in [-1, 1], and their classes, of `NAMES`.
    """
    count, side, size, device = len(images), images.shape[-1], recipe.sample_size, images.device

    def between(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * draw.rand(count, *shape, device=device)

    # What is shown
    kind, turn = draw.rand(count, device=device), draw.randint(0, TURNS, (count,), device=device)
    is_whole = kind < recipe.share_whole
    is_beside = ~is_whole & (kind < recipe.share_whole + recipe.share_beside)
    is_cloud = kind > 1 - recipe.share_clouds
    labels = torch.where(is_whole, WHOLE, torch.where(is_beside | is_cloud, OTHER, turn))

    # Where it is cut, and how large
    moved = centers + between(-recipe.shift_pixels, recipe.shift_pixels, 2)
    away = beside(centers, between(0, 2 * math.pi), between(0.85 * BESIDE_PIXELS, 1.5 * BESIDE_PIXELS), side, size)
    middle = torch.full_like(centers, (side - 1) / 2) + between(-0.05, 0.05, 2) * side
    places = torch.where(is_whole[:, None], middle, torch.where(is_beside[:, None], away, moved))
    scale = torch.where(is_whole, size / (side * between(0.55, 1)), 1 + between(-recipe.zoom, recipe.zoom))
    angle = between(-1, 1) * math.radians(recipe.rotation_degrees)
    shown = cut(images.float() / 255, places, scale, angle, size=size)

    # Clouds of any coarseness, in any way, in any light
    coarse = draw.randn(count, 1, size, size, device=device)
    side_of_cloud = int(2 ** (3 + 4 * draw.rand(count, device=device)[0].item()))
    clouds = F.interpolate(coarse[..., :side_of_cloud, :side_of_cloud], (size, size), mode="bicubic") * 0.2 + 0.5
    shown = torch.where(is_cloud[:, None, None, None], clouds, shown).clamp(0, 1)
    for way in range(1, TURNS):
        shown = torch.where((turn == way)[:, None, None, None], turned(shown, way), shown)
    return vary_intensity(2 * shown - 1, recipe, draw), labels


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(ViewRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide weights and threshold
    built = zoo.hub.datasets.load(recipe.dataset)
    run = NetworkRun(recipe, switches.resume, switches.from_state)
    train, validation = Slices(whole_slices(built, "train")), whole_slices(built, "validation")
    run.describe_dataset(built)

    # Model, optimiser
    if strange := sorted(set(recipe.known_views) - set(NAMES[:TURNS])):
        raise ZooError(f"recipe: known_views: expected some of {', '.join(NAMES[:TURNS])}, got {strange[0]!r}")
    with settings_of(switches.config):
        if recipe.init_from:
            network = ViewNet.from_pretrained(recipe.init_from, dtype=torch.float32)
        else:
            config = ViewNetConfig(
                NAMES,
                recipe.sample_size,
                block_out_channels=recipe.block_out_channels,
                dropout=recipe.dropout,
                known=[NAMES.index(name) for name in recipe.known_views],
                pixel_spacing_mm=validation.spacing_mm,
            )
            network = ViewNet(config)
        try_out(network, validation.cut(recipe.sample_size)[:1])
    optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    loader = run.loader(train)
    network, optimizer, loader = run.prepare(network, optimizer, loader)
    scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(network)
    run.start(scheduler)
    threshold = None  # by the last evaluation, which goes before each network that is kept

    def build():
        averaged = run.averaged(network, ema)
        averaged.config.threshold = threshold
        return averaged

    @torch.no_grad()
    def evaluate() -> dict[str, float]:
        nonlocal threshold
        averaged = run.averaged(network, ema).cpu()
        said = {name: averaged.known(rows) for name, rows in said_of(averaged, validation).items()}
        threshold = threshold_of(said["upright"])
        figures = shares_told(said, validation, threshold)
        told = {name: figure["value"] for name, figure in figures.items() if name.startswith("told_")}
        missed = [1 - share for name, share in told.items() if name.endswith("_slice")]
        refused = {name: figure["value"] for name, figure in figures.items() if name.startswith("refused_")}
        return refused | told | {"validation_missed": sum(missed) / len(missed)}

    for _ in run.epochs():
        for batch in run.batches(loader):
            with run.accelerator.accumulate(network):
                images, labels = draw_views(batch["image"], batch["center"], recipe, run.draw)
                with run.accelerator.autocast():
                    scores = network(images).logits
                loss = F.cross_entropy(scores.float(), labels, label_smoothing=recipe.label_smoothing)
                run.accelerator.backward(loss)
                run.update(network, optimizer)
            if run.accelerator.sync_gradients:
                scheduler.step()
                ema.step(run.accelerator.unwrap_model(network).parameters())
            run.log(loss=loss)
        run.end_epoch(build, evaluate, decide="validation_missed")


if __name__ == "__main__":
    with told_in_one_line():
        main()
