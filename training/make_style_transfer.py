"""Makes a style-transfer pipeline (Gatys et al., 2016) of a published convolutional VAE and the training images' style.

    python training/make_style_transfer.py --config training/recipes/style-transfer-acdc-64.yaml
    python training/publish.py outputs/runs/style-transfer-acdc-64

Nothing is trained: Gram matrices are averaged over the images of `train`, and no image is in what is written; or, with
`style: nearest`, the images are kept, which makes a model for this machine alone. Every key of the recipe can be
overridden (`--style_weight 10`).
"""

from pathlib import Path
from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from common.recipe import Name, Settings, parse_recipe, stop_at_dry_run


class StyleRecipe(Settings):
    """What a style-transfer model is made of; the meaning of most keys is told by [`StyleTransferPipeline`]."""

    name: Name
    dataset: str  # whose `train` images have the style
    content_model: str  # a published convolutional VAE, folder or Hub id
    output_dir: str = "outputs/runs"
    feature_network: str = "cvae-encoder"
    style_weight: NonNegativeFloat = 1.0
    content_weight: NonNegativeFloat = 1.0
    learning_rate: PositiveFloat = 0.01
    num_iterations: PositiveInt = 100
    optimizer: Literal["adam", "momentum"] = "adam"
    style_loss: Literal["relative", "gram", "maps"] = "relative"
    style: Literal["mean", "nearest"] = "mean"  # over the training images, or that of the nearest one


if __name__ == "__main__":
    stop_at_dry_run(StyleRecipe)  # what follows takes seconds to import

import time

import torch

import zoo
import zoo.hub.datasets
from common.data import ImageTensors, check_fits, pixel_spacing, split_of
from common.errors import told_in_one_line
from zoo.errors import ZooError
from zoo.files import atomic_folder, write_atomic
from zoo.pipelines import VAEPipeline
from zoo.published.loading import find_folder
from zoo.published.metrics_file import load_metrics, save
from zoo.style import build_style_transfer


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(StyleRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # The VAE, and the images whose style is wanted
    source = zoo.from_pretrained(recipe.content_model)
    if not isinstance(source, VAEPipeline) or source.family != "cvae":
        raise ZooError(f"{recipe.content_model}: expected a model of family cvae, got {source.family}")
    built = zoo.hub.datasets.load(recipe.dataset)
    train_split = split_of(built, "train")
    train = ImageTensors(train_split, {})
    check_fits(source, recipe.content_model, train)

    # Their style, averaged
    start = time.perf_counter()
    settings = recipe.model_dump()
    for key in ("name", "dataset", "content_model", "output_dir"):
        del settings[key]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    spacing = pixel_spacing(train_split)
    try:
        pipe = build_style_transfer(
            source.vae.to(device), train.images, progress=True, pixel_spacing_mm=spacing, **settings
        )
        pipe(num_iterations=1)  # settings out of range fail here
    except ValueError as error:
        raise ZooError(f"{switches.config}: {error}") from error

    # The folder, which training/publish.py takes like that of a run; what the VAE has seen counts
    training = {"images_seen": 0, "seconds": 0.0} | load_metrics(find_folder(recipe.content_model)).get("training", {})
    training["recipe"] = recipe.name
    training["images_seen"] += len(train)
    training["seconds"] = round(training["seconds"] + time.perf_counter() - start, 1)
    content = {"schema_version": 1, "model": {"name": recipe.name, "family": pipe.family}, "training": training}
    target = Path(recipe.output_dir) / recipe.name
    with atomic_folder(target / "pipeline") as folder:
        pipe.to("cpu").save_pretrained(folder)
        write_atomic(folder / "recipe.yaml", recipe.to_yaml())
        save(folder / "metrics.json", content)
    print(target)


if __name__ == "__main__":
    with told_in_one_line():
        main()
