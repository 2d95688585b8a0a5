"""Trains a diffusion model of label maps, told classes and quantities in millimetres.

    accelerate launch training/train_anatomy.py --config training/recipes/anatomy-acdc-128.yaml

The label maps are learned as maps of signed distances on a grid of half their resolution. Every key of the recipe can
be overridden (`--epochs 3`); `--resume` goes on, `--init_from MODEL` fine-tunes.
"""

import math

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from common.recipe import Share, parse_recipe, stop_at_dry_run
from common.unet_recipe import UNetRecipe


class AnatomyRecipe(UNetRecipe):
    """Hyperparameters of a model of label maps."""

    conditions: list[str]
    condition_dropout: Share = 0.1  # share of the labels left open in training, each condition by itself
    quantity_dropout: Share = 0.3  # share of the quantities left open, each by itself
    open_dropout: Share = 0.1  # share of the samples of which all quantities are left open
    channels_last: bool = False
    learning_rate: PositiveFloat = 2e-4
    weight_decay: NonNegativeFloat = 0.0
    num_inference_steps: PositiveInt = 15
    guidance_scale: NonNegativeFloat = 1.0


if __name__ == "__main__":
    stop_at_dry_run(AnatomyRecipe)  # what follows takes seconds to import

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler
from torch.utils.data import Dataset

import zoo
import zoo.datasets
import zoo.hub.datasets
from common.data import class_frequencies, class_names_of, labels_of, pixel_spacing, split_of
from common.errors import settings_of, told_in_one_line, try_out
from common.quantities import POWERS, quantities_of, quantity_ranges
from common.run import Run
from common.schedules import schedule_of
from zoo.anatomy import QUANTITIES, distance_maps
from zoo.errors import ZooError
from zoo.metrics.image_set import masks_of
from zoo.models import ConditionalUNet2DModel
from zoo.pipelines import AnatomyPipeline
from zoo.pipelines.label_maps import LIMIT_MM
from zoo.warp import rotation_grid

GRID_FACTOR = 2  # pixels of a label map a side of a position of its distance maps
STORED_LIMIT_MM = 2 * LIMIT_MM  # so that what zoom brings in is known


class DistanceMaps(Dataset):
    """One split of a dataset with masks: an item has `image`, its distance maps on the grid, `labels`, `quantities`."""

    def __init__(self, split, class_names: dict[str, list[str]]):
        spacing = pixel_spacing(split)
        if spacing is None or "mask" not in split.column_names:
            raise ZooError("dataset: expected masks and a pixel spacing, columns 'mask' and 'pixel_spacing'")
        masks = masks_of(split)
        maps = [torch.from_numpy(distance_maps(mask, spacing, STORED_LIMIT_MM)) for mask in masks.numpy()]
        self.maps = F.avg_pool2d(torch.stack(maps), GRID_FACTOR)  # (n, 3, grid, grid), in mm
        self.labels = labels_of(split, class_names)
        self.quantities = quantities_of(masks, spacing)  # (n, number of quantities)

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"image": self.maps[index], "labels": self.labels[index], "quantities": self.quantities[index]}


def moved(
    maps: torch.Tensor, quantities: torch.Tensor, recipe: AnatomyRecipe, draw=torch
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turns and zooms distance maps and their quantities: walls grow like the zoom, areas like its square."""
    angle = (draw.rand(len(maps), device=maps.device) * 2 - 1) * math.radians(recipe.rotation_degrees)
    scale = 1 + (draw.rand(len(maps), device=maps.device) * 2 - 1) * recipe.zoom
    grid = rotation_grid(angle, scale, maps.shape)
    maps = F.grid_sample(maps, grid, padding_mode="border", align_corners=False) * scale[:, None, None, None]
    return maps, quantities * scale[:, None] ** quantities.new_tensor(POWERS)


def build_model(recipe: AnatomyRecipe, data: DistanceMaps, class_names: dict[str, list[str]]) -> ConditionalUNet2DModel:
    """A new network, or that of `init_from`.

    Raises:
        ZooError: If `init_from` draws no label maps, or on another grid.
    """
    grid = data.maps.shape[-1]
    if recipe.init_from:
        source = zoo.from_pretrained(recipe.init_from)
        if not isinstance(source, AnatomyPipeline) or source.unet.config.sample_size != grid:
            raise ZooError(f"{recipe.init_from}: expected a model of label maps of {GRID_FACTOR * grid} pixels")
        return source.unet
    return ConditionalUNet2DModel(
        conditions=recipe.conditions,
        class_names=class_names,
        class_frequencies=class_frequencies(data.labels, class_names),
        sample_size=grid,
        channels=data.maps.shape[1],
        block_out_channels=recipe.block_out_channels,
        attention_levels=recipe.attention_levels,
        layers_per_block=recipe.layers_per_block,
        attention_head_dim=recipe.attention_head_dim,
        norm_num_groups=recipe.norm_num_groups,
        dropout=recipe.dropout,
        patch_size=recipe.patch_size,
        quantities=list(QUANTITIES),
        quantity_ranges=quantity_ranges(data.quantities),
    )


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(AnatomyRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    run = Run(recipe, switches.resume, switches.from_state)
    train_split, validation_split = split_of(built, "train"), split_of(built, "validation")
    class_names = class_names_of(train_split, recipe.conditions)
    train, validation = DistanceMaps(train_split, class_names), DistanceMaps(validation_split, class_names)
    run.describe_dataset(built)

    # Model, noise process, optimiser
    with settings_of(switches.config):
        model = build_model(recipe, train, class_names)
        try_out(model, train.maps[:1], torch.zeros(1), train.labels[:1], train.quantities[:1])
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)
    noising = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    loader = run.loader(train)
    model, optimizer, loader = run.prepare(model, optimizer, loader)
    lr_scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(model)
    run.start(lr_scheduler)

    def loss_of(network, maps, labels, quantities, noise, timesteps) -> torch.Tensor:
        """Mean squared error of the velocity (Salimans & Ho, 2022, arXiv 2202.00512), `(batch_size,)`."""
        clean = (maps / LIMIT_MM).clamp(-1, 1)
        predicted = network(noising.add_noise(clean, noise, timesteps), timesteps, labels, quantities).sample
        return (predicted.float() - noising.get_velocity(clean, noise, timesteps)).square().mean((1, 2, 3))

    def build_pipeline() -> AnatomyPipeline:
        sampler = DPMSolverMultistepScheduler.from_config(noising.config, lambda_min_clipped=-5.1)
        return AnatomyPipeline(
            run.averaged(model, ema),
            sampler,
            mask_size=GRID_FACTOR * train.maps.shape[-1],
            default_steps=recipe.num_inference_steps,
            default_guidance=recipe.guidance_scale,
            pixel_spacing_mm=pixel_spacing(train_split),
        )

    @torch.no_grad()
    def evaluate() -> dict[str, float]:
        """The loss over all validation maps, with the same noise and timesteps, spread evenly, each time."""
        network, generator = run.averaged(model, ema), torch.Generator().manual_seed(0)
        noise = torch.randn(validation.maps.shape, generator=generator)
        order = torch.randperm(len(validation), generator=generator) + 0.5
        timesteps = (order * noising.config.num_train_timesteps / len(validation)).long()
        parts = (validation.maps, validation.labels, validation.quantities, noise, timesteps)
        batches = zip(*(part.to(run.device).split(64) for part in parts), strict=True)
        return {"validation_loss": torch.cat([loss_of(network, *batch) for batch in batches]).mean().item()}

    open_labels = run.accelerator.unwrap_model(model).open_labels
    for _ in run.epochs():
        model.train()
        for batch in run.batches(loader):
            with run.accelerator.accumulate(model):
                maps, quantities = moved(batch["image"], batch["quantities"], recipe, run.draw)
                labels, device = batch["labels"], maps.device
                left_open = run.draw.rand(*labels.shape, device=device) < recipe.condition_dropout
                labels = torch.where(left_open, open_labels, labels)
                left_open = run.draw.rand(*quantities.shape, device=device) < recipe.quantity_dropout
                left_open |= run.draw.rand(len(maps), 1, device=device) < recipe.open_dropout
                quantities = quantities.masked_fill(left_open, torch.nan)
                noise = run.draw.randn(*maps.shape, device=device)
                timesteps = run.draw.randint(0, noising.config.num_train_timesteps, (len(maps),), device)
                with run.accelerator.autocast():
                    loss = loss_of(model, maps, labels, quantities, noise, timesteps).mean()
                run.accelerator.backward(loss)
                run.update(model, optimizer)
            if run.accelerator.sync_gradients:
                lr_scheduler.step()
                ema.step(run.accelerator.unwrap_model(model).parameters())
            run.log(loss=loss, learning_rate=lr_scheduler.get_last_lr()[0])
        run.end_epoch(build_pipeline, evaluate, decide="validation_loss")


if __name__ == "__main__":
    with told_in_one_line():
        main()
