"""Style transfer around its pipeline: feature networks, the style of a dataset, sweeps of settings, the harm."""

from zoo.style.build import average_style, build_style_transfer
from zoo.style.harm import Harm, anatomical_harm
from zoo.style.networks import NETWORKS, hand_in, pretrained_network
from zoo.style.sweep import Grid, style_sweep

__all__ = [
    "NETWORKS",
    "Grid",
    "Harm",
    "anatomical_harm",
    "average_style",
    "build_style_transfer",
    "hand_in",
    "pretrained_network",
    "style_sweep",
]
