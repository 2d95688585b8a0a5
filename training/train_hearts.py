"""Trains a diffusion model that paints images of hearts on their label maps, in two stages by noise level.

    accelerate launch training/train_hearts.py --config training/recipes/hearts-coarse-acdc-128.yaml
    accelerate launch training/train_hearts.py --config training/recipes/hearts-acdc-128.yaml

The first stage learns the timesteps of much noise, where shapes arise; the second those of little noise, where texture
does, on finer patches (Balaji et al., 2022, arXiv 2211.01324, section 4.1). Neither depends on the other; the second
joins both with the model that draws label maps. Every key of the recipe can be overridden (`--epochs 3`); `--resume`
goes on, `--init_from MODEL` fine-tunes.
"""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from common.recipe import AlgorithmType, Share, parse_recipe, stop_at_dry_run
from common.unet_recipe import UNetRecipe


class HeartsRecipe(UNetRecipe):
    """Hyperparameters of a model that paints hearts. With `coarse` it is the second stage, else the first."""

    anatomy: str  # the model that draws label maps, folder or Hub id
    coarse: str | None = None  # the model of the first stage
    boundary_ratio: Share = 0.4  # share of the timesteps, those of little noise, that are the second stage's
    conditions: list[str] = []
    condition_dropout: Share = 0.1  # share of the labels left open in training, each condition by itself
    map_dropout: Share = 0.1  # share of the label maps left open
    channels_last: bool = False
    learning_rate: PositiveFloat = 2e-4
    weight_decay: NonNegativeFloat = 0.0
    algorithm_type: AlgorithmType = "sde-dpmsolver++"
    num_inference_steps: PositiveInt = 20
    guidance_scale: NonNegativeFloat = 1.0
    last_ratio: Share | None = (
        None  # of the timesteps in which a sample's last steps lie, each smaller than the one before
    )
    last_steps: PositiveInt | None = None  # how many these are
    edit_alpha_bar: Annotated[float, Field(gt=0, lt=1)] = 0.5  # of the signal, kept where an edit paints

    @property
    def sources(self) -> list[str]:
        """As in the base class, and the model of the first stage."""
        return [*super().sources, *([self.coarse] if self.coarse else [])]


if __name__ == "__main__":
    stop_at_dry_run(HeartsRecipe)  # what follows takes seconds to import

import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler

import zoo
import zoo.datasets
import zoo.hub.datasets
from common.data import ImageTensors, augment, class_frequencies, class_names_of, pixel_spacing, split_of, to_network
from common.errors import settings_of, told_in_one_line, try_out
from common.pairs import PairTensors, settle_masks
from common.run import Run
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.models import ConditionalUNet2DModel
from zoo.pipelines import AnatomyPipeline, HeartPipeline
from zoo.pipelines.label_maps import LABELS


def build_model(recipe: HeartsRecipe, data: PairTensors, class_names: dict[str, list[str]]) -> ConditionalUNet2DModel:
    """A new network, or that of the stage in the model of `init_from`.

    Raises:
        ZooError: If that model paints no hearts, or lacks the stage.
    """
    if recipe.init_from:
        pipe = zoo.from_pretrained(recipe.init_from)
        if not isinstance(pipe, HeartPipeline) or (recipe.coarse and pipe.unet_2 is None):
            raise ZooError(f"{recipe.init_from}: expected hearts of both stages, got a {type(pipe).__name__}")
        return pipe.unet_2 if recipe.coarse else pipe.unet
    return ConditionalUNet2DModel(
        conditions=recipe.conditions,
        class_names=class_names,
        class_frequencies=class_frequencies(data.labels, class_names),
        sample_size=data.images.shape[-1],
        channels=data.images.shape[1] - LABELS,
        map_channels=LABELS,
        block_out_channels=recipe.block_out_channels,
        attention_levels=recipe.attention_levels,
        layers_per_block=recipe.layers_per_block,
        attention_head_dim=recipe.attention_head_dim,
        norm_num_groups=recipe.norm_num_groups,
        dropout=recipe.dropout,
        patch_size=recipe.patch_size,
    )


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(HeartsRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    run = Run(recipe, switches.resume, switches.from_state)
    train_split, validation_split = split_of(built, "train"), split_of(built, "validation")
    class_names = class_names_of(train_split, recipe.conditions)
    train = PairTensors(ImageTensors(train_split, class_names), train_split)
    validation = PairTensors(ImageTensors(validation_split, class_names), validation_split)
    run.describe_dataset(built)

    # The models that this one is joined with
    drawer = zoo.from_pretrained(recipe.anatomy)
    if not isinstance(drawer, AnatomyPipeline) or drawer.sample_size != train.images.shape[-1]:
        raise ZooError(f"{recipe.anatomy}: expected a model of label maps of {train.images.shape[-1]} pixels")
    coarse = zoo.from_pretrained(recipe.coarse).unet if recipe.coarse else None

    # Model, noise process, optimiser
    with settings_of(switches.config):
        model = build_model(recipe, train, class_names)
        images, maps = to_network(train.images[:1]).split([train.images.shape[1] - LABELS, LABELS], dim=1)
        try_out(model, images, torch.zeros(1), train.labels[:1], None, maps)
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)
    noising = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    boundary = round(recipe.boundary_ratio * noising.config.num_train_timesteps)
    first, last = (0, boundary) if coarse else (boundary, noising.config.num_train_timesteps)
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    loader = run.loader(train)
    model, optimizer, loader = run.prepare(model, optimizer, loader)
    lr_scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(model)
    run.start(lr_scheduler)

    def loss_of(network, pairs, labels, noise, timesteps) -> torch.Tensor:
        """Mean squared error of the image's velocity (Salimans & Ho, 2022, arXiv 2202.00512), `(batch_size,)`."""
        images, maps = pairs[:, :-LABELS], pairs[:, -LABELS:]
        predicted = network(noising.add_noise(images, noise, timesteps), timesteps, labels, maps=maps).sample
        return (predicted.float() - noising.get_velocity(images, noise, timesteps)).square().mean((1, 2, 3))

    def build_pipeline() -> HeartPipeline:
        solver = {"algorithm_type": recipe.algorithm_type, "lambda_min_clipped": -5.1}
        trained = run.averaged(model, ema)
        stages = {"unet_2": trained, "boundary_ratio": recipe.boundary_ratio} if coarse else {}
        return HeartPipeline(
            drawer.unet,
            drawer.scheduler,
            coarse or trained,
            DPMSolverMultistepScheduler.from_config(noising.config, **solver),
            **stages,
            last_ratio=recipe.last_ratio,
            last_steps=recipe.last_steps,
            default_steps=recipe.num_inference_steps,
            default_anatomy_steps=drawer.config.default_steps,
            default_guidance=recipe.guidance_scale,
            anatomy_guidance=drawer.config.default_guidance,
            edit_alpha_bar=recipe.edit_alpha_bar,
            pixel_spacing_mm=pixel_spacing(train_split),
        )

    @torch.no_grad()
    def evaluate() -> dict[str, float]:
        """The loss over all validation images, with the same noise and timesteps, spread evenly, each time."""
        network, generator = run.averaged(model, ema), torch.Generator().manual_seed(0)
        noise = torch.randn(validation.images[:, :-LABELS].shape, generator=generator)
        order = torch.randperm(len(validation), generator=generator) + 0.5
        timesteps = first + (order * (last - first) / len(validation)).long()
        parts = (validation.images, validation.labels, noise, timesteps)
        batches = zip(*(part.to(run.device).split(32) for part in parts), strict=True)
        with run.accelerator.autocast():
            losses = [loss_of(network, to_network(pairs), *others) for pairs, *others in batches]
        return {"validation_loss": torch.cat(losses).mean().item()}

    open_labels = run.accelerator.unwrap_model(model).open_labels
    for _ in run.epochs():
        model.train()
        for batch in run.batches(loader):
            with run.accelerator.accumulate(model):
                pairs = settle_masks(augment(to_network(batch["image"]), recipe, run.draw))
                labels, device = batch["labels"], pairs.device
                left_open = run.draw.rand(*labels.shape, device=device) < recipe.condition_dropout
                labels = torch.where(left_open, open_labels, labels)
                pairs[run.draw.rand(len(pairs), device=device) < recipe.map_dropout, -LABELS:] = -1
                noise = run.draw.randn(*pairs[:, :-LABELS].shape, device=device)
                timesteps = run.draw.randint(first, last, (len(pairs),), device)
                with run.accelerator.autocast():
                    loss = loss_of(model, pairs, labels, noise, timesteps).mean()
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
