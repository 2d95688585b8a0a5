"""Trains a DCGAN (Radford et al., 2016, arXiv 1511.06434) with the non-saturating loss of Goodfellow et al. (2014).

    accelerate launch training/train_gan.py --config training/recipes/dcgan-acdc-64.yaml

Every key of the recipe can be overridden (`--epochs 3`); `--resume` goes on, `--init_from MODEL` fine-tunes.
"""

import copy
import dataclasses
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader

import zoo
import zoo.datasets
from common.data import ImageTensors, augment, check_fits, pixel_spacing, split_of, to_network
from common.recipe import Recipe, parse_recipe
from common.run import Run, told_in_one_line
from zoo.metrics.extractors import EfficientNetLite0Extractor, extract
from zoo.metrics.functional import kid
from zoo.models import DCGANDiscriminator, DCGANGenerator
from zoo.pipelines import DCGANPipeline, sample_generators


@dataclasses.dataclass(kw_only=True)
class GANRecipe(Recipe):
    """Hyperparameters of a DCGAN."""

    latent_dim: int = 100
    generator_channels: int = 64
    discriminator_channels: int = 64
    generator_learning_rate: float = 2e-4
    discriminator_learning_rate: float = 2e-4
    lr_scheduler: str = "constant"
    adam_beta1: float = 0.5
    adam_beta2: float = 0.999
    real_label: float = 1.0  # 0.9 is one-sided label smoothing (Salimans et al., 2016, arXiv 1606.03498)
    kid_samples: int = 500  # samples of a validation


def adversarial_loss(logits: torch.Tensor, label: float) -> torch.Tensor:
    """Binary cross-entropy of `(batch_size,)` logits against one label for all of them."""
    return F.binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits, label, dtype=torch.float32))


def build_models(recipe: GANRecipe, data: ImageTensors) -> tuple[DCGANGenerator, DCGANDiscriminator]:
    """New networks, or those of `init_from`: its generator, and the discriminator that a run keeps beside it."""
    channels, size = data.images.shape[1:3]
    discriminator = DCGANDiscriminator(size, channels, recipe.discriminator_channels)
    if not recipe.init_from:
        return DCGANGenerator(size, channels, recipe.latent_dim, recipe.generator_channels), discriminator
    source = zoo.from_pretrained(recipe.init_from)
    check_fits(source, recipe.init_from, data)
    kept = Path(recipe.init_from).parent / "discriminator"
    if kept.is_dir():  # a published folder has none: its discriminator starts anew
        discriminator = DCGANDiscriminator.from_pretrained(kept)
    return source.generator_model, discriminator


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(GANRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.datasets.load(recipe.dataset)
    run = Run(recipe, switches.resume)
    train_split = split_of(built, "train")
    train = ImageTensors(train_split, {})
    validation = ImageTensors(split_of(built, "validation"), {})
    run.describe_dataset(built)

    # Models, optimisers
    generator, discriminator = build_models(recipe, train)
    betas = (recipe.adam_beta1, recipe.adam_beta2)
    g_optimizer = torch.optim.Adam(generator.parameters(), recipe.generator_learning_rate, betas)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), recipe.discriminator_learning_rate, betas)
    loader = DataLoader(train, recipe.batch_size, shuffle=True, drop_last=True)
    generator, discriminator, g_optimizer, d_optimizer, loader = run.accelerator.prepare(
        generator, discriminator, g_optimizer, d_optimizer, loader
    )
    steps = math.ceil(len(loader) / recipe.gradient_accumulation_steps) * recipe.epochs
    schedulers = [
        get_scheduler(recipe.lr_scheduler, optimizer, num_warmup_steps=0, num_training_steps=steps)
        for optimizer in (g_optimizer, d_optimizer)
    ]
    ema = EMAModel(run.accelerator.unwrap_model(generator).parameters(), decay=recipe.ema_decay)
    ema.to(run.device)
    run.accelerator.register_for_checkpointing(*schedulers, ema)
    extractor = EfficientNetLite0Extractor()
    real_features = extract(extractor, validation.images)
    run.start()

    latent_dim = run.accelerator.unwrap_model(generator).config.latent_dim

    def build_pipeline() -> DCGANPipeline:
        network = copy.deepcopy(run.accelerator.unwrap_model(generator))
        ema.copy_to(network.parameters())
        # BatchNorm's running statistics belong to the weights of the last steps, not to their average: measure anew.
        latents = torch.randn(16, 64, latent_dim, generator=torch.Generator().manual_seed(0))
        update_bn(latents.to(run.device), network)
        return DCGANPipeline(network.eval(), pixel_spacing_mm=pixel_spacing(train_split))

    def evaluate() -> dict[str, float]:
        pipe, images = build_pipeline(), []
        for part in torch.arange(recipe.kid_samples).split(100):
            images.append(pipe(len(part), generator=sample_generators(0, part.tolist()), output_type="pt").images)
        samples = (torch.cat(images) * 255).round().byte()
        return {"validation_kid": kid(extract(extractor, samples), real_features)}

    def keep_discriminator() -> None:
        if run.accelerator.is_main_process:
            run.accelerator.unwrap_model(discriminator).save_pretrained(run.folder / "discriminator")

    for _ in run.epochs():
        for batch in run.batches(loader):
            with run.accelerator.accumulate(generator, discriminator):
                real = augment(to_network(batch["image"]), recipe)  # (b, c, h, w) in [-1, 1]
                latents = torch.randn(len(real), latent_dim, device=run.device)
                with run.accelerator.autocast():
                    fake = generator(latents)

                # Discriminator: real images up, generated ones down
                with run.accelerator.autocast():
                    on_real, on_fake = discriminator(real), discriminator(fake.detach())
                    d_loss = adversarial_loss(on_real, recipe.real_label) + adversarial_loss(on_fake, 0.0)
                run.accelerator.backward(d_loss)
                d_optimizer.step()
                d_optimizer.zero_grad()

                # Generator: generated images up, through the discriminator just trained, which learns nothing here
                judge = run.accelerator.unwrap_model(discriminator).requires_grad_(False)
                with run.accelerator.autocast():
                    g_loss = adversarial_loss(judge(fake), 1.0)
                run.accelerator.backward(g_loss)
                judge.requires_grad_(True)
                g_optimizer.step()
                g_optimizer.zero_grad()
            if run.accelerator.sync_gradients:
                for scheduler in schedulers:
                    scheduler.step()
                ema.step(run.accelerator.unwrap_model(generator).parameters())
            run.log(d_loss=d_loss, g_loss=g_loss, d_real=on_real.sigmoid().mean(), d_fake=on_fake.sigmoid().mean())
        run.end_epoch(build_pipeline, evaluate, decide="validation_kid")
    keep_discriminator()


if __name__ == "__main__":
    with told_in_one_line():
        main()
