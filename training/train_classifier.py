"""Trains a slice classifier: SkinLesNet (Azeem et al., 2023), or a ResNet-50 with linear layers of its own.

    accelerate launch training/train_classifier.py --config training/recipes/classifier-acdc-64.yaml

The protocol asks it whether samples show the class that was asked for. Every key of the recipe can be overridden
(`--epochs 3`); `--resume` goes on, `--init_from MODEL` fine-tunes.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from common.recipe import Momentum, OptimizerName, Recipe, Widths, parse_recipe, stop_at_dry_run


class ClassifierRecipe(Recipe):
    """Hyperparameters of a slice classifier. The first condition decides which weights are kept."""

    conditions: Annotated[list[str], Field(min_length=1)]
    network: Literal["SkinLesNet", "ResNet50Classifier"] = "SkinLesNet"
    block_out_channels: Widths | None = None  # of SkinLesNet
    hidden_sizes: Widths | None = None  # channels of the four stages of a ResNet, those of ResNet-50 by default
    backbone: str | None = None  # trained weights of a ResNet, a folder or Hub id
    optimizer: OptimizerName = "adamw"
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-2
    label_smoothing: Momentum = 0.0
    intensity: NonNegativeFloat = 0.0  # largest change of brightness, contrast and gamma
    noise: NonNegativeFloat = 0.0  # largest standard deviation, as a share of the range


if __name__ == "__main__":
    stop_at_dry_run(ClassifierRecipe)  # what follows takes seconds to import

import torch
import torch.nn.functional as F

import zoo.hub.datasets
import zoo.models
from common.data import ImageTensors, augment, class_names_of, pixel_spacing, split_of, to_network
from common.errors import settings_of, told_in_one_line, try_out
from common.networks import NetworkRun, vary_intensity
from common.optimizers import build_optimizer
from common.schedules import schedule_of
from zoo.errors import ZooError


def build_network(recipe: ClassifierRecipe, data: ImageTensors, class_names: dict[str, list[str]], spacing):
    """A new network, or the one of `init_from`.

    Raises:
        ZooError: If the network of `init_from` answers other questions.
    """
    network_class = getattr(zoo.models, recipe.network)
    if recipe.init_from:
        network = network_class.from_pretrained(recipe.init_from, dtype=torch.float32)
        if network.config.conditions != recipe.conditions:
            found = network.config.conditions
            raise ZooError(f"{recipe.init_from}: expected the conditions {recipe.conditions}, it has {found}")
        return network
    channels, size = data.images.shape[1:3]
    common = {
        "conditions": list(class_names),
        "class_names": class_names,
        "in_channels": channels,
        "pixel_spacing_mm": spacing,
    }
    if recipe.network == "ResNet50Classifier":
        sizes = recipe.hidden_sizes
        widths = {"hidden_sizes": sizes, "embedding_size": sizes[0] // 4} if sizes else {}
        network = network_class(network_class.config_class(**common, **widths))
        if recipe.backbone:
            network.load_backbone(recipe.backbone)
        return network
    widths = {"block_out_channels": recipe.block_out_channels} if recipe.block_out_channels else {}
    return network_class(network_class.config_class(sample_size=size, **common, **widths))


def classification_loss(
    logits: dict[str, torch.Tensor], labels: torch.Tensor, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Cross-entropy, summed over the conditions; rows that leave a condition open say nothing of it.

    Args:
        logits (`dict[str, torch.Tensor]`): By condition, `(batch_size, num_classes)`.
        labels (`torch.Tensor` of shape `(batch_size, num_conditions)`): As in `ImageTensors`.
        label_smoothing (`float`): Share of the target that is spread over all classes.
    """
    return sum(
        F.cross_entropy(
            scores.float(), labels[:, column], ignore_index=scores.shape[1], label_smoothing=label_smoothing
        )
        for column, scores in enumerate(logits.values())
    )


def main(arguments: list[str] | None = None) -> None:
    recipe, switches = parse_recipe(ClassifierRecipe, arguments)
    if switches.dry_run:
        print(recipe.to_yaml())
        return

    # Data: the patients of `train`, and those of `validation` that decide which weights are kept
    built = zoo.hub.datasets.load(recipe.dataset)
    run = NetworkRun(recipe, switches.resume, switches.from_state)
    train_split = split_of(built, "train")
    class_names = class_names_of(train_split, recipe.conditions)
    train, validation = (ImageTensors(split_of(built, name), class_names) for name in ("train", "validation"))
    first = recipe.conditions[0]
    if not (validation.labels[:, 0] < len(class_names[first])).any():
        raise ZooError(f"dataset: expected a row of split 'validation' that has the condition '{first}', which decides")
    run.describe_dataset(built)

    # Model, optimiser
    with settings_of(switches.config):
        network = build_network(recipe, train, class_names, pixel_spacing(train_split))
        try_out(network, to_network(train.images[:1]))
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = build_optimizer(recipe.optimizer, trained, recipe.learning_rate, weight_decay=recipe.weight_decay)
    loader = run.loader(train)
    network, optimizer, loader = run.prepare(network, optimizer, loader)
    scheduler = schedule_of(recipe, optimizer, loader)
    ema = run.average_of(network)
    run.start(scheduler)

    def build():
        return run.averaged(network, ema)

    @torch.no_grad()
    def evaluate() -> dict[str, float]:
        averaged = build()
        batches = [averaged(to_network(batch).to(run.device)).by_condition for batch in validation.images.split(64)]
        logits = {name: torch.cat([batch[name] for batch in batches]).cpu() for name in class_names}
        values = {"validation_loss": classification_loss(logits, validation.labels).item()}
        for column, (name, scores) in enumerate(logits.items()):
            right = scores.argmax(1) == validation.labels[:, column]
            values[f"validation_{name}_accuracy"] = right.double().mean().item()
        values["validation_error"] = 1 - values[f"validation_{recipe.conditions[0]}_accuracy"]
        return values

    for _ in run.epochs():
        for batch in run.batches(loader):
            with run.accelerator.accumulate(network):
                images = vary_intensity(augment(to_network(batch["image"]), recipe, run.draw), recipe, run.draw)
                with run.accelerator.autocast():
                    loss = classification_loss(network(images).by_condition, batch["labels"], recipe.label_smoothing)
                run.accelerator.backward(loss)
                run.update(network, optimizer)
            if run.accelerator.sync_gradients:
                scheduler.step()
                ema.step(run.accelerator.unwrap_model(network).parameters())
            run.log(loss=loss)
        run.end_epoch(build, evaluate, decide="validation_error")


if __name__ == "__main__":
    with told_in_one_line():
        main()
