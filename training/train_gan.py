"""Trains a generator against a discriminator: every adversarial family of `zoo.families`.

    accelerate launch training/train_gan.py --config training/recipes/dcgan-acdc-64.yaml

Every key of the recipe can be overridden (`--epochs 3`); `--resume` goes on, `--init_from MODEL` fine-tunes.
"""

import inspect
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from common.recipe import Momentum, Recipe, Share, check_keywords, parse_recipe, stop_at_dry_run


class GANRecipe(Recipe):
    """Hyperparameters of an adversarial training; `generator` and `discriminator` are the networks' own keywords."""

    family: str = "dcgan"
    generator: dict = {}
    discriminator: dict = {}
    conditions: list[str] = []  # class columns, of families that know classes
    condition_dropout: Share = 0.0  # share of the generator's labels left open, each condition by itself
    # Until the first of two epochs every label is left open, from the second on the share above, a line in between:
    # conditions from the start make few data collapse (Shahbazi et al., 2022, arXiv 2201.06578)
    condition_epochs: list[NonNegativeInt] = []
    loss: Literal["non_saturating", "wasserstein"] = "non_saturating"
    real_label: Share = 1.0  # 0.9 is one-sided label smoothing; of the non-saturating loss
    gradient_penalty: NonNegativeFloat = 0.0  # 10 in WGAN-GP
    discriminator_steps: PositiveInt = 1  # for one of the generator
    discriminator_epochs: NonNegativeInt = 0  # first, of the discriminator alone: one that starts anew knows nothing
    auxiliary_weight: NonNegativeFloat = 1.0  # of the classes that an ACGAN's discriminator names
    information_weight: NonNegativeFloat = 1.0  # of the codes that an InfoGAN's discriminator recovers, the paper's λ
    diffaugment: list[Literal["color", "translation", "cutout"]] = []
    generator_learning_rate: PositiveFloat = 2e-4
    discriminator_learning_rate: PositiveFloat = 2e-4
    adam_beta1: Momentum = 0.5
    adam_beta2: Momentum = 0.999
    temperature: PositiveFloat = 1.0  # what the normal latents of samples, not of training, are multiplied by
    kid_samples: Annotated[int, Field(ge=2)] = 500  # samples of a validation


if __name__ == "__main__":
    stop_at_dry_run(GANRecipe)  # what follows takes seconds to import

import torch
from diffusers import ModelMixin
from torch import nn

import zoo
import zoo.hub.datasets
import zoo.models
from common.data import (
    ImageTensors,
    augment,
    check_enough,
    check_fits,
    class_frequencies,
    class_names_of,
    pixel_spacing,
    split_of,
    take_frequencies,
    to_network,
)
from common.diffaugment import diff_augment
from common.errors import settings_of, told_in_one_line, try_out
from common.gan_losses import (
    class_loss,
    code_loss,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from common.run import Run
from common.samples import draw_samples
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.families import FAMILIES
from zoo.metrics.extractors import EfficientNetLite0Extractor, extract
from zoo.metrics.functional import kid
from zoo.pipelines import GANPipeline
from zoo.pipelines.latents import LatentPrior
from zoo.samples import code_grid

# Keywords of the networks that the dataset sets, not the recipe
FROM_DATA = ("sample_size", "in_channels", "out_channels", "conditions", "class_names", "class_frequencies")
CODES = ("categories", "continuous_codes")  # of an InfoGAN: keywords of its discriminator and of its pipeline


def share_left_open(recipe: GANRecipe, epoch: float) -> float:
    """Share of the generator's labels that are left open after so many epochs."""
    if not recipe.condition_epochs:
        return recipe.condition_dropout
    begin, end = recipe.condition_epochs
    given = min(1.0, max(0.0, (epoch - begin) / (end - begin)))
    return 1 - given * (1 - recipe.condition_dropout)


def check_recipe(recipe: GANRecipe, source: str) -> tuple[type[ModelMixin], type[ModelMixin]]:
    """The classes of the family's generator and discriminator, if the recipe suits them.

    Raises:
        ZooError: If it does not; it names the recipe's file and the key.
    """
    families = {name: family for name, family in FAMILIES.items() if family.script == "training/train_gan.py"}
    if recipe.family not in families:
        raise ZooError(f"{source}: key 'family' expects one of {', '.join(families)}, got '{recipe.family}'")
    family = families[recipe.family]
    classes = getattr(zoo.models, family.generator), getattr(zoo.models, family.discriminator)
    for key, cls in zip(("generator", "discriminator"), classes, strict=True):
        setattr(recipe, key, check_keywords(getattr(recipe, key), cls, key, source, taken=FROM_DATA))
    if bool(recipe.conditions) != ("conditions" in inspect.signature(classes[0]).parameters):
        expected = "none" if recipe.conditions else "some"
        raise ZooError(f"{source}: key 'conditions' expects {expected} for family {recipe.family}")
    if recipe.discriminator_epochs >= recipe.epochs:
        found = f"{recipe.discriminator_epochs} of {recipe.epochs}"
        raise ZooError(f"{source}: key 'discriminator_epochs' expects fewer than epochs, got {found}")
    if epochs := recipe.condition_epochs:
        if not recipe.conditions:
            raise ZooError(f"{source}: key 'condition_epochs' expects none without conditions, got {epochs}")
        if len(epochs) != 2 or not 0 <= epochs[0] < epochs[1]:
            raise ZooError(f"{source}: key 'condition_epochs' expects two growing numbers of epochs, got {epochs}")
    norm = inspect.signature(classes[1]).parameters.get("norm")
    if recipe.gradient_penalty and norm and recipe.discriminator.get("norm", norm.default) == "batch":
        message = "key 'discriminator.norm' expects instance or none with a gradient_penalty, which is of single images"
        raise ZooError(f"{source}: {message}")
    return classes


def build_networks(recipe: GANRecipe, classes, data: ImageTensors, class_names, pipe) -> tuple[ModelMixin, ModelMixin]:
    """New networks, or those of `init_from` (`pipe`): its generator, and the discriminator a run keeps beside it.

    Raises:
        ZooError: If a network refuses its settings, or the generator of `init_from` is not one of this recipe's.
    """
    channels, size = data.images.shape[1:3]
    known = {
        "sample_size": size,
        "in_channels": channels,
        "out_channels": channels,
        "conditions": recipe.conditions,
        "class_names": class_names,
        "class_frequencies": class_frequencies(data.labels, class_names),
    }

    def build(cls: type[ModelMixin], keywords: dict) -> ModelMixin:
        from_data = {key: known[key] for key in inspect.signature(cls).parameters if key in known}
        try:
            return cls(**from_data, **keywords)
        except ValueError as error:
            raise ZooError(f"recipe: {error}") from error

    discriminator = build(classes[1], recipe.discriminator)
    if pipe is None:
        return build(classes[0], recipe.generator), discriminator
    if not isinstance(getattr(pipe, "generator_model", None), classes[0]):
        raise ZooError(f"{recipe.init_from}: expected a model with a {classes[0].__name__}")
    check_fits(pipe, recipe.init_from, data)
    codes = {key: discriminator.config.get(key, 0) for key in CODES}
    if (found := {key: pipe.config[key] for key in CODES}) != codes:
        raise ZooError(f"{recipe.init_from}: has the codes {found}, the recipe's discriminator {codes}")
    kept = Path(recipe.init_from).parent / "discriminator"
    if kept.is_dir():  # a published folder has none: its discriminator starts anew
        discriminator = classes[1].from_pretrained(kept)
    take_frequencies(pipe.generator_model, data.labels, class_names)
    return pipe.generator_model, discriminator


@torch.no_grad()
def measure_batch_norm(network: nn.Module, batches: list[tuple[torch.Tensor, ...]]) -> None:
    """Replaces BatchNorm's running statistics, which belong to the weights of the last steps, by those of batches."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    network.train()
    for inputs in batches:
        network(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(GANRecipe, arguments)
    classes = check_recipe(recipe, switches.config)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    run = Run(recipe, switches.resume, switches.from_state)
    train_split = split_of(built, "train")
    source = zoo.from_pretrained(recipe.init_from) if recipe.init_from else None
    # A condition that one's own patients lack is left open
    class_names = source.class_names if source is not None else class_names_of(train_split, recipe.conditions)
    if list(class_names) != recipe.conditions:
        raise ZooError(f"{recipe.init_from}: has the conditions {list(class_names)}, the recipe {recipe.conditions}")
    train = ImageTensors(train_split, class_names)
    validation = ImageTensors(split_of(built, "validation"), {})
    check_enough(validation, "the KID of samples")
    run.describe_dataset(built)

    # Models, what latents are drawn from, optimisers
    with settings_of(switches.config):
        generator, discriminator = build_networks(recipe, classes, train, class_names, source)
        labels = [train.labels[:1]] if recipe.conditions else []
        try_out(generator, torch.zeros(1, generator.config.latent_dim), *labels)
        try_out(discriminator, to_network(train.images[:1]))
    codes = {key: discriminator.config.get(key, 0) for key in CODES}
    noise_dim = generator.config.latent_dim - sum(codes.values())
    if noise_dim < 1:
        raise ZooError(f"recipe: key 'generator.latent_dim' expects more than the codes' {sum(codes.values())} numbers")
    prior = LatentPrior(noise_dim, **codes)
    for network in (generator, discriminator):  # a quarter faster on a CPU
        network.to(memory_format=torch.channels_last)
    betas = (recipe.adam_beta1, recipe.adam_beta2)
    g_optimizer = torch.optim.Adam(generator.parameters(), recipe.generator_learning_rate, betas)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), recipe.discriminator_learning_rate, betas)
    loader = run.loader(train)
    generator, discriminator, g_optimizer, d_optimizer, loader = run.prepare(
        generator, discriminator, g_optimizer, d_optimizer, loader
    )
    g_scheduler = schedule_of(recipe, g_optimizer, loader, recipe.discriminator_epochs)
    d_scheduler = schedule_of(recipe, d_optimizer, loader)
    ema = run.average_of(generator)
    extractor = EfficientNetLite0Extractor()
    real_features = extract(extractor, validation.images)
    run.start(g_scheduler, d_scheduler)

    def build_pipeline() -> GANPipeline:
        network = run.averaged(generator, ema).to(memory_format=torch.contiguous_format)
        draw = torch.Generator().manual_seed(0)
        latents = [prior.join(*prior.draw(64, draw)) for _ in range(16)]
        labels = [train.labels[torch.randint(len(train), (64,), generator=draw)] for _ in latents]
        inputs = zip(latents, labels, strict=True) if recipe.conditions else zip(latents, strict=True)
        measure_batch_norm(network, [tuple(part.to(run.device) for part in batch) for batch in inputs])
        spacing = pixel_spacing(train_split)
        settings = {"default_temperature": recipe.temperature, "pixel_spacing_mm": spacing}
        return GANPipeline(network.eval(), recipe.family, **codes, **settings)

    def evaluate() -> dict[str, float]:
        samples = draw_samples(build_pipeline(), recipe.kid_samples)
        return {"validation_kid": kid(extract(extractor, samples), real_features)}

    def recovery_loss(heads: list[torch.Tensor], labels: torch.Tensor, drawn: tuple) -> torch.Tensor | float:
        """What the heads beside the score are to recover: an ACGAN's classes or an InfoGAN's codes."""
        if recipe.conditions:
            return recipe.auxiliary_weight * class_loss(heads, labels)
        return recipe.information_weight * code_loss(*heads, *drawn[1:]) if prior.categories else 0.0

    def judged(network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores of images, `(b,)`, and the outputs of the other heads, in float32."""
        with run.accelerator.autocast():
            output = network(images)
        score, *heads = output if isinstance(output, tuple) else (output,)
        return score.float(), [head.float() for head in heads]

    def draw_latents(count: int) -> tuple[torch.Tensor, ...]:
        drawn = prior.draw(count * run.processes, run.draw.generator, run.device)  # of the global batch
        return tuple(run.draw.rows(lambda _, part=part: part, count) for part in drawn)

    for epoch in run.epochs():
        for batch in run.batches(loader):
            due = run.progress.step % recipe.discriminator_steps == 0
            trains_generator = due and epoch >= recipe.discriminator_epochs
            with run.accelerator.accumulate(generator, discriminator):
                real = augment(to_network(batch["image"]), recipe, run.draw)  # (b, c, h, w) in [-1, 1]
                labels = batch["labels"]
                drawn = draw_latents(len(real))  # noise, category, codes
                inputs = [prior.join(*drawn)]  # (b, latent_dim)
                if recipe.conditions:  # the labels of the real images, some left open: (b, number of conditions)
                    share = share_left_open(recipe, run.fractional_epoch)
                    left_open = run.draw.rand(*labels.shape, device=run.device) < share
                    inputs.append(torch.where(left_open, run.accelerator.unwrap_model(generator).open_labels, labels))
                with run.accelerator.autocast(), torch.set_grad_enabled(trains_generator):
                    fake = generator(*inputs)
                    fake = getattr(fake, "sample", fake)  # a network may return the images themselves

                # Discriminator: real images up, generated ones down
                real, seen = (diff_augment(images, recipe.diffaugment, run.draw) for images in (real, fake.detach()))
                on_real, real_heads = judged(discriminator, real)
                on_fake, fake_heads = judged(discriminator, seen)
                d_loss = discriminator_loss(recipe.loss, on_real, on_fake, recipe.real_label)
                d_loss = d_loss + recovery_loss(fake_heads, inputs[-1], drawn)
                if recipe.conditions:
                    d_loss = d_loss + recovery_loss(real_heads, labels, drawn)
                if recipe.gradient_penalty:
                    penalty = gradient_penalty(discriminator, real, seen.float(), run.draw)
                    d_loss = d_loss + recipe.gradient_penalty * penalty
                run.accelerator.backward(d_loss)
                run.update(discriminator, d_optimizer)
                run.log(d_loss=d_loss, score_real=on_real.mean(), score_fake=on_fake.mean())

                # Generator: generated images up, through the discriminator just trained, which learns nothing here
                if trains_generator:
                    judge = run.accelerator.unwrap_model(discriminator).requires_grad_(False)
                    on_fake, fake_heads = judged(judge, diff_augment(fake, recipe.diffaugment, run.draw))
                    g_loss = generator_loss(recipe.loss, on_fake) + recovery_loss(fake_heads, inputs[-1], drawn)
                    run.accelerator.backward(g_loss)
                    judge.requires_grad_(True)
                    run.update(generator, g_optimizer)
                    run.log(g_loss=g_loss)
            if run.accelerator.sync_gradients:
                d_scheduler.step()
                if epoch >= recipe.discriminator_epochs:
                    g_scheduler.step()
                if trains_generator:
                    ema.step(run.accelerator.unwrap_model(generator).parameters())
        run.end_epoch(build_pipeline, evaluate, decide="validation_kid")

    if run.accelerator.is_main_process:
        judge = run.accelerator.unwrap_model(discriminator).to(memory_format=torch.contiguous_format)
        judge.save_pretrained(run.folder / "discriminator")
        if prior.categories:
            code_grid(zoo.from_pretrained(run.folder / "pipeline")).save(run.folder / "codes.png")


if __name__ == "__main__":
    with told_in_one_line():
        main()
