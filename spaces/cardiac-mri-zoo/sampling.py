"""From a request to images: what comes of sampling, and how far it is on the way."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

import zoo
from asking import OPEN, SHOWN, Request, first_class, shown_source
from catalogue import Catalogue
from events import on_gpu, with_news
from jobs import News
from zoo.errors import ZooError
from zoo.figures import image_grid
from zoo.png import to_uint8

BATCH = 8  # of more images than a page shows: between two batches others may go first


@dataclass
class Result:
    """What a visitor gets.

    Args:
        request (`Request`): What was asked for.
        images (`np.ndarray` of shape `(count, height, width, channels)`): float32 in [0, 1].
        masks (`np.ndarray` of shape `(count, height, width)`, *optional*): uint8 labels, of models that draw them.
        class_names (`dict[str, list[str]]`): The classes that the model knows, by condition.
        classes (`list[dict[str, str]]`): Of each image, by condition; drawn ones too.
        spacing_mm (`float`, *optional*): Side of a pixel.
        dataset (`str`): What the model was trained on; empty if that is not known.
        settings (`dict`): Keywords of the pipeline's call, as they were.
        source (`str`): Hub id or folder of the model.
        python (`str`): Code that makes these very images.
        seconds (`float`): What sampling took.
        version (`str`): Of the library.
    """

    request: Request
    images: np.ndarray
    masks: np.ndarray | None
    class_names: dict[str, list[str]]
    classes: list[dict[str, str]]
    spacing_mm: float | None
    dataset: str
    settings: dict
    source: str
    python: str
    seconds: float
    version: str = zoo.__version__

    @property
    def pictures(self) -> np.ndarray:
        """The images in 8 bits."""
        return to_uint8(self.images)

    @property
    def captions(self) -> list[str]:
        """The classes of each image in words."""
        return [
            " · ".join(f"{name.replace('_', ' ')} left open" if label == OPEN else label for name, label in row.items())
            for row in self.classes
        ]

    @property
    def stem(self) -> str:
        """What its files are called after: no two requests have the same name."""
        request = self.request
        asked = [f"{value:g}{name.rpartition('_')[2]}" for name, value in request.quantities.items()]
        steps = [f"steps{request.steps}"] if "num_inference_steps" in self.settings else []
        guidance = self.settings.get("guidance_scale", 1)
        parts = [request.model.replace("/", "--"), *request.classes.values(), *asked]
        parts += [f"seed{request.seed}", f"n{request.count}", *steps, *([f"guidance{guidance:g}"] * (guidance != 1))]
        return "_".join(["synthetic", *parts])


@on_gpu
def sample(catalogue: Catalogue, request: Request) -> Iterator:
    """Makes what was asked for: yields `News`, and the `Result` last.

    Raises:
        ZooError: If the model does not know what is asked of it.
    """
    yield News(f"Loading {request.model}")
    pipe = catalogue.load(request.model)
    total = pipe.default_settings.get("num_inference_steps") and (
        request.steps or pipe.default_settings["num_inference_steps"]
    )
    spacing = pipe.config.get("pixel_spacing_mm")
    images, masks, start = [], [], time.perf_counter()
    size = request.count if request.count <= SHOWN else BATCH
    for first in range(0, request.count, size):
        indices = range(first, min(first + size, request.count))
        call = request.call(pipe, indices)

        def work(tell, call=call):
            steps = after_each_step(lambda step, tensors: tell((step + 1, tensors["latents"])))
            return pipe(**call, output_type="np", **(steps if works_in_steps(pipe) else {}))

        def show(news, first=first, indices=indices):
            (step, latents), count = news, len(indices)
            by_now = np.asarray(image_grid(pipe.preview(latents), columns=min(4, count)))
            words = f"Step {step} of {total}" if request.count == count else f"{first} of {request.count} images"
            return News(words, first * total + step * count, request.count * total, by_now, spacing)

        try:
            output = yield from with_news(work, show)
        except (ValueError, TypeError) as error:  # a quantity or class that the model does not take
            raise ZooError(str(error)) from error
        images.append(np.asarray(output.images, np.float32))
        if hasattr(output, "masks"):
            masks.append(np.asarray(output.masks, np.uint8))
        done = indices.stop
        if done < request.count:
            words = f"{done} of {request.count} images"
            yield News(words, done * (total or 1), request.count * (total or 1), spacing_mm=spacing, may_pause=True)
    seconds = time.perf_counter() - start
    catalogue.took(request.model, seconds, request.count)
    pictures, labels = np.concatenate(images), np.concatenate(masks) if masks else None
    yield make_result(catalogue, pipe, request, pictures, labels, seconds)


def drawn_classes(pipe, call: dict) -> list[dict[str, str]]:
    """The classes of each image of a call, by condition; the generators in it are used up.

    Raises:
        ZooError: If the model does not know one.
    """
    if not pipe.class_names:
        return [{} for _ in call["generator"]]
    given = {name: call[name] for name in pipe.class_names if name in call}
    labels = pipe.draw_labels(call.get("class_labels"), given, call["generator"]).tolist()
    known = {name: [*names, OPEN] for name, names in pipe.class_names.items()}
    return [{name: known[name][index] for name, index in zip(known, row, strict=True)} for row in labels]


def stored_result(catalogue: Catalogue, model: str, label: str, count: int) -> Result | None:
    """Samples of seed 0 of a class that lie beside the model as a picture; `None` if there are none.

    Args:
        catalogue (`Catalogue`): The models.
        model (`str`): Which of them.
        label (`str`): A class of its first condition.
        count (`int`): At most 16.
    """
    pipe = catalogue.load(model)
    classes = first_class(pipe, label)
    if not classes or hasattr(pipe, "num_labels"):  # masks cannot be read out of a picture
        return None
    request = default_request(pipe, model, classes=classes, count=count)
    images = catalogue.stored(model, pipe.class_names[next(iter(classes))].index(label), count, pipe.sample_size)
    return None if images is None else make_result(catalogue, pipe, request, images.astype(np.float32) / 255)


def make_result(catalogue: Catalogue, pipe, request: Request, images: np.ndarray, masks=None, seconds: float = 0.0):
    """The result of a request, from its images and masks."""
    call = request.call(pipe)
    settings = {name: call[name] for name in ("num_inference_steps", "guidance_scale") if name in call}
    facts = catalogue.facts.get(request.model)
    return Result(
        request,
        images,
        masks,
        pipe.class_names,
        drawn_classes(pipe, call),
        pipe.config.get("pixel_spacing_mm"),
        facts.dataset if facts else "",
        settings,
        shown_source(catalogue.source(request.model)),
        request.python(pipe, catalogue.source(request.model)),
        seconds,
    )


def default_request(pipe, model: str, **fields) -> Request:
    """A request with the model's own settings, of which those that visitors see are named."""
    defaults = pipe.default_settings
    steps, guidance = defaults.get("num_inference_steps"), defaults.get("guidance_scale")
    return Request(model=model, steps=steps, guidance=guidance, **fields)


def after_each_step(on_step: Callable) -> dict:
    """The keyword by which a pipeline's call takes a function that is given `(step, tensors)` after each step."""

    def callback(pipe, step: int, timestep, tensors: dict) -> dict:
        on_step(step, tensors)
        return tensors

    return {"callback_on_step_end": callback}


def works_in_steps(pipe_or_class) -> bool:
    """Whether a pipeline, or a class of them, goes from noise to image in steps that can be looked at."""
    return hasattr(pipe_or_class, "preview")
