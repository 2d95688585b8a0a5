"""Pictures of samples."""

import numpy as np
from PIL import Image

from zoo.png import to_uint8


def image_grid(images: np.ndarray, columns: int, gap: int = 2, scale: int = 1) -> Image.Image:
    """Lays images out in rows.

    Args:
        images (`np.ndarray` of shape `(count, height, width, channels)`): Float in [0, 1] or uint8, grey or colour.
        columns (`int`): Images a row.
        gap (`int`): Black pixels between images.
        scale (`int`): Whole-number enlargement; pixels stay square.

    Returns:
        `PIL.Image.Image`: 8 bit, grey or RGB.
    """
    if images.dtype != np.uint8:
        images = to_uint8(images)
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    canvas = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return Image.fromarray(canvas.squeeze(-1) if channels == 1 else canvas)


def pictures(output) -> np.ndarray:
    """The images of a pipeline's output, of pairs each with its mask to the right, labels 0 to 3 as shades of grey.

    Args:
        output: What a pipeline returned, of `output_type="np"`.

    Returns:
        `np.ndarray` of shape `(count, height, width, channels)`, twice as wide of pairs: float32 in [0, 1].
    """
    masks = getattr(output, "masks", None)
    if masks is None:
        return output.images
    shades = np.broadcast_to(masks[..., None] / np.float32(3), output.images.shape)
    return np.concatenate([output.images, shades], axis=2)


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
    from zoo.pipelines import sample_generators

    steps = []

    def keep(pipe, step, timestep, tensors: dict) -> dict:
        steps.append(tensors["latents"].clone())
        return tensors

    generators = sample_generators(seed, range(count))
    last = pipe(count, generator=generators, output_type="np", callback_on_step_end=keep, **settings).images
    shown = np.linspace(0, len(steps) - 1, min(columns, len(steps))).round().astype(int)
    frames = np.stack([*(pipe.preview(steps[step]) for step in shown[:-1]), last], axis=1)  # (count, moments, h, w, c)
    return image_grid(frames.reshape(-1, *last.shape[1:]), columns=len(shown))
