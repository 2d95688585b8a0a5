"""Trained weights of others that a system of a study needs, and whether they can be had here."""

from zoo.errors import ZooError
from zoo.style import pretrained_network


def why_no_weights(name: str, recipe: dict) -> str | None:
    """Why the weights that a system needs are not here, `None` if they are.

    Args:
        name (`str`): `vgg19` or `resnet50`, as `weights` in `studies.yaml`.
        recipe (`dict`): Of the system; a ResNet50 names its backbone there.
    """
    try:
        if name == "vgg19":
            pretrained_network("vgg19")
        else:
            from transformers import ResNetModel

            ResNetModel.from_pretrained(recipe["backbone"], use_safetensors=True)
    except ZooError as error:
        return f"not run here: weights ({error})"
    except OSError:
        return f"not run here: weights ({recipe['backbone']} is neither a folder nor to be had from the Hub)"
    return None
