"""What every metric asks of its input: the right shape, the right range, and something to see."""

import torch

from zoo.errors import ZooError


def check_images(images: torch.Tensor, name: str = "images") -> torch.Tensor:
    """Makes sure that `images` can be measured and returns them in float64.

    Args:
        images (`torch.Tensor` of shape `(n, channels, height, width)`): Floats in [0, 1].
        name (`str`): What the error message calls them.

    Raises:
        ZooError: If the shape or range is another, a number is NaN or infinite, or every single image is constant.
    """
    if not isinstance(images, torch.Tensor) or images.ndim != 4 or not images.is_floating_point():
        found = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, torch.Tensor) else type(images).__name__
        raise ZooError(f"{name}: expected a float tensor (n, channels, height, width), got {found}")
    if images.numel() == 0:
        raise ZooError(f"{name}: expected at least one image, got shape {tuple(images.shape)}")
    if not torch.isfinite(images).all():
        broken = (~torch.isfinite(images)).flatten(1).any(1).sum().item()
        raise ZooError(f"{name}: {broken} of {len(images)} images hold NaN or infinite values")
    low, high = torch.aminmax(images)
    if low < 0 or high > 1:
        raise ZooError(f"{name}: expected values in [0, 1], got {low:.4g} to {high:.4g}")
    flat = images.flatten(1)
    if (flat == flat[:, :1]).all():
        raise ZooError(f"{name}: every image is constant, there is nothing to measure")
    return images.double()


def check_pairs(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Makes sure that image `i` of `a` can be compared with image `i` of `b`; returns both in float64.

    Raises:
        ZooError: If either fails `check_images` or the shapes differ.
    """
    a, b = check_images(a, "first images"), check_images(b, "second images")
    if a.shape != b.shape:
        raise ZooError(f"images: expected two sets of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    return a, b


def check_features(features: torch.Tensor, name: str = "features") -> torch.Tensor:
    """Makes sure that `features` have a covariance and returns them in float64.

    Args:
        features (`torch.Tensor` of shape `(n, dimensions)`): One row an image.
        name (`str`): What the error message calls them.

    Raises:
        ZooError: If the shape is another, there are fewer than two rows, or a number is NaN or infinite.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ZooError(f"{name}: expected at least two rows of features, got shape {tuple(features.shape)}")
    if not torch.isfinite(features).all():
        raise ZooError(f"{name}: NaN or infinite values")
    return features.double()
