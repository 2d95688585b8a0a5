"""Trains a denoising diffusion model (Ho et al., 2020, arXiv 2006.11239), conditional or not, of pixels or of latents.

    accelerate launch training/train_diffusion.py --config training/recipes/ddpm-acdc-64.yaml

Every key of the recipe can be overridden (`--epochs 3`); `--resume` goes on, `--init_from MODEL` fine-tunes.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from common.recipe import AlgorithmType, Momentum, OptimizerName, Share, parse_recipe, stop_at_dry_run
from common.unet_recipe import UNetRecipe


class DiffusionRecipe(UNetRecipe):
    """Hyperparameters of a diffusion model.

    Without `conditions` it is unconditional. With an `autoencoder`, a folder that `train_autoencoder.py` left, it is a
    model of its latents (Rombach et al., 2022, arXiv 2112.10752). With `expert_of` only an expert is trained (Balaji et
    al., 2022, arXiv 2211.01324); that model comes out with it.
    """

    conditions: list[str] = []
    autoencoder: str | None = None
    expert_of: str | None = None  # a conditional model that gets a second U-Net for its timesteps of little noise
    boundary_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.3  # share of the timesteps that are the expert's
    min_timestep: NonNegativeInt = 0  # of training; what lies below is left to an expert
    augmented_copies: PositiveInt = 8  # versions of each training image that are encoded
    condition_dropout: Share = 0.1  # share of the labels left open in training, each condition by itself
    channels_last: bool = False  # memory format of training; faster for wide networks on a CPU with AMX
    num_train_timesteps: PositiveInt = 1000
    # 1e-4 … 0.02, or the cosine of Nichol & Dhariwal (2021)
    beta_schedule: Literal["linear", "squaredcos_cap_v2"] = "linear"
    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"  # the velocity of Salimans & Ho (2022)
    min_snr_gamma: PositiveFloat | None = None  # 5 in Hang et al. 2023, arXiv 2303.09556
    optimizer: OptimizerName = "adamw"
    learning_rate: PositiveFloat = 2e-4
    adam_beta1: Momentum = 0.9
    adam_beta2: Momentum = 0.999
    weight_decay: NonNegativeFloat = 0.0
    algorithm_type: AlgorithmType = "dpmsolver++"  # of the sampler; sde-dpmsolver++ adds noise at each step
    num_inference_steps: PositiveInt = 25
    guidance_scale: NonNegativeFloat = 1.0

    @property
    def sources(self) -> list[str]:
        """As in the base class, and the model that gets an expert."""
        return [*super().sources, *([self.expert_of] if self.expert_of else [])]


if __name__ == "__main__":
    stop_at_dry_run(DiffusionRecipe)  # what follows takes seconds to import

import torch
from diffusers import AutoencoderKL, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel
from diffusers.training_utils import compute_snr

import zoo
import zoo.hub.datasets
from common.data import (
    ImageTensors,
    augment,
    check_fits,
    class_frequencies,
    class_names_of,
    pixel_spacing,
    split_of,
    take_frequencies,
    to_network,
)
from common.errors import settings_of, told_in_one_line, try_out
from common.latents import LatentTensors, load_autoencoder
from common.optimizers import build_optimizer
from common.run import Run
from common.schedules import schedule_of
from zoo.errors import ZooError
from zoo.models import ConditionalUNet2DModel
from zoo.pipelines import (
    ConditionalDDPMPipeline,
    LatentDiffusionPipeline,
    UnconditionalDDPMPipeline,
)


def network_input(images: torch.Tensor, recipe: DiffusionRecipe, draw=torch) -> torch.Tensor:
    """What is noised of a batch, `(b, c, h, w)`: images in [-1, 1], augmented, or one latent of each."""
    if images.ndim == 5:  # (b, copies, c, h, w), augmented before they were encoded
        chosen = draw.randint(0, images.shape[1], (len(images),), device=images.device)
        return images[torch.arange(len(images), device=images.device), chosen]
    return augment(to_network(images), recipe, draw)


def diffusion_loss(model, scheduler, images, labels, noise, timesteps, min_snr_gamma=None) -> torch.Tensor:
    """Mean squared error of the prediction, `(batch_size,)`, weighted by min-SNR-γ where γ is given.

    The weights are those of Hang et al. (2023), section 3.4: min(SNR, γ) / SNR for noise, / (SNR + 1) for velocity.
    """
    noisy = scheduler.add_noise(images, noise, timesteps)
    if scheduler.config.prediction_type == "epsilon":
        target = noise
    else:
        target = scheduler.get_velocity(images, noise, timesteps)
    prediction = model(noisy, timesteps, labels if labels.shape[1] else None)
    prediction = getattr(prediction, "sample", prediction)  # a network wraps it
    loss = (prediction.float() - target).square().mean(dim=(1, 2, 3))
    if min_snr_gamma is not None:
        snr = compute_snr(scheduler, timesteps)
        velocity = scheduler.config.prediction_type == "v_prediction"
        loss = loss * snr.clamp(max=min_snr_gamma) / (snr + 1 if velocity else snr)
    return loss


@torch.no_grad()
def validation_loss(
    model, scheduler, data: ImageTensors, device, span: range, min_snr_gamma, batch_size: int = 64
) -> float:
    """The loss over all validation images, with the same noise and timesteps, spread evenly over `span`, each time."""
    generator = torch.Generator().manual_seed(0)
    count = len(data)
    noise = torch.randn((count, *data.images.shape[-3:]), generator=generator)
    timesteps = span.start + ((torch.randperm(count, generator=generator) + 0.5) * len(span) / count).long()
    losses = []
    for part in torch.arange(count).split(batch_size):
        images, labels = data.images[part].to(device), data.labels[part].to(device)
        images = images[:, 0] if images.ndim == 5 else to_network(images)
        inputs = images, labels, noise[part].to(device), timesteps[part].to(device)
        losses.append(diffusion_loss(model, scheduler, *inputs, min_snr_gamma))
    return torch.cat(losses).mean().item()


def build_model(recipe: DiffusionRecipe, data: ImageTensors, class_names: dict[str, list[str]], source=None):
    """A new network, or that of the pipeline `source`, of an expert its expert.

    An unconditional recipe may start from a conditional model.
    """
    plain = not (recipe.conditions or isinstance(data, LatentTensors))  # diffusers' own network will do
    if recipe.expert_of and getattr(source, "unet_2", None) is not None:
        return source.unet_2
    if source is not None:
        conditional = isinstance(source.unet, ConditionalUNet2DModel)
        if conditional:
            take_frequencies(source.unet, data.labels, class_names)
        return source.unet.unconditional_unet() if plain and conditional else source.unet
    channels, size = data.images.shape[-3:-1]
    width = {
        "sample_size": size,
        "block_out_channels": recipe.block_out_channels,
        "layers_per_block": recipe.layers_per_block,
        "attention_head_dim": recipe.attention_head_dim,
        "norm_num_groups": recipe.norm_num_groups,
        "dropout": recipe.dropout,
    }
    frequencies = class_frequencies(data.labels, class_names)
    model = ConditionalUNet2DModel(
        conditions=recipe.conditions,
        class_names=class_names,
        class_frequencies=frequencies,
        channels=channels,
        attention_levels=recipe.attention_levels,
        patch_size=recipe.patch_size,
        **width,
    )
    return model.unconditional_unet() if plain else model


def expert_pipeline(recipe: DiffusionRecipe, data: ImageTensors, source=None) -> ConditionalDDPMPipeline | None:
    """The model whose expert is trained. `source` is the pipeline that the expert starts from.

    Raises:
        ZooError: If the recipe asks an expert for what it cannot be, or its noise is not that of the model.
    """
    if recipe.expert_of is None:
        return None
    for key in ("conditions", "autoencoder"):
        if getattr(recipe, key):
            raise ZooError(f"recipe: {key}: expected none with expert_of, got {getattr(recipe, key)}")
    if not isinstance(source, ConditionalDDPMPipeline | UnconditionalDDPMPipeline | None):
        raise ZooError(f"{recipe.init_from}: expected a DDPM, got a {type(source).__name__}")
    pipe = zoo.from_pretrained(recipe.expert_of)
    if not isinstance(pipe, ConditionalDDPMPipeline):
        raise ZooError(f"{recipe.expert_of}: expected a conditional DDPM, got a {type(pipe).__name__}")
    check_fits(pipe, recipe.expert_of, data)
    for key in ("num_train_timesteps", "beta_schedule", "prediction_type"):
        if (found := pipe.scheduler.config[key]) != getattr(recipe, key):
            raise ZooError(f"recipe: {key}: expected {found} as in {recipe.expert_of}, got {getattr(recipe, key)}")
    return pipe


def autoencoder_of(recipe: DiffusionRecipe, data: ImageTensors, source=None) -> AutoencoderKL | None:
    """The autoencoder whose latents are learned: the recipe's, or the one of the pipeline `source`.

    Raises:
        ZooError: If the recipe does not fit the one that it starts from.
    """
    if source is None:
        return load_autoencoder(recipe.autoencoder, data) if recipe.autoencoder else None
    check_fits(source, recipe.init_from, data)
    if recipe.autoencoder:
        raise ZooError(f"{recipe.init_from}: brings its own autoencoder or none; leave key 'autoencoder' out")
    return getattr(source, "vae", None)


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(DiffusionRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    run = Run(recipe, switches.resume, switches.from_state)
    train_split, validation_split = split_of(built, "train"), split_of(built, "validation")
    source = zoo.from_pretrained(recipe.init_from) if recipe.init_from else None
    if source is not None and recipe.conditions:
        class_names = source.class_names  # a condition that one's own patients lack is left open
        if not class_names:
            raise ZooError(f"{recipe.init_from}: is unconditional, the recipe has conditions")
    else:
        class_names = class_names_of(train_split, recipe.conditions)
    train = ImageTensors(train_split, class_names)
    validation = ImageTensors(validation_split, class_names)
    run.describe_dataset(built)
    whole = expert_pipeline(recipe, train, source)
    autoencoder = autoencoder_of(recipe, train, source)
    if autoencoder is not None:
        autoencoder.to(run.device)
        train = LatentTensors(train, autoencoder, recipe, recipe.augmented_copies, recipe.seed)
        validation = LatentTensors(validation, autoencoder)

    # Model, noise process, optimiser
    with settings_of(switches.config):
        model = build_model(recipe, train, class_names, source)
        example, labels = torch.zeros(1, *train.images.shape[-3:]), train.labels[:1] if recipe.conditions else None
        try_out(model, example, torch.zeros(1, dtype=torch.int64), labels)
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)
    scheduler = DDPMScheduler(
        num_train_timesteps=recipe.num_train_timesteps,
        beta_schedule=recipe.beta_schedule,
        prediction_type=recipe.prediction_type,
        clip_sample=autoencoder is None,  # latents are not bound to [-1, 1]
    )
    most = round(recipe.num_train_timesteps * (recipe.boundary_ratio if whole else 1))
    if not 0 <= recipe.min_timestep < most:
        raise ZooError(f"recipe: min_timestep: expected 0 to {most - 1}, got {recipe.min_timestep}")
    span = range(recipe.min_timestep, most)
    betas = (recipe.adam_beta1, recipe.adam_beta2)
    optimizer = build_optimizer(recipe.optimizer, model.parameters(), recipe.learning_rate, betas, recipe.weight_decay)
    loader = run.loader(train)
    model, optimizer, loader = run.prepare(model, optimizer, loader)
    lr_scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(model)
    run.start(lr_scheduler)

    def averaged_model():
        network = build_like(run.accelerator.unwrap_model(model)).to(run.device)
        ema.copy_to(network.parameters())
        return network.eval()

    def build_pipeline():
        solver = {"algorithm_type": recipe.algorithm_type, "lambda_min_clipped": -5.1}
        sampler = DPMSolverMultistepScheduler.from_config(scheduler.config, **solver)
        settings = {"default_steps": recipe.num_inference_steps, "pixel_spacing_mm": pixel_spacing(train_split)}
        guidance = {"default_guidance": recipe.guidance_scale}
        if whole is not None:
            expert = {"unet_2": averaged_model(), "boundary_ratio": recipe.boundary_ratio}
            return ConditionalDDPMPipeline(whole.unet, sampler, **expert, **guidance, **settings)
        if autoencoder is not None:
            return LatentDiffusionPipeline(autoencoder, averaged_model(), sampler, **guidance, **settings)
        if recipe.conditions:
            return ConditionalDDPMPipeline(averaged_model(), sampler, **guidance, **settings)
        return UnconditionalDDPMPipeline(averaged_model(), sampler, **settings)

    def evaluate() -> dict[str, float]:
        inputs = averaged_model(), scheduler, validation, run.device, span
        return {"validation_loss": validation_loss(*inputs, recipe.min_snr_gamma)}

    for _ in run.epochs():
        model.train()
        for batch in run.batches(loader):
            with run.accelerator.accumulate(model):
                images = network_input(batch["image"], recipe, run.draw)  # (b, c, h, w)
                labels = batch["labels"]  # (b, number of conditions)
                if recipe.conditions:
                    left_open = run.draw.rand(*labels.shape, device=run.device) < recipe.condition_dropout
                    labels = torch.where(left_open, run.accelerator.unwrap_model(model).open_labels, labels)
                noise = run.draw.randn(*images.shape, device=run.device)
                timesteps = run.draw.randint(span.start, span.stop, (len(images),), device=run.device)
                with run.accelerator.autocast():
                    inputs = images, labels, noise, timesteps
                    loss = diffusion_loss(model, scheduler, *inputs, recipe.min_snr_gamma).mean()
                run.accelerator.backward(loss)
                run.update(model, optimizer)
            if run.accelerator.sync_gradients:
                lr_scheduler.step()
                ema.step(run.accelerator.unwrap_model(model).parameters())
            run.log(loss=loss, learning_rate=lr_scheduler.get_last_lr()[0])
        run.end_epoch(build_pipeline, evaluate, decide="validation_loss")


def build_like(model) -> ConditionalUNet2DModel | UNet2DModel:
    """A network of the same configuration, for weights that are to be copied in."""
    return type(model).from_config(model.config)


if __name__ == "__main__":
    with told_in_one_line():
        main()
