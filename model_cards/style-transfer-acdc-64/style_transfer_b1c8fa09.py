"""Style transfer by descent on the pixels (Gatys et al., 2016, doi 10.1109/CVPR.2016.265)."""

import copy
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
# What the style is told by, and whether the weights count as they are or by their ratio alone
STYLE_LOSSES = ("relative", "gram", "maps")
KERAS_EPSILON = 1e-7  # of Adam, in which absolute weights count
HALVES = (torch.float16, torch.bfloat16)


def _whole(numbers: torch.Tensor) -> torch.Tensor:
    """Numbers in float32 at least."""
    return numbers.float() if numbers.dtype in HALVES else numbers


class FeatureNetwork:
    """A chain of layers, whose outputs at some places images are compared in.

    It runs in float32 at least: sums of squares of feature maps overflow in half precision. Layers of half precision
    are copied for it.

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
        needed = list(layers)[: max(self.style_taps + self.content_taps) + 1]  # what lies behind is not
        halves = [any(weight.dtype in HALVES for weight in layer.parameters()) for layer in needed]
        self.layers = [copy.deepcopy(x).float() if half else x for x, half in zip(needed, halves, strict=True)]
        self.prepare = prepare

    def __call__(self, images: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The style maps and the content maps of images `(n, channels, height, width)` in [0, 1]."""
        output, maps = self.prepare(_whole(images)), {}
        for index, layer in enumerate(self.layers):
            output = layer(output)
            if index in self.style_taps or index in self.content_taps:
                maps[index] = output
        return [maps[index] for index in self.style_taps], [maps[index] for index in self.content_taps]

    def grams(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The style of images `(n, channels, height, width)` in [0, 1]: Gram matrices `(n, c, c)` of each style map."""
        return self.style(images, "gram")

    def style(self, images: torch.Tensor, style_loss: str) -> list[torch.Tensor]:
        """What a style loss compares of images `(n, channels, height, width)` in [0, 1]: Gram matrices, or maps."""
        maps = self(images)[0]
        return maps if style_loss == "maps" else [gram_matrix(own) for own in maps]


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


def summed_error(found: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean squared error of each layer as it is, summed over the layers: `(n,)`; the arguments as above."""
    return torch.stack([(a - b).square().flatten(1).mean(1) for a, b in zip(found, wanted, strict=True)]).sum(0)


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
    style: Sequence[torch.Tensor],
    *,
    style_weight: float,
    content_weight: float,
    learning_rate: float,
    num_iterations: int,
    optimizer: str = "adam",
    style_loss: str = "relative",
) -> Transfer:
    """Changes the pixels of images so that they keep their content and take on a style (equation 7).

    It starts from the content image and draws nothing at random. Images are changed one by one: a batch would round
    otherwise, and Adam, which divides by the size of the gradient, makes a visible difference of that.

    Adam gives every pixel a step of about the learning rate, however little it matters: the first is noise of that
    size, and smooth images show it. `"momentum"` smooths the gradient and divides it by its root mean square over the
    image, so that its parts keep their proportions, and goes along a running mean of that.

    With `"relative"` errors are relative to what is wanted, and of the weights their ratio alone counts. `"gram"` and
    `"maps"` are as in study B: mean squared errors as they are, of Gram matrices or of the style maps themselves, and
    absolute weights, whose size Adam feels by its ε. Keras's is taken, images are not shifted, and the descent is in
    double precision, so that weights from 1e-15 to 1e16 neither vanish nor overflow.

    Args:
        network (`FeatureNetwork`): What images are compared in.
        content_images (`torch.Tensor` of shape `(n, channels, height, width)`): In [0, 1].
        style (sequence of `torch.Tensor`): As [`FeatureNetwork`]'s `style` gives it for `style_loss`: of each style
            map the Gram matrices, `(n, c, c)`, or `(1, c, c)` if all images take on the same style; or the maps.
        style_weight (`float`): Of the style loss.
        content_weight (`float`): Of the content loss.
        learning_rate (`float`): On intensities in [0, 1]: what a step changes a pixel by, about.
        num_iterations (`int`): Steps.
        optimizer (`str`): `"adam"` or `"momentum"`.
        style_loss (`str`): `"relative"`, `"gram"` or `"maps"`.

    Raises:
        ValueError: If an argument is out of its range or the style is not of this network.
    """
    if style_loss not in STYLE_LOSSES:
        raise ValueError(f"style_loss: expected {', '.join(STYLE_LOSSES)}, got {style_loss!r}")
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
    # A common scale keeps the gradient of the loss in the range of float32; absolute weights get it back behind it
    scale = style_weight + content_weight if style_loss == "relative" else max(style_weight, content_weight)
    weights = style_weight / scale, content_weight / scale
    descent = {"lr": learning_rate}
    if style_loss != "relative" and optimizer == "adam":
        descent["eps"] = KERAS_EPSILON
    found = []
    for index, image in enumerate(_whole(content_images).split(1)):
        own = [_whole(target[index if len(target) > 1 else 0][None]) for target in style]
        steps = _Descent(network, image, own, style_loss, weights, scale)
        found.append(steps.run(OPTIMIZERS[optimizer], descent, num_iterations))
    images, style_losses, content_losses = zip(*found, strict=True)
    return Transfer(torch.cat(images), torch.stack(style_losses, 1), torch.stack(content_losses, 1))


class _Descent:
    """`transfer` of one image `(1, channels, height, width)`."""

    def __init__(
        self,
        network: FeatureNetwork,
        image: torch.Tensor,
        style: list[torch.Tensor],
        style_loss: str,
        weights: tuple[float, float],
        scale: float,
    ):
        self.network, self.image, self.style, self.style_loss, self.weights = network, image, style, style_loss, weights
        self.absolute = style_loss != "relative"
        self.scale = scale if self.absolute else 1.0
        self.error = summed_error if self.absolute else relative_error
        self.style_losses, self.content_losses = [], []
        with torch.no_grad():
            found = [tuple(own.shape[1:]) for own in network.style(image, style_loss)]
        shapes = [tuple(target.shape[1:]) for target in style]
        if shapes != found:
            what = "maps" if style_loss == "maps" else "matrices"
            raise ValueError(f"style: expected {what} {found}, got {shapes}: a style of another feature network")

    def loss(self, pixels: torch.Tensor, turn: int) -> torch.Tensor:
        """The weighted loss of the present pixels, shifted to a place of `SHIFTS`; keeps its parts."""
        style_maps, content_maps = self.network(pixels.to(self.image.dtype).roll(SHIFTS[turn], (2, 3)))
        own = style_maps if self.style_loss == "maps" else [gram_matrix(maps) for maps in style_maps]
        self.style_losses.append(self.error(own, self.style))
        self.content_losses.append(self.error(content_maps, self.contents[turn]))
        return (self.weights[0] * self.style_losses[-1] + self.weights[1] * self.content_losses[-1]).sum()

    def run(self, optimizer, settings: dict, num_iterations: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The image after some steps, and the losses, `(num_iterations + 1,)`."""
        shifts = SHIFTS[: 1 if self.absolute else num_iterations]
        with torch.no_grad():
            self.contents = [self.network(self.image.roll(shift, (2, 3)))[1] for shift in shifts]
        pixels = self.image.to(torch.float64) if self.absolute else self.image.clone()
        pixels.requires_grad_(True)
        descent = optimizer([pixels], **settings)
        for iteration in range(num_iterations):
            with torch.enable_grad():
                (gradient,) = torch.autograd.grad(self.loss(pixels, iteration % len(shifts)), pixels)
            pixels.grad = gradient * self.scale
            descent.step()
            with torch.no_grad():
                pixels.clamp_(0, 1)
        with torch.no_grad():
            self.loss(pixels, 0)
        losses = (torch.cat(parts).detach() for parts in (self.style_losses, self.content_losses))
        return pixels.detach().to(self.image.dtype), *losses
