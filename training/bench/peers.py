"""Other people's networks, trained and sampled as their users would; every file of theirs comes from its package.

Each function is one contender of `bench.worker`. Settings: `size`, `batch_size`, `steps` of a block, `sampling_steps`,
`bf16`, `width` (channels of the finest of three resolutions), `threads`.
"""

import sys
import types

LEARNING_RATE, MAX_NORM, EMA_DECAY = 1e-4, 1.0, 0.99


def prepare(settings: dict):
    import torch

    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    return torch.randn(64 * settings["batch_size"], 1, settings["size"], settings["size"]).clamp(-1, 1)


def autocast(settings: dict):
    import torch

    return torch.autocast("cpu", torch.bfloat16, enabled=settings["bf16"])


def parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def unet(settings: dict):
    """diffusers' network, the same one that our recipe builds."""
    from diffusers import UNet2DModel

    width = settings["width"]
    return UNet2DModel(
        sample_size=settings["size"],
        in_channels=1,
        out_channels=1,
        block_out_channels=(width, 2 * width, 4 * width),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=min(32, 4 * width),
        norm_num_groups=min(8, width),
    )


def bare_training(blocks, settings: dict) -> None:
    """Forward, backward and step of the network on a batch that is always the same; nothing else."""
    import torch

    images = prepare(settings)[: settings["batch_size"]]
    network = unet(settings).train()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    timesteps = torch.randint(1000, (len(images),))

    def step() -> None:
        with autocast(settings):
            loss = (network(images, timesteps).sample.float() - images).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    blocks.run(step, len(images), settings["steps"], parameters=parameters(network))


def diffusers_training(blocks, settings: dict) -> None:
    """A step of diffusers' example of unconditional training: loader, noise, loss, clipping, schedule, EMA."""
    import torch
    from diffusers import DDPMScheduler
    from diffusers.optimization import get_scheduler
    from diffusers.training_utils import EMAModel

    images = prepare(settings)
    network, scheduler = unet(settings).train(), DDPMScheduler()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, betas=(0.95, 0.999), weight_decay=1e-6)
    rates = get_scheduler("cosine", optimizer, num_warmup_steps=500, num_training_steps=100_000)
    average = EMAModel(network.parameters(), decay=0.9999, use_ema_warmup=True)
    loader = torch.utils.data.DataLoader(images, settings["batch_size"], shuffle=True)
    batches = _endless(loader)

    def step() -> None:
        clean = next(batches)
        noise, timesteps = torch.randn_like(clean), torch.randint(1000, (len(clean),))
        noisy = scheduler.add_noise(clean, noise, timesteps)
        with autocast(settings):
            loss = torch.nn.functional.mse_loss(network(noisy, timesteps).sample.float(), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_NORM)
        optimizer.step()
        rates.step()
        optimizer.zero_grad()
        average.step(network.parameters())
        loss.item()  # it is logged

    blocks.run(step, settings["batch_size"], settings["steps"], parameters=parameters(network))


def diffusers_sampling(blocks, settings: dict) -> None:
    """Its `DDIMPipeline`."""
    from diffusers import DDIMPipeline, DDIMScheduler

    prepare(settings)
    network = unet(settings).eval()
    pipe = DDIMPipeline(network, DDIMScheduler())
    pipe.set_progress_bar_config(disable=True)

    def sample() -> None:
        with autocast(settings):
            pipe(settings["batch_size"], num_inference_steps=settings["sampling_steps"], output_type="np")

    blocks.run(sample, settings["batch_size"], 1, parameters=parameters(network))


def _lucidrains(settings: dict):
    """Network and diffusion of denoising-diffusion-pytorch, whose files import torchvision, which nothing here uses."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.utils"):
        module = types.ModuleType(name)
        module.transforms = module.utils = module
        sys.modules.setdefault(name, module)
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    network = Unet(dim=settings["width"], dim_mults=(1, 2, 4), channels=1)
    steps = {"timesteps": 1000, "sampling_timesteps": settings["sampling_steps"]}
    return GaussianDiffusion(network, image_size=settings["size"], **steps)


def lucidrains_training(blocks, settings: dict) -> None:
    """What its `Trainer` does in a step: loader, loss, clipping, Adam, its own EMA every tenth step."""
    import torch

    images = (prepare(settings) + 1) / 2  # it takes images in [0, 1]
    diffusion = _lucidrains(settings).train()
    from ema_pytorch import EMA

    optimizer = torch.optim.Adam(diffusion.parameters(), LEARNING_RATE, betas=(0.9, 0.99))
    average = EMA(diffusion, beta=0.995, update_every=10)
    batches = _endless(torch.utils.data.DataLoader(images, settings["batch_size"], shuffle=True))

    def step() -> None:
        with autocast(settings):
            loss = diffusion(next(batches))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(diffusion.parameters(), MAX_NORM)
        optimizer.step()
        optimizer.zero_grad()
        average.update()
        loss.item()

    blocks.run(step, settings["batch_size"], settings["steps"], parameters=parameters(diffusion.model))


def lucidrains_sampling(blocks, settings: dict) -> None:
    """Its DDIM; its bar, which it has no switch for, goes to standard error."""
    prepare(settings)
    diffusion = _lucidrains(settings).eval()

    def sample() -> None:
        with autocast(settings):
            diffusion.sample(batch_size=settings["batch_size"])

    blocks.run(sample, settings["batch_size"], 1, parameters=parameters(diffusion.model))


def _monai_network(settings: dict):
    from monai.networks.nets import DiffusionModelUNet

    width = settings["width"]
    return DiffusionModelUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        channels=(width, 2 * width, 4 * width),
        attention_levels=(False, False, True),
        num_res_blocks=1,
        num_head_channels=32,
        norm_num_groups=8,
    )


def monai_training(blocks, settings: dict) -> None:
    """A step as its tutorials write it: loader, `DiffusionInferer`, loss, Adam. They keep no average of the weights."""
    import torch
    from monai.inferers import DiffusionInferer
    from monai.networks.schedulers import DDPMScheduler

    images = prepare(settings)
    network = _monai_network(settings).train()
    inferer = DiffusionInferer(DDPMScheduler(num_train_timesteps=1000))
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    batches = _endless(torch.utils.data.DataLoader(images, settings["batch_size"], shuffle=True))

    def step() -> None:
        clean = next(batches)
        noise, timesteps = torch.randn_like(clean), torch.randint(1000, (len(clean),))
        with autocast(settings):
            predicted = inferer(inputs=clean, diffusion_model=network, noise=noise, timesteps=timesteps)
            loss = torch.nn.functional.mse_loss(predicted.float(), noise)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    blocks.run(step, settings["batch_size"], settings["steps"], parameters=parameters(network))


def monai_sampling(blocks, settings: dict) -> None:
    """Its `DiffusionInferer` with its DDIM."""
    import torch
    from monai.inferers import DiffusionInferer
    from monai.networks.schedulers import DDIMScheduler

    prepare(settings)
    network, scheduler = _monai_network(settings).eval(), DDIMScheduler(num_train_timesteps=1000)
    scheduler.set_timesteps(settings["sampling_steps"])
    inferer = DiffusionInferer(scheduler)

    @torch.no_grad()
    def sample() -> None:
        noise = torch.randn(settings["batch_size"], 1, settings["size"], settings["size"])
        with autocast(settings):
            inferer.sample(input_noise=noise, diffusion_model=network, scheduler=scheduler, verbose=False)

    blocks.run(sample, settings["batch_size"], 1, parameters=parameters(network))


def _endless(loader):
    while True:
        yield from loader
