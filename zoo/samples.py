"""Samples of a published model as files, and pictures of them."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.errors import ZooError
from zoo.figures import image_grid, outlined, pictures
from zoo.files import atomic_folder
from zoo.pipelines import sample_generators
from zoo.progress import track

LIST_FILE = "samples.csv"
PAIRS_FILE = "metadata.csv"  # the name that `datasets` looks for
MASK_SUFFIX = "_gt"  # as in ACDC
GRID_SEEDS = 16


def write_samples(
    pipe,
    output_dir: str | os.PathLike,
    count: int,
    *,
    classes: dict[str, str] | None = None,
    seed: int = 0,
    batch_size: int = 16,
    format: str = "png",
    with_masks: bool = False,
    quantities: dict[str, float] | None = None,
    progress: bool = True,
    **settings,
) -> Path:
    """Generates images into a new folder, with `samples.csv` that lists file, seed, index and classes of each.

    Sample *i* depends on the seed and on *i* alone: neither the count nor the batch size changes it.

    Args:
        pipe: A pipeline of `zoo.pipelines`.
        output_dir: The folder, which is whole or absent.
        count (`int`): How many images.
        classes (`dict[str, str]`, *optional*): Class name by condition, for instance `{"pathology": "HCM"}`; a
            condition that is not named is drawn with the training frequencies, `"any"` leaves it open.
        seed (`int`): The seed.
        batch_size (`int`): Images at a time.
        format (`str`): `"png"`, 8 bit; `"npy"`, float32 `(height, width)` or `(height, width, 3)` in [0, 1]; or
            `"nifti"`, float32 `(column, row, 1)` in [0, 1], the order of ACDC's own files, with an affine in
            millimetres by which columns run to the patient's left and rows to the back, as in those files. The
            thickness of a synthetic slice is unknown; it is stored as 1 mm.
        with_masks (`bool`): Writes the mask of each image beside it, under its name with `_gt`: labels from 0 on in
            uint8, of the same shape, NIfTI with the same affine. `metadata.csv` then names both files of each pair, so
            that `datasets.load_dataset("imagefolder", data_dir=…)` reads PNG as columns `image` and `mask`, and
            `"niftifolder"` NIfTI as `nifti` and `mask`.
        quantities (`dict[str, float]`, *optional*): What is asked for in millimetres, by name with the unit, such as
            `{"wall_thickness_mm": 18}`; of models that take them. Each is a column of the lists.
        progress (`bool`): Shows a bar on stderr.
        settings: Keywords of the pipeline's call, such as `num_inference_steps`.

    Raises:
        ZooError: If a condition, class or setting does not suit the model, or it has no masks, or no pixel spacing for
            NIfTI.
    """
    if count < 1 or batch_size < 1:
        raise ZooError(f"count and batch size: expected at least 1, got {count} and {batch_size}")
    if with_masks and not hasattr(pipe, "num_labels"):
        raise ZooError(f"masks: expected a model of images with masks, got one of family {pipe.family}")
    quantities, known = quantities or {}, getattr(pipe, "quantities", {})
    if unknown := sorted(quantities.keys() - known.keys()):
        raise ZooError(f"{unknown[0]}: not a quantity of this model, which has {', '.join(known) or 'none'}")
    suffix, write = _writer(pipe, format)
    call = class_arguments(pipe, classes or {})
    batches = [range(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
    pipe.set_progress_bar_config(disable=len(batches) > 1 or not progress)  # of one batch it shows the steps
    rows = []
    with atomic_folder(output_dir) as folder:
        for indices in track(batches, "sampling", disable=len(batches) == 1 or not progress):
            drawn = _class_names(pipe, call, sample_generators(seed, indices))
            generators = sample_generators(seed, indices)
            try:
                output = pipe(len(indices), generator=generators, output_type="np", **call, **quantities, **settings)
            except (ValueError, TypeError) as error:  # an argument that this model does not take
                raise ZooError(str(error)) from error
            for number, (index, names) in enumerate(zip(indices, drawn, strict=True)):
                files = [f"{index:05d}{suffix}"]
                write(folder / files[0], output.images[number])
                if with_masks:
                    files.append(f"{index:05d}{MASK_SUFFIX}{suffix}")
                    write(folder / files[1], output.masks[number, ..., None])
                rows.append([*files, seed, index, *names, *quantities.values()])
        columns = ["seed", "index", *pipe.class_names, *quantities]
        _write_table(folder / LIST_FILE, ["file", "mask", *columns] if with_masks else ["file", *columns], rows)
        if with_masks:
            _write_table(folder / PAIRS_FILE, ["file_name", "mask_file_name", *columns], rows)
    return Path(output_dir)


def _write_table(path: Path, columns: list[str], rows: list[list]) -> None:
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)


def class_arguments(pipe, classes: dict[str, str]) -> dict[str, str]:
    """The keywords by which a pipeline's call takes classes: the first condition is `class_labels`, as in diffusers.

    Args:
        pipe: A pipeline of `zoo.pipelines`.
        classes (`dict[str, str]`): Class name, or `"any"`, by condition.

    Raises:
        ZooError: If the model does not know a condition or a class.
    """
    for condition, label in classes.items():
        known = pipe.class_names.get(condition)
        if known is None:
            conditions = ", ".join(pipe.class_names) or "none, it is unconditional"
            raise ZooError(f"{condition}: not a condition of this model, which has {conditions}")
        if label not in (*known, "any"):
            raise ZooError(f"{condition}: unknown class {label!r}, expected one of {', '.join(known)} or any")
    first = next(iter(pipe.class_names), None)
    return {("class_labels" if name == first else name): label for name, label in classes.items()}


def _class_names(pipe, call: dict, generators: list) -> list[list[str]]:
    """Names of the classes that the pipeline gives each sample, the drawn ones included."""
    if not pipe.class_names:
        return [[]] * len(generators)
    conditions = {name: label for name, label in call.items() if name != "class_labels"}
    labels = pipe.draw_labels(call.get("class_labels"), conditions, generators).tolist()
    known = [[*names, "any"] for names in pipe.class_names.values()]
    return [[names[index] for names, index in zip(known, row, strict=True)] for row in labels]


def _writer(pipe, format: str) -> tuple[str, Callable[[Path, np.ndarray], None]]:
    """The suffix of a format and a function that writes one image `(height, width, channels)`."""
    match format:
        case "png":
            return ".png", lambda path, image: image_grid(image[None], columns=1).save(path)
        case "npy":
            return ".npy", lambda path, image: np.save(path, image.squeeze(-1) if image.shape[-1] == 1 else image)
        case "nifti":
            spacing = pipe.config.get("pixel_spacing_mm")
            if spacing is None:
                raise ZooError("format nifti: the model's pixel spacing is unknown (pixel_spacing_mm); use png or npy")
            if pipe.num_channels != 1:
                raise ZooError(f"format nifti: expected a grey model, this one has {pipe.num_channels} channels")
            return ".nii.gz", lambda path, image: _write_nifti(path, image, spacing)
    raise ZooError(f"format: expected png, npy or nifti, got {format!r}")


def _write_nifti(path: Path, image: np.ndarray, spacing: float) -> None:
    import nibabel

    nifti = nibabel.Nifti1Image(image.transpose(1, 0, 2), np.diag([-spacing, -spacing, 1.0, 1.0]))
    nifti.header.set_xyzt_units("mm")
    nifti.header["descrip"] = b"synthetic, not for diagnosis; slice thickness unknown"
    nibabel.save(nifti, path)


def sample_grid(pipe) -> Image.Image:
    """Uncurated samples 0-15 of seed 0, pairs with their masks; a row for each class of a model's first condition."""
    conditions = next(iter(pipe.class_names.values()), [None])
    generators = [sample_generators(0, range(GRID_SEEDS)) for _ in conditions]
    rows = [
        pictures(pipe(GRID_SEEDS, class_labels=label, generator=row, output_type="np"))
        for label, row in zip(conditions, generators, strict=True)
    ]
    return image_grid(np.concatenate(rows), columns=GRID_SEEDS if len(rows) > 1 else GRID_SEEDS // 2)


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
