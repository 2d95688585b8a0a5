"""Style transfer by descent on the pixels (Gatys et al., 2016, doi 10.1109/CVPR.2016.265)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn

# Layers of stride 2 see some pixels more often than others, and descent would draw their grid into the image. It is
# therefore shifted from step to step, in turn to each place that it can take on a grid of four pixels; the further
# multiples of four spread the shifts over sixteen rows and columns, for the deeper layers.
SHIFTS = [(row + 4 * column, column + 4 * row) for row in range(4) for column in range(4)]
MOMENTUM = 0.9
SMOOTHING = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16  # the binomial kernel, of a standard deviation of a pixel


class FeatureNetwork:
    """A chain of layers, whose outputs at some places images are compared in.

    Args:
        layers (sequence of `nn.Module`): Run one after the other; in eval mode.
        style_taps (sequence of `int`): Layers whose outputs, `(n, channels, height, width)`, tell the style.
        content_taps (sequence of `int`): Layers whose outputs tell the content.
        prepare (callable): Images in [0, 1] → what the first layer takes.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        style_taps: Sequence[int],
        content_taps: Sequence[int],
        prepare: Callable[[torch.Tensor], torch.Tensor],
    ):
        self.style_taps, self.content_taps = tuple(style_taps), tuple(content_taps)
        self.layers = list(layers)[: max(self.style_taps + self.content_taps) + 1]  # what lies behind is not needed
        self.prepare = prepare

    def __call__(self, images: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The style maps and the content maps of images `(n, channels, height, width)` in [0, 1]."""
        output, maps = self.prepare(images), {}
        for index, layer in enumerate(self.layers):
            output = layer(output)
            if index in self.style_taps or index in self.content_taps:
                maps[index] = output
        return [maps[index] for index in self.style_taps], [maps[index] for index in self.content_taps]

    def grams(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The style of images `(n, channels, height, width)` in [0, 1]: Gram matrices `(n, c, c)` of each style map."""
        return [gram_matrix(maps) for maps in self(images)[0]]


def encoder_network(encoder: nn.Sequential) -> FeatureNetwork:
    """The convolutions of an autoencoder's encoder as a feature network: style from all of them, content from the last.

    Args:
        encoder (`nn.Sequential`): Takes images in [-1, 1].

    Raises:
        ValueError: If it is no chain of layers with convolutions among them.
    """
    layers = list(encoder) if isinstance(encoder, nn.Sequential) else []
    taps = [index for index, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    if not taps:
        raise ValueError(
            f"encoder: expected an nn.Sequential with convolutions, got a {type(encoder).__name__} without"
        )
    return FeatureNetwork(layers, taps, taps[-1:], lambda images: images * 2 - 1)


def stages_network(stages: nn.Module) -> FeatureNetwork:
    """The first layers of EfficientNet-Lite0: style from the stem and the first three stages, content from the third.

    Args:
        stages ([`EfficientNetLiteStages`]): Of five blocks.
    """

    def prepare(images: torch.Tensor) -> torch.Tensor:
        return (255 * images.expand(-1, 3, -1, -1) - 127) / 128

    return FeatureNetwork(stages.layers, (1, 2, 4, 6), (6,), prepare)


def gram_matrix(maps: torch.Tensor) -> torch.Tensor:
    """How the channels of feature maps vary together (equation 3), in the mean over the positions.

    The paper sums over them and divides by their number in the loss; the mean lets images of any size share a style.

    Args:
        maps (`torch.Tensor` of shape `(n, channels, height, width)`): Outputs of a layer.

    Returns:
        `torch.Tensor` of shape `(n, channels, channels)`.
    """
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def relative_error(found: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean squared error of each layer ÷ the mean square of what is wanted there, averaged over the layers: `(n,)`.

    Of feature maps it is the content loss (equation 1), of Gram matrices the style loss (equations 4 and 5). The
    factors of the layers, which the paper leaves open, make every layer count alike, and a weight mean the same
    for any feature network.

    Args:
        found (sequence of `torch.Tensor` of shape `(n, …)`): A tensor a layer.
        wanted (sequence of `torch.Tensor` of shape `(n, …)`): Of the same shapes.
    """
    errors = [
        (a - b).square().flatten(1).mean(1) / b.square().flatten(1).mean(1).clamp(min=1e-12)
        for a, b in zip(found, wanted, strict=True)
    ]
    return torch.stack(errors).mean(0)


class SmoothedMomentum(torch.optim.Optimizer):
    """Descent along a running mean of the gradients, each smoothed and divided by its root mean square.

    Args:
        params (iterable of `torch.Tensor` of shape `(1, channels, height, width)`): Images.
        lr (`float`): The learning rate.
    """

    def __init__(self, params, lr: float):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for image in group["params"]:
                smooth = smoothed(image.grad)
                direction = smooth / smooth.square().mean().sqrt().clamp(min=1e-12)
                mean = self.state[image].setdefault("mean", torch.zeros_like(image))
                mean.lerp_(direction, 1 - MOMENTUM)
                image.sub_(mean, alpha=group["lr"])


def smoothed(images: torch.Tensor) -> torch.Tensor:
    """Images `(n, channels, height, width)` under the kernel `SMOOTHING` in both directions, reflected at edges."""
    kernel, reach = SMOOTHING.to(images), len(SMOOTHING) // 2
    padded = nn.functional.pad(images, 4 * (reach,), mode="reflect").flatten(0, 1)[:, None]
    rows = nn.functional.conv2d(padded, kernel[None, None, :, None])
    return nn.functional.conv2d(rows, kernel[None, None, None]).view_as(images)


OPTIMIZERS = {"adam": torch.optim.Adam, "momentum": SmoothedMomentum}


class Transfer(NamedTuple):
    """What `transfer` found.

    Attributes:
        images (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        style_losses (`torch.Tensor` of shape `(num_iterations + 1, n)`): Before each iteration and after the last.
        content_losses (`torch.Tensor` of shape `(num_iterations + 1, n)`): Likewise.
    """

    images: torch.Tensor
    style_losses: torch.Tensor
    content_losses: torch.Tensor


def transfer(
    network: FeatureNetwork,
    content_images: torch.Tensor,
    style_grams: Sequence[torch.Tensor],
    *,
    style_weight: float,
    content_weight: float,
    learning_rate: float,
    num_iterations: int,
    optimizer: str = "adam",
) -> Transfer:
    """Changes the pixels of images so that they keep their content and take on a style (equation 7).

    It starts from the content image and draws nothing at random. Images are changed one by one: a batch would round
    otherwise, and Adam, which divides by the size of the gradient, makes a visible difference of that.

    Adam gives every pixel a step of about the learning rate, however little it matters: the first is noise of that
    size, and smooth images show it. `"momentum"` smooths the gradient and divides it by its root mean square over the
    image, so that its parts keep their proportions, and goes along a running mean of that.

    Args:
        network (`FeatureNetwork`): What images are compared in.
        content_images (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        style_grams (sequence of `torch.Tensor`): Of each style map the Gram matrices, `(n, c, c)`, or `(1, c, c)` if
            all images take on the same style.
        style_weight (`float`): Of the style loss. The ratio of the two weights alone counts.
        content_weight (`float`): Of the content loss.
        learning_rate (`float`): On intensities in [0, 1]: what a step changes a pixel by, about.
        num_iterations (`int`): Steps.
        optimizer (`str`): `"adam"` or `"momentum"`.

    Raises:
        ValueError: If an argument is out of its range or the style is not of this network.
    """
    if not (min(style_weight, content_weight) >= 0 and 0 < style_weight + content_weight < float("inf")):
        raise ValueError(
            "style_weight, content_weight: expected finite numbers, not negative and not both 0, got "
            f"{style_weight} and {content_weight}"
        )
    if not 0 < learning_rate < float("inf"):
        raise ValueError(f"learning_rate: expected a positive number, got {learning_rate}")
    if num_iterations < 1:
        raise ValueError(f"num_iterations: expected at least 1, got {num_iterations}")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer: expected {' or '.join(OPTIMIZERS)}, got {optimizer!r}")
    # Adam adds an ε to the size of the gradient; without a common scale it would swallow weights like 1e-15
    total = style_weight + content_weight
    weights = style_weight / total, content_weight / total
    found = []
    for index, image in enumerate(content_images.split(1)):
        own_grams = [grams[index if len(grams) > 1 else 0][None] for grams in style_grams]
        found.append(_transfer_one(network, image, own_grams, weights, learning_rate, num_iterations, optimizer))
    images, style_losses, content_losses = zip(*found, strict=True)
    return Transfer(torch.cat(images), torch.stack(style_losses, 1), torch.stack(content_losses, 1))


def _transfer_one(
    network: FeatureNetwork,
    image: torch.Tensor,
    style_grams: list[torch.Tensor],
    weights: tuple[float, float],
    learning_rate: float,
    num_iterations: int,
    optimizer: str,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`transfer` of one image `(1, channels, height, width)`; losses `(num_iterations + 1,)`."""
    with torch.no_grad():
        style_maps, _ = network(image)
        contents = [network(image.roll(shift, (2, 3)))[1] for shift in SHIFTS[:num_iterations]]
    shapes = [tuple(gram.shape[1:]) for gram in style_grams]
    expected = [2 * (maps.shape[1],) for maps in style_maps]
    if shapes != expected:
        raise ValueError(f"style_grams: expected matrices {expected}, got {shapes}: a style of another feature network")
    pixels = image.clone().requires_grad_(True)
    descent = OPTIMIZERS[optimizer]([pixels], lr=learning_rate)
    style_losses, content_losses = [], []

    def loss(turn: int) -> torch.Tensor:
        style_maps, content_maps = network(pixels.roll(SHIFTS[turn], (2, 3)))
        style_losses.append(relative_error([gram_matrix(maps) for maps in style_maps], style_grams))
        content_losses.append(relative_error(content_maps, contents[turn]))
        return (weights[0] * style_losses[-1] + weights[1] * content_losses[-1]).sum()

    for iteration in range(num_iterations):
        with torch.enable_grad():
            (pixels.grad,) = torch.autograd.grad(loss(iteration % len(SHIFTS)), pixels)
        descent.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)
    with torch.no_grad():
        loss(0)
    return pixels.detach(), torch.cat(style_losses).detach(), torch.cat(content_losses).detach()
