"""Trains a score model by denoising score matching (Song & Ermon, 2019; Song et al., 2021, arXiv 2011.13456).

    accelerate launch training/train_score.py --config training/recipes/score-ve-acdc-64.yaml

Every key of the recipe can be overridden (`--epochs 3`); `--resume` goes on, `--init_from MODEL` fine-tunes.
"""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from common.recipe import OptimizerName, check_keywords, parse_recipe, stop_at_dry_run
from common.unet_recipe import UNetRecipe


class ScoreRecipe(UNetRecipe):
    """Hyperparameters of a score model; `sde` has a `name`, ve or vp, and that SDE's own keywords."""

    sde: dict = {"name": "ve"}
    loss_weighting: Literal["score", "image"] = "score"
    optimizer: OptimizerName = "adam"
    learning_rate: PositiveFloat = 2e-4
    weight_decay: NonNegativeFloat = 0.0
    sampler: Literal["annealed_langevin", "predictor_corrector", "probability_flow"] = "probability_flow"
    num_inference_steps: PositiveInt = 25  # noise levels
    steps_per_level: PositiveInt = 2  # of annealed Langevin dynamics
    flow_above: NonNegativeFloat | None = None  # σ above which the predictor follows the probability flow


if __name__ == "__main__":
    stop_at_dry_run(ScoreRecipe)  # what follows takes seconds to import

import torch

import zoo
import zoo.hub.datasets
from common.data import ImageTensors, augment, check_fits, pixel_spacing, split_of, to_network
from common.errors import settings_of, told_in_one_line, try_out
from common.optimizers import build_optimizer
from common.run import Run
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.models import ScoreUNet2DModel
from zoo.pipelines import ScorePipeline
from zoo.pipelines.sde import SDES, build_sde


def score_loss(model, images, noise, sigma, data_scale: float, weighting: str) -> torch.Tensor:
    """Denoising score matching, `(batch_size,)`: how far the expected image D is from the true one, weighted by σ.

    Args:
        model (callable): `(sample, sigma)` → D; the score is (D - sample) / σ².
        images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [-1, 1].
        noise (`torch.Tensor` of the same shape): Standard normal.
        sigma (`torch.Tensor` of shape `(batch_size,)`): The noise levels.
        data_scale (`float`): Root mean square of the training images.
        weighting (`str`): `"score"`, σ²·‖score - target‖² (Song & Ermon, 2019, equation 6), which is ‖D - image‖²/σ²;
            or `"image"`, which weighs what the U-Net itself must find alike at all σ (Karras et al., 2022, section 5).
    """
    level = sigma.reshape(-1, 1, 1, 1)
    expected = model(images + level * noise, sigma)
    expected = getattr(expected, "sample", expected).float()  # a network wraps it
    error = (expected - images).square().mean(dim=(1, 2, 3)) / sigma**2
    return error if weighting == "score" else error * (sigma**2 + data_scale**2) / data_scale**2


@torch.no_grad()
def validation_loss(model, sde, data: ImageTensors, device, weighting: str, batch_size: int = 64) -> float:
    """The loss over all validation images, with the same noise and evenly spread times at every call."""
    generator = torch.Generator().manual_seed(0)
    count, scale = len(data), model.config.data_scale
    noise = torch.randn(data.images.shape, generator=generator)
    sigma = sde.sigma((torch.randperm(count, generator=generator) + 0.5) / count)
    losses = []
    for part in torch.arange(count).split(batch_size):
        images = to_network(data.images[part].to(device))
        losses.append(score_loss(model, images, noise[part].to(device), sigma[part].to(device), scale, weighting))
    return torch.cat(losses).mean().item()


def build_model(recipe: ScoreRecipe, data: ImageTensors) -> ScoreUNet2DModel:
    """A new network, or that of `init_from`.

    Raises:
        ZooError: If `init_from` is no score model, or does not fit the dataset.
    """
    if recipe.init_from:
        source = zoo.from_pretrained(recipe.init_from)
        if source.family != ScorePipeline.family:
            raise ZooError(f"{recipe.init_from}: is of family {source.family}, the recipe of {ScorePipeline.family}")
        check_fits(source, recipe.init_from, data)
        return source.unet
    channels, size = data.images.shape[1:3]
    squares = [to_network(part).square().sum(dtype=torch.float64) for part in data.images.split(1000)]
    return ScoreUNet2DModel(
        data_scale=(sum(squares) / data.images.numel()).sqrt().item(),
        sample_size=size,
        channels=channels,
        block_out_channels=recipe.block_out_channels,
        attention_levels=recipe.attention_levels,
        layers_per_block=recipe.layers_per_block,
        attention_head_dim=recipe.attention_head_dim,
        norm_num_groups=recipe.norm_num_groups,
        dropout=recipe.dropout,
        patch_size=recipe.patch_size,
    )


def sde_of(recipe: ScoreRecipe, source: str):
    """The SDE of a recipe.

    Raises:
        ZooError: If its name or one of its keywords is unknown or out of range; it names the recipe's file, `source`.
    """
    settings = {key: value for key, value in recipe.sde.items() if key != "name"}
    name = recipe.sde.get("name")
    if name not in SDES:
        raise ZooError(f"{source}: key 'sde.name' expects {' or '.join(SDES)}, got {name!r}")
    settings = check_keywords(settings, SDES[name], "sde", source)
    try:
        return build_sde(name, **settings)
    except ValueError as error:
        raise ZooError(f"{source}: key 'sde': {error}") from error


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(ScoreRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    sde = sde_of(recipe, switches.config)
    run = Run(recipe, switches.resume, switches.from_state)
    train_split = split_of(built, "train")
    train, validation = ImageTensors(train_split, {}), ImageTensors(split_of(built, "validation"), {})
    run.describe_dataset(built)

    # Model, optimiser
    with settings_of(switches.config):
        model = build_model(recipe, train)
        try_out(model, to_network(train.images[:1]), torch.ones(1))
    scale = model.config.data_scale
    optimizer = build_optimizer(
        recipe.optimizer, model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    loader = run.loader(train)
    model, optimizer, loader = run.prepare(model, optimizer, loader)
    lr_scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(model)
    run.start(lr_scheduler)

    def averaged_model() -> ScoreUNet2DModel:
        return run.averaged(model, ema)

    def build_pipeline() -> ScorePipeline:
        return ScorePipeline(
            averaged_model(),
            recipe.sde,
            recipe.sampler,
            default_steps=recipe.num_inference_steps,
            steps_per_level=recipe.steps_per_level,
            flow_above=recipe.flow_above,
            pixel_spacing_mm=pixel_spacing(train_split),
        )

    def evaluate() -> dict[str, float]:
        loss = validation_loss(averaged_model(), sde, validation, run.device, recipe.loss_weighting)
        return {"validation_loss": loss}

    for _ in run.epochs():
        model.train()
        for batch in run.batches(loader):
            with run.accelerator.accumulate(model):
                images = augment(to_network(batch["image"]), recipe, run.draw)  # (b, c, h, w) in [-1, 1]
                noise = run.draw.randn(*images.shape, device=run.device)
                # Evenly spread times, shifted by a random number: the losses of two batches differ less
                spread = run.draw.rows(lambda n: torch.arange(n, device=run.device) / n, len(images))
                times = (spread + torch.rand(1, generator=run.draw.generator, device=run.device)) % 1
                with run.accelerator.autocast():
                    inputs = images, noise, sde.sigma(times)
                    loss = score_loss(model, *inputs, scale, recipe.loss_weighting).mean()
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
