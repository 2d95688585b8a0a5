"""A style-transfer pipeline from a convolutional VAE and the images that have the style."""

import torch

from zoo.models import StyleImages, StyleStatistics
from zoo.pipelines import StyleTransferPipeline
from zoo.pipelines.pipeline_style_transfer import EFFICIENTNET
from zoo.pipelines.style_transfer import FeatureNetwork
from zoo.progress import track
from zoo.style.networks import efficientnet_lite0_stages, hand_in

STYLES = ("mean", "nearest")


@torch.no_grad()
def average_style(
    network: FeatureNetwork, images: torch.Tensor, batch_size: int = 16, progress: bool = False
) -> StyleStatistics:
    """The mean Gram matrices of images.

    Args:
        network (`FeatureNetwork`): What the style is seen by.
        images (`torch.Tensor` of shape `(n, channels, height, width)`): 8 bit.
        batch_size (`int`): Images at a time.
        progress (`bool`): Whether to show a bar.
    """
    batches, sums = images.split(batch_size), None
    for batch in track(batches, "style of the training images", disable=not progress):
        found = [grams.sum(0, keepdim=True) for grams in network.grams(batch.float() / 255)]
        sums = found if sums is None else [a + b for a, b in zip(sums, found, strict=True)]
    style = StyleStatistics([grams.shape[1] for grams in sums])
    for stored, grams in zip(style.grams, sums, strict=True):
        stored.copy_(grams / len(images))
    return style.eval()


@torch.no_grad()
def keep_images(images: torch.Tensor) -> StyleImages:
    """Images `(n, channels, height, width)` of 8 bit, of which a call takes the nearest ones."""
    style = StyleImages(*images.shape[:3])
    style.images.copy_(images.float() / 255)
    return style.eval()


@torch.no_grad()
def build_style_transfer(
    vae, images: torch.Tensor, style: str = "mean", progress: bool = False, **settings
) -> StyleTransferPipeline:
    """Makes the pipeline whose style is the mean over the images, or that of the nearest one.

    Args:
        vae ([`ConvolutionalVAE`]): Makes the content images.
        images (`torch.Tensor` of shape `(n, channels, height, width)`): 8 bit, of the size of its images.
        style (`str`): `"mean"`; or `"nearest"`, for which the model holds all the images and cannot be published.
        progress (`bool`): Whether to show a bar.
        settings: Further arguments of [`StyleTransferPipeline`].

    Raises:
        ValueError: If the style or the feature network is unknown, its weights are absent, or it is one of maps and not
            of an image.
    """
    if style not in STYLES:
        raise ValueError(f"style: expected {' or '.join(STYLES)}, got {style!r}")
    if style == "mean" and settings.get("style_loss") == "maps":
        raise ValueError("style_loss: 'maps' compares with an image, style 'nearest' keeps them")
    layers = None
    if settings.get("feature_network") == EFFICIENTNET:  # small enough to come with the model
        layers = efficientnet_lite0_stages().to(vae.device)
    probe = hand_in(StyleTransferPipeline(vae.eval(), StyleStatistics(), layers, **settings))
    network = probe.build_feature_network()
    if style == "nearest":
        own = keep_images(images)
    else:
        own = average_style(network, images.to(vae.device), progress=progress)
    return hand_in(StyleTransferPipeline(vae, own.to(vae.device), layers, **settings))
