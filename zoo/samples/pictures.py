"""Pictures of what a model makes."""

import numpy as np
from PIL import Image

from zoo.figures import image_grid, outlined, pictures
from zoo.pipelines import sample_generators

GRID_SEEDS = 16


def sample_grid(pipe, count: int = GRID_SEEDS) -> Image.Image:
    """Uncurated samples of seed 0, the first `count`, pairs with their masks; a row for each class of a model's first
    condition.
    """
    conditions = next(iter(pipe.class_names.values()), [None])
    generators = [sample_generators(0, range(count)) for _ in conditions]
    rows = [
        pictures(pipe(count, class_labels=label, generator=row, output_type="np"))
        for label, row in zip(conditions, generators, strict=True)
    ]
    return image_grid(np.concatenate(rows), columns=count if len(rows) > 1 else count // 2)


def outline_grid(pipe, columns: int = 8) -> Image.Image:
    """Samples 0-7 of seed 0 with the outlines of their masks; a row for each class of the model's first condition."""
    rows = []
    for label in next(iter(pipe.class_names.values()), [None]):
        output = pipe(columns, class_labels=label, generator=sample_generators(0, range(columns)), output_type="np")
        rows.append(outlined(output.images, output.masks))
    return image_grid(np.concatenate(rows), columns)


def code_grid(pipe, seed: int = 0, columns: int = 9) -> Image.Image:
    """What each code of an InfoGAN moves: a row a code, a column a value, all else being the same in all images.

    Args:
        pipe ([`~zoo.pipelines.GANPipeline`]): With codes.
        seed (`int`): Of the noise and of the codes that a row does not vary.
        columns (`int`): Values of a continuous code, evenly spaced from -1 to 1. The first row has all categories.

    Returns:
        `PIL.Image.Image`: 8 bit, grey or RGB.
    """
    import torch

    prior = pipe.prior
    columns = max(columns, prior.categories)
    _, category, codes = prior.draw(1, torch.Generator().manual_seed(seed))

    def image(category: int, codes: list[float]) -> np.ndarray:
        generator = torch.Generator().manual_seed(seed)
        return pipe(1, generator=generator, output_type="np", category=category, codes=codes).images[0]

    images = [image(value, codes[0].tolist()) for value in range(prior.categories)]
    images += [np.zeros_like(images[0])] * (columns - prior.categories)
    for code in range(prior.continuous_codes):
        for value in np.linspace(-1, 1, columns):
            varied = codes[0].tolist()
            varied[code] = float(value)
            images.append(image(category.item(), varied))
    return image_grid(np.stack(images), columns)


def denoising_strip(pipe, count: int = 4, columns: int = 10, seed: int = 0, **settings) -> Image.Image:
    """Images on their way out of the noise: a row a sample, evenly spread steps from left to right, the result last.

    Args:
        pipe ([`~zoo.pipelines.ZooPipeline`]): One that works in steps, with `preview` and `callback_on_step_end`.
        count (`int`): Samples 0 … count - 1 of the seed.
        columns (`int`): Moments shown; all of them where there are fewer steps.
        seed (`int`): The seed.
        settings: Keywords of the pipeline's call, such as `num_inference_steps` or `class_labels`.

    Returns:
        `PIL.Image.Image`: 8 bit, grey or RGB.
    """
    steps = []

    def keep(pipe, step, timestep, tensors: dict) -> dict:
        steps.append(tensors["latents"].clone())
        return tensors

    generators = sample_generators(seed, range(count))
    last = pipe(count, generator=generators, output_type="np", callback_on_step_end=keep, **settings).images
    shown = np.linspace(0, len(steps) - 1, min(columns, len(steps))).round().astype(int)
    frames = np.stack([*(pipe.preview(steps[step]) for step in shown[:-1]), last], axis=1)  # (count, moments, h, w, c)
    return image_grid(frames.reshape(-1, *last.shape[1:]), columns=len(shown))
