"""Turns a diffusion model into one that samples in one to four steps, by easy consistency tuning.

    accelerate launch training/train_turbo.py --config training/recipes/turbo-acdc-64.yaml

Of a noisy image a diffusion model predicts the mean of all images that it may have been; a consistency model (Song et
al., 2023, arXiv 2303.01469) one of them, the same at every level of noise. The networks of `init_from` go on from where
they are: each learns to predict at a level what it predicts at an earlier one, which comes closer in the course of
training (Geng et al., 2024, arXiv 2406.14548). diffusers' `LCMScheduler` samples. Every key of the recipe can be
overridden (`--epochs 3`); `--resume` goes on.
"""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from common.recipe import Momentum, Recipe, Share, parse_recipe, stop_at_dry_run


class TurboRecipe(Recipe):
    """Hyperparameters of consistency tuning; `init_from` is the conditional DDPM that it begins with."""

    init_from: str
    one_network: bool = False  # an expert of `init_from` is left out, and its first network learns all levels of noise
    condition_dropout: Share = 0.1  # share of the labels left open in training, each condition by itself
    channels_last: bool = False
    # The earlier level is a 1 - n / q^a of the later one: q, and how many times a grows by one, at even distances
    ratio_base: Annotated[int, Field(ge=2)] = 4
    ratio_stages: PositiveInt = 4
    huber: NonNegativeFloat = 0.00054  # error below which the loss is a square; Song & Dhariwal (2023), section 3.3
    learning_rate: PositiveFloat = 1e-4
    adam_beta2: Momentum = 0.99
    weight_decay: NonNegativeFloat = 0.0
    num_inference_steps: Annotated[int, Field(ge=1, le=4)] = 4
    kid_samples: Annotated[int, Field(ge=2)] = 200  # samples of a validation


if __name__ == "__main__":
    stop_at_dry_run(TurboRecipe)  # what follows takes seconds to import

from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler, LCMScheduler
from torch import nn

import zoo
import zoo.hub.datasets
from common.data import ImageTensors, augment, check_enough, check_fits, pixel_spacing, split_of, to_network
from common.errors import told_in_one_line
from common.run import Run
from common.samples import draw_samples
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.metrics.extractors import EfficientNetLite0Extractor, extract
from zoo.metrics.functional import kid
from zoo.pipelines import ConditionalDDPMPipeline


@dataclass
class Stage:
    """A network, and the levels of noise that are its own: 0 is the image itself, level l timestep l - 1."""

    network: nn.Module
    levels: range
    has_classes: bool = True

    def denoised(self, noisy: torch.Tensor, levels: torch.Tensor, labels: torch.Tensor, alpha_bars: torch.Tensor):
        """The image that the network's velocity points to, √ᾱ x - √(1 - ᾱ) v (Salimans & Ho, 2022, arXiv 2202.00512).

        At level 0 that is `noisy` itself, as a consistency model must have it.

        Args:
            noisy (`torch.Tensor` of shape `(batch_size, channels, height, width)`): Noised to `levels`.
            levels (`torch.Tensor` of shape `(batch_size,)`): From 0 on.
            labels (`torch.Tensor` of shape `(batch_size, num_conditions)`): Class indices.
            alpha_bars (`torch.Tensor` of shape `(num_levels,)`): ᾱ by level.

        Returns:
            `torch.Tensor` of the shape of `noisy`, float32.
        """
        velocity = self.network(noisy, levels - 1, labels if self.has_classes else None)
        velocity = getattr(velocity, "sample", velocity)  # a plain UNet2DModel wraps it
        signal = alpha_bars[levels].view(-1, 1, 1, 1)
        return signal.sqrt() * noisy - (1 - signal).sqrt() * velocity.float()


def earlier_levels(levels: torch.Tensor, alpha_bars: torch.Tensor, closeness: float) -> torch.Tensor:
    """The levels whose predictions are the targets: r = t (1 - n(t) / q^a) with n(t) = 1 + 8 / (1 + e^σ).

    Geng et al. (2024), section 3.2, on levels instead of σ, which for a cosine schedule is on its angle: σ has no end
    there. Where it is 0 the target is the image, and the loss that of a diffusion model.

    Args:
        levels (`torch.Tensor` of shape `(batch_size,)`): t, from 1 on.
        alpha_bars (`torch.Tensor` of shape `(num_levels,)`): ᾱ by level.
        closeness (`float`): q^a.

    Returns:
        `torch.Tensor` of shape `(batch_size,)`: From 0 to one below `levels`.
    """
    sigma = (1 / alpha_bars[levels] - 1).sqrt()
    factor = 1 + 8 * torch.sigmoid(-sigma)
    earlier = (levels * (1 - factor / closeness)).floor().long()
    return torch.minimum(earlier, levels - 1).clamp(min=0)


def consistency_loss(
    stage: Stage,
    stages: list[Stage],
    images: torch.Tensor,
    labels: torch.Tensor,
    noise: torch.Tensor,
    levels: torch.Tensor,
    alpha_bars: torch.Tensor,
    closeness: float,
    huber: float,
    autocast,
) -> torch.Tensor:
    """How far predictions are from those at the earlier levels of the same images and noise, `(batch_size,)`.

    √(mean square + c²) - c of the difference (Song & Dhariwal, 2023, arXiv 2310.14189, section 3.3, of a mean in place
    of a sum), by the distance of both levels as an angle, arctan σ.
    """
    earlier = earlier_levels(levels, alpha_bars, closeness)

    def noised(to: torch.Tensor) -> torch.Tensor:
        signal = alpha_bars[to].view(-1, 1, 1, 1)
        return signal.sqrt() * images + (1 - signal).sqrt() * noise

    # The target, with the dropout of the prediction; autocast of its own, which else keeps weights without gradients
    devices = [images.device] if images.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices), autocast():
        less_noisy = noised(earlier)
        target = stage.denoised(less_noisy, earlier, labels, alpha_bars)
        for other in stages:
            rows = (earlier >= other.levels.start) & (earlier < other.levels.stop)
            if other is not stage and rows.any():
                target[rows] = other.denoised(less_noisy[rows], earlier[rows], labels[rows], alpha_bars)
    with autocast():
        prediction = stage.denoised(noised(levels), levels, labels, alpha_bars)
    angles = alpha_bars.sqrt().acos()
    distance = ((prediction - target).square().mean((1, 2, 3)) + huber**2).sqrt() - huber
    return distance / (angles[levels] - angles[earlier])


def source_of(recipe: TurboRecipe) -> ConditionalDDPMPipeline:
    """The model that is tuned.

    Raises:
        ZooError: If it is no conditional DDPM that predicts velocities.
    """
    pipe = zoo.from_pretrained(recipe.init_from)
    if not isinstance(pipe, ConditionalDDPMPipeline):
        raise ZooError(f"{recipe.init_from}: expected a conditional DDPM, got a {type(pipe).__name__}")
    if (found := pipe.scheduler.config.prediction_type) != "v_prediction":
        raise ZooError(f"{recipe.init_from}: expected a model that predicts v_prediction, got {found}")
    return pipe


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(TurboRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    run = Run(recipe, switches.resume, switches.from_state)
    train_split = split_of(built, "train")
    source = source_of(recipe)
    train = ImageTensors(train_split, source.class_names)
    check_fits(source, recipe.init_from, train)
    validation = ImageTensors(split_of(built, "validation"), {})
    check_enough(validation, "the KID of samples")
    run.describe_dataset(built)

    # Networks, each with its levels of noise, and their optimiser
    process = {key: source.scheduler.config[key] for key in ("num_train_timesteps", "beta_schedule", "prediction_type")}
    process |= {key: source.scheduler.config[key] for key in ("beta_start", "beta_end")}
    alpha_bars = torch.cat([torch.ones(1), DDPMScheduler(**process).alphas_cumprod]).to(run.device)
    expert = None if recipe.one_network else source.unet_2
    boundary = source.config.boundary_ratio if expert is not None else 0
    first = 1 + round(boundary * process["num_train_timesteps"])  # of the first network, the last of noise
    stages = [Stage(source.unet, range(first, len(alpha_bars)))]
    if expert is not None:
        stages.append(Stage(expert, range(1, first), has_classes=False))
    student = nn.ModuleList(stage.network for stage in stages)
    if recipe.channels_last:
        student.to(memory_format=torch.channels_last)
    betas = (0.9, recipe.adam_beta2)
    optimizer = torch.optim.AdamW(student.parameters(), recipe.learning_rate, betas, weight_decay=recipe.weight_decay)
    loader = run.loader(train)
    *prepared, optimizer, loader = run.prepare(*student, optimizer, loader)
    for stage, network in zip(stages, prepared, strict=True):
        stage.network = network
    lr_scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(student)
    extractor = EfficientNetLite0Extractor()
    real_features = extract(extractor, validation.images)
    run.start(lr_scheduler)

    def build_pipeline() -> ConditionalDDPMPipeline:
        averaged = run.averaged(student, ema).to(memory_format=torch.contiguous_format)
        with_expert = {"unet_2": averaged[1], "boundary_ratio": boundary} if len(averaged) > 1 else {}
        return ConditionalDDPMPipeline(
            averaged[0],
            LCMScheduler(**process, original_inference_steps=process["num_train_timesteps"]),
            **with_expert,
            default_steps=recipe.num_inference_steps,
            pixel_spacing_mm=pixel_spacing(train_split),
            family="turbo",
        )

    def evaluate() -> dict[str, float]:
        pipe = build_pipeline()
        pipe.set_progress_bar_config(disable=True)
        samples = draw_samples(pipe, recipe.kid_samples)
        return {"validation_kid": kid(extract(extractor, samples), real_features)}

    open_labels = source.unet.open_labels.to(run.device)
    for _ in run.epochs():
        student.train()
        for batch in run.batches(loader):
            growths = int(recipe.ratio_stages * run.fractional_epoch / recipe.epochs)
            closeness = recipe.ratio_base ** (1 + min(growths, recipe.ratio_stages - 1))
            stage = stages[run.progress.step % len(stages)]  # the other rests: it has no gradients
            with run.accelerator.accumulate(stage.network):
                images = augment(to_network(batch["image"]), recipe, run.draw)  # (b, c, h, w)
                labels = batch["labels"]  # (b, number of conditions)
                left_open = run.draw.rand(*labels.shape, device=run.device) < recipe.condition_dropout
                labels = torch.where(left_open, open_labels, labels)
                noise = run.draw.randn(*images.shape, device=run.device)
                levels = run.draw.randint(stage.levels.start, stage.levels.stop, (len(images),), device=run.device)
                batch_of = images, labels, noise, levels, alpha_bars, closeness, recipe.huber
                loss = consistency_loss(stage, stages, *batch_of, run.accelerator.autocast).mean()
                run.accelerator.backward(loss)
                run.update(stage.network, optimizer)
            if run.accelerator.sync_gradients:
                lr_scheduler.step()
                ema.step(student.parameters())
            run.log(loss=loss, closeness=closeness, learning_rate=lr_scheduler.get_last_lr()[0])
        run.end_epoch(build_pipeline, evaluate, decide="validation_kid")


if __name__ == "__main__":
    with told_in_one_line():
        main()
