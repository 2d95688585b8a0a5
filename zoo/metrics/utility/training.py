"""How the networks of group `utility` are trained: small, quick, and all alike, so that their data alone differ."""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from zoo.warp import rotation_grid


@dataclass(frozen=True)
class Schedule:
    """How long a network is trained: as many steps with synthetic images as without.

    Nothing is chosen on the way (no early stop, no best weights), so the split that measures decides nothing.

    Args:
        steps (`int`): Of the optimiser.
        batch_size (`int`): Images a step.
        learning_rate (`float`): The largest; it rises for a tenth of the steps and then falls to zero.
        seconds (`float`): A step at 64x64 on one core, for the estimate before it starts.
    """

    steps: int
    batch_size: int
    learning_rate: float
    seconds: float


def draw_weights(synthetic: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
    """How often each item is drawn, or how much it counts, when real and synthetic ones are trained on together.

    The two sources weigh the same in sum, so that a thousand samples do not drown the images of a few patients; within
    a source each class weighs the same.

    Args:
        synthetic (`torch.Tensor` of shape `(n,)`): bool, whether an item is one.
        labels (`torch.Tensor` of shape `(n,)`, *optional*): Class indices; all items are of one class by default.

    Returns:
        `torch.Tensor` of shape `(n,)`: float64, one in sum.
    """
    labels = torch.zeros(len(synthetic), dtype=torch.int64) if labels is None else labels
    kinds = int(labels.max()) + 1
    counts = torch.bincount(synthetic * kinds + labels, minlength=2 * kinds).view(2, kinds)
    present = (counts > 0).sum(1)  # classes of each source
    weights = 1 / (present[synthetic.long()] * counts[synthetic.long(), labels]).double()
    return weights / weights.sum()


def augment(images: torch.Tensor, masks: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Turns each image by up to 20°, scales it by up to 10 % and varies its contrast by up to 20 %.

    Args:
        images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [-1, 1].
        masks (`torch.Tensor` of shape `(batch_size, height, width)`, *optional*): Labels, which move alike.

    Returns:
        The changed images and masks (`None` without).
    """
    amounts = torch.rand(3, len(images)).to(images.device) * 2 - 1  # drawn on the CPU: alike on every device
    angle, scale = math.radians(20) * amounts[0], 1 + 0.1 * amounts[1]
    grid = rotation_grid(angle, scale, images.shape)
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    moved = (moved * torch.exp(0.2 * amounts[2])[:, None, None, None]).clamp(-1, 1)
    if masks is None:
        return moved, None
    layer = masks[:, None].to(images.dtype)
    layer = F.grid_sample(layer, grid, mode="nearest", padding_mode="reflection", align_corners=False)
    return moved, layer[:, 0].round().to(masks.dtype)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def fit(
    build: Callable[[], nn.Module],
    loss_of: Callable[[nn.Module, torch.Tensor], torch.Tensor],
    weights: torch.Tensor,
    schedule: Schedule,
    seed: int,
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Trains a network, on the CPU by one thread, since sums over several differ in the last digits with their number.

    The random state of the caller stays as it is.

    Args:
        build: Makes it. One seed gives the same first weights whatever it is trained on.
        loss_of: The loss of the network on the items of some indices.
        weights (`torch.Tensor` of shape `(n,)`): How often each item is drawn, as from `draw_weights`.
        schedule (`Schedule`): How long.
        seed (`int`): Of first weights, order, augmentation and dropout.
        device: Where it is trained.

    Returns:
        The network, in eval mode.
    """
    device = torch.device(device)
    with _one_thread(), torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
        torch.manual_seed(seed)
        network = build().to(device).train()
        optimizer = torch.optim.AdamW(network.parameters(), schedule.learning_rate, weight_decay=0.01)
        rates = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, schedule.learning_rate, total_steps=schedule.steps, pct_start=0.1, cycle_momentum=False
        )
        drawn = torch.multinomial(weights, schedule.steps * schedule.batch_size, replacement=True)
        for indices in drawn.split(schedule.batch_size):
            loss = loss_of(network, indices)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rates.step()
    return network.eval()
