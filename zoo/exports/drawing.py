"""The networks that a pipeline draws with, as functions of tensors: what a runtime without torch can run."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, UNet2DModel

from zoo.errors import ZooError
from zoo.models import ConditionalUNet2DModel, ScoreUNet2DModel
from zoo.pipelines import GANPipeline, VAEPipeline


@dataclass(frozen=True)
class Drawing:
    """One network.

    Args:
        name (`str`): Of the component.
        network (`torch.nn.Module`): Whose weights are exported.
        call (callable): From the inputs, in their order, to the output.
        inputs (callable): `(batch_size, generator)` → seeded examples of the inputs by name, the batch first.
        output (`str`): Name of the output.
    """

    name: str
    network: torch.nn.Module
    call: Callable[..., torch.Tensor]
    inputs: Callable[[int, torch.Generator], dict[str, torch.Tensor]]
    output: str


def drawings(pipe) -> list[Drawing]:
    """Every network that a pipeline draws with.

    Raises:
        ZooError: If it draws with more than passes of networks.
    """
    if isinstance(pipe, VAEPipeline):
        return [Drawing("vae", pipe.vae, pipe.vae.decode, _latents(pipe.latent_dimensions), "images")]
    if isinstance(pipe, GANPipeline):
        return [_generator(pipe)]
    found = list(_of_steps(pipe))
    if not found:
        raise ZooError(f"ONNX: holds passes of networks, a model of family {pipe.family} works by their gradients")
    return found


def _generator(pipe: GANPipeline) -> Drawing:
    network, latents = pipe.generator_model, _latents(pipe.generator_model.config.latent_dim)

    def inputs(batch_size: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return latents(batch_size, generator) | _labels(pipe.class_names, batch_size, generator)

    def call(*tensors: torch.Tensor) -> torch.Tensor:
        found = network(*tensors)
        return getattr(found, "sample", found)  # a network may return the images themselves

    return Drawing("generator_model", network, call, inputs, "images")


def _of_steps(pipe) -> Iterator[Drawing]:
    """The networks of a pipeline that works in steps."""
    steps = getattr(getattr(pipe, "scheduler", None), "config", {}).get("num_train_timesteps")
    for name, network in pipe.components.items():
        match network:
            case ConditionalUNet2DModel():
                yield _conditional(name, network, steps)
            case ScoreUNet2DModel():
                yield Drawing(name, network, lambda *x, net=network: net(*x).sample, _noise_levels(network), "expected")
            case UNet2DModel():
                inputs = _steps(network.config.in_channels, network.config.sample_size, steps)
                yield Drawing(name, network, lambda *x, net=network: net(*x).sample, inputs, "prediction")
            case AutoencoderKL():
                shape = pipe.sample_shape

                def latents(batch_size: int, generator: torch.Generator, shape=shape) -> dict[str, torch.Tensor]:
                    return {"sample": torch.randn(batch_size, *shape, generator=generator)}

                yield Drawing(name, network, pipe._decode, latents, "images")


def _conditional(name: str, network: ConditionalUNet2DModel, steps: int) -> Drawing:
    """A U-Net that is told classes, quantities or a label map."""
    config = network.config
    class_names = {name: config.class_names[name] for name in config.conditions}
    noisy = _steps(config.channels, config.sample_size, steps)
    ranges = [config.quantity_ranges[quantity] for quantity in config.quantities]

    def inputs(batch_size: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        found = noisy(batch_size, generator) | _labels(class_names, batch_size, generator)
        if ranges:
            low, high = (torch.tensor([span[end] for span in ranges]) for end in ("min", "max"))
            values = low + (high - low) * torch.rand(batch_size, len(ranges), generator=generator)
            is_open = torch.rand(values.shape, generator=generator) < 0.5
            found["quantities"] = values.masked_fill(is_open, torch.nan)
        if config.map_channels:
            size = (batch_size, config.map_channels, config.sample_size, config.sample_size)
            found["maps"] = torch.randn(size, generator=generator).sign()
        return found

    names = list(inputs(1, torch.Generator()))

    def call(*tensors: torch.Tensor) -> torch.Tensor:
        return network(**dict(zip(names, tensors, strict=True))).sample

    return Drawing(name, network, call, inputs, "prediction")


def _latents(dimensions: int):
    return lambda batch_size, generator: {"latents": torch.randn(batch_size, dimensions, generator=generator)}


def _labels(class_names: dict[str, list[str]], batch_size: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Class indices `(batch_size, num_conditions)`, "left open" among them; nothing of a network without conditions."""
    counts = [len(names) + 1 for names in class_names.values()]
    columns = [torch.randint(count, (batch_size,), generator=generator) for count in counts]
    return {"class_labels": torch.stack(columns, 1)} if columns else {}


def _steps(channels: int, size: int, steps: int):
    """Noisy samples, each with its own timestep."""

    def inputs(batch_size: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        sample = torch.randn(batch_size, channels, size, size, generator=generator)
        return {"sample": sample, "timestep": torch.randint(steps, (batch_size,), generator=generator)}

    return inputs


def _noise_levels(network: ScoreUNet2DModel):
    """Samples of much noise and little, each with its own σ from 0.02 to 50."""
    config = network.config

    def inputs(batch_size: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        sigma = torch.exp(math.log(0.02) + math.log(2500) * torch.rand(batch_size, generator=generator))
        noise = torch.randn(batch_size, config.channels, config.sample_size, config.sample_size, generator=generator)
        return {"sample": sigma.reshape(-1, 1, 1, 1) * noise, "sigma": sigma}

    return inputs
