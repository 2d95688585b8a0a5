"""A style-transfer pipeline from a convolutional VAE and the images that have the style."""

import torch

from zoo.models import StyleStatistics
from zoo.pipelines import StyleTransferPipeline
from zoo.pipelines.pipeline_style_transfer import EFFICIENTNET
from zoo.pipelines.style_transfer import FeatureNetwork
from zoo.progress import track
from zoo.style.networks import efficientnet_lite0_stages, hand_in


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


def build_style_transfer(vae, images: torch.Tensor, progress: bool = False, **settings) -> StyleTransferPipeline:
    """Makes the pipeline whose style is the mean over the images.

    Args:
        vae ([`ConvolutionalVAE`]): Makes the content images.
        images (`torch.Tensor` of shape `(n, channels, height, width)`): 8 bit, of the size of its images.
        progress (`bool`): Whether to show a bar.
        settings: Further arguments of [`StyleTransferPipeline`].

    Raises:
        ValueError: If the feature network is unknown or its weights are absent.
    """
    layers = None
    if settings.get("feature_network") == EFFICIENTNET:  # small enough to come with the model
        layers = efficientnet_lite0_stages().to(vae.device)
    probe = hand_in(StyleTransferPipeline(vae.eval(), StyleStatistics(), layers, **settings))
    style = average_style(probe.build_feature_network(), images.to(vae.device), progress=progress)
    return hand_in(StyleTransferPipeline(vae, style.to(vae.device), layers, **settings))
