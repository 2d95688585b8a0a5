"""Styles images with every combination of settings, once, for a dashboard whose sliders answer from the disk."""

import hashlib
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import datasets
import torch
from datasets import Features, Image, Value

from zoo import png
from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.pipelines.style_transfer import FeatureNetwork, transfer
from zoo.progress import track
from zoo.style.harm import anatomical_harm
from zoo.style.networks import hand_in

SETTINGS_FILE = "style_sweep.json"
FEATURES = Features(
    {
        "feature_network": Value("string"),
        "style_weight": Value("float64"),
        "content_weight": Value("float64"),
        "learning_rate": Value("float64"),
        "num_iterations": Value("int32"),
        "content_index": Value("int32"),
        "style_index": Value("int32"),  # null where the style is averaged over the training images
        "content_image": Image(),
        "style_image": Image(),  # null unless its storing was asked for
        "image": Image(),
        "style_loss_before": Value("float64"),
        "style_loss": Value("float64"),
        "content_loss": Value("float64"),
        "dice": Value("float64"),  # of the masks before and after; null without a segmenter
        "wall_thickness_change_mm": Value("float64"),  # null without a closed ring before and after
        "seconds": Value("float64"),
    }
)


@dataclass(frozen=True)
class Grid:
    """The settings to combine, every one with every other.

    Args:
        feature_networks (`list[str]`): As in [`StyleTransferPipeline`].
        style_weights (`list[float]`): Of the style loss.
        content_weights (`list[float]`): Of the content loss.
        learning_rates (`list[float]`): Of the pipeline's own optimizer.
        num_iterations (`int`): Steps.
    """

    feature_networks: Sequence[str] = ("cvae-encoder",)
    style_weights: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 100.0)
    content_weights: Sequence[float] = (1.0,)
    learning_rates: Sequence[float] = (0.05, 0.01, 0.005, 0.001)
    num_iterations: int = 100

    def __post_init__(self):
        for name, values in asdict(self).items():
            if isinstance(values, list | tuple) and len(set(values)) != len(values) or values in ((), []):
                raise ZooError(f"sweep: {name}: expected at least one value and none twice, got {list(values)}")

    @property
    def combinations(self) -> list[tuple[float, float, float]]:
        """Style weight, content weight and learning rate of each combination."""
        return list(itertools.product(self.style_weights, self.content_weights, self.learning_rates))


@torch.no_grad()
def style_sweep(
    pipe,
    content_images: torch.Tensor,
    output_dir: str | os.PathLike,
    grid: Grid,
    *,
    style_images: torch.Tensor | None = None,
    store_style_images: bool = False,
    segment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    source: dict | None = None,
    progress: bool = True,
) -> Path:
    """Styles each content image with every combination of the grid, into a dataset in Parquet.

    `datasets.load_dataset(output_dir)` reads it. There is a file for each feature network and content image, which is
    whole or absent: a sweep that was interrupted goes on when it is started again. Combinations whose weights have the
    same ratio are computed once, since the ratio alone counts.

    Args:
        pipe ([`StyleTransferPipeline`]): The model.
        content_images (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        output_dir: The folder of the dataset.
        grid (`Grid`): The settings.
        style_images (`torch.Tensor` of shape `(num_styles, channels, height, width)`, *optional*): In [0, 1]; each
            content image takes the one nearest in the latent space. Without them the style is the pipeline's own, which
            is known for its own feature network alone.
        store_style_images (`bool`): Whether the dataset holds the style images, which may be patients'.
        segment (callable, *optional*): Measures what styling does to the heart, as in `anatomical_harm`.
        source (`dict`, *optional*): JSON-able words on where the images come from, kept in `style_sweep.json`.
        progress (`bool`): Whether to show a bar.

    Raises:
        ZooError: If the folder holds another sweep, or a setting does not suit the model.
    """
    own = pipe.config.feature_network
    if style_images is None and (strange := [name for name in grid.feature_networks if name != own]):
        raise ZooError(f"feature network {strange[0]}: the model knows a style of {own} alone, give style images")
    spacing = pipe.config.pixel_spacing_mm
    if segment is not None and spacing is None:
        raise ZooError("segmenter: the model's pixel spacing is unknown (pixel_spacing_mm), so no wall can be measured")
    folder = Path(output_dir)
    try:
        networks = {name: hand_in(pipe).build_feature_network(name) for name in grid.feature_networks}
        content_images = pipe.checked(content_images, "content_images")
        nearest = None if style_images is None else pipe.nearest_styles(content_images, style_images).tolist()
    except ValueError as error:
        raise ZooError(str(error)) from error
    settings = {"grid": asdict(grid), "source": source or {}, "stores_style_images": store_style_images}
    settings |= {"has_segmenter": segment is not None, "content_sha256": _sha256(content_images)}
    settings |= {"style_sha256": None if style_images is None else _sha256(style_images)}
    settings |= {"model_sha256": _sha256(*pipe.vae.state_dict().values(), *pipe.style.state_dict().values())}
    settings |= {"optimizer": pipe.config.optimizer}
    _claim(folder, json.loads(json.dumps(settings)))

    parts = list(itertools.product(grid.feature_networks, range(len(content_images))))
    files = [folder / "data" / f"train-{i:05d}-of-{len(parts):05d}.parquet" for i in range(len(parts))]
    missing = [(file, *part) for file, part in zip(files, parts, strict=True) if not file.exists()]
    for file, name, index in track(missing, "style sweep", disable=not progress):
        content = content_images[index : index + 1]
        style = None if nearest is None else pipe.checked(style_images[nearest[index]][None], "style_images")
        grams = pipe.style() if style is None else networks[name].grams(style)
        rows = _sweep_one(networks[name], pipe.config.optimizer, content, grams, grid, segment, spacing)
        style_image = style if store_style_images else None
        same = {
            "feature_network": name,
            "num_iterations": grid.num_iterations,
            "content_index": index,
            "style_index": None if nearest is None else nearest[index],
            "content_image": png.encode(png.channels_last(content)[0]),
            "style_image": None if style_image is None else png.encode(png.channels_last(style_image)[0]),
        }
        _write_part(file, [same | row for row in rows])
    return folder


def _sweep_one(
    network: FeatureNetwork, optimizer: str, content: torch.Tensor, grams: list[torch.Tensor], grid, segment, spacing
) -> list[dict]:
    """A row for each combination, of one content image `(1, channels, height, width)`."""
    rows, done = [], {}
    for style_weight, content_weight, learning_rate in grid.combinations:
        ratio = f"{style_weight / content_weight:.6g}" if content_weight else "style alone"
        if (ratio, learning_rate) not in done:
            start = time.perf_counter()
            try:
                found = transfer(
                    network,
                    content,
                    grams,
                    style_weight=style_weight,
                    content_weight=content_weight,
                    learning_rate=learning_rate,
                    num_iterations=grid.num_iterations,
                    optimizer=optimizer,
                )
            except ValueError as error:
                raise ZooError(f"sweep: {error}") from error
            row = {
                "image": png.encode(png.channels_last(found.images)[0]),
                "style_loss_before": found.style_losses[0].item(),
                "style_loss": found.style_losses[-1].item(),
                "content_loss": found.content_losses[-1].item(),
                "seconds": time.perf_counter() - start,
                "dice": None,
                "wall_thickness_change_mm": None,
            }
            if segment is not None:
                harm = anatomical_harm(segment, content, found.images, spacing)
                row["dice"] = _number(harm.mean_dice)
                row["wall_thickness_change_mm"] = _number(harm.wall_thickness_change_mm)
            done[ratio, learning_rate] = row
        weights = {"style_weight": style_weight, "content_weight": content_weight, "learning_rate": learning_rate}
        rows.append(weights | done[ratio, learning_rate])
    return rows


def _claim(folder: Path, settings: dict) -> None:
    """Writes down what sweep a folder is for, or makes sure that it is this one."""
    path = folder / SETTINGS_FILE
    if path.is_file():
        if json.loads(path.read_text()) != settings:
            raise ZooError(f"{path}: holds a sweep of other settings, images or weights; expected a new folder")
    elif folder.exists() and any(folder.iterdir()):
        raise ZooError(f"{folder}: expected a new or empty folder, or one with an earlier part of the sweep")
    else:
        write_atomic(path, json.dumps(settings, indent=1) + "\n")


def _write_part(file: Path, rows: list[dict]) -> None:
    """Writes rows as a Parquet file that is whole or absent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        datasets.Dataset.from_list([{name: row[name] for name in FEATURES} for row in rows], FEATURES).to_parquet(
            temporary
        )
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
        if shown:
            datasets.enable_progress_bars()


def _number(value: torch.Tensor) -> float | None:
    """The only value of a tensor, `None` for NaN."""
    return None if math.isnan(value.item()) else value.item()


def _sha256(*tensors: torch.Tensor) -> str:
    """A hash of shapes and values."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)}".encode() + tensor.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
