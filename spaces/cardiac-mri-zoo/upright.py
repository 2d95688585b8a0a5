"""Does the heart lie as the segmenter knows hearts? What is turned, mirrored, too wide or something else is told so.

A network of views says it (`training/train_view.py`), and of a stack the mean over its slices does. That a picture is
turned or mirrored is told only if the segmenter finds a heart once it is put right: the network knows nothing but
hearts and their surroundings, and would find a way to turn any photograph.
"""

import torch

from hearts import judge_images
from zoo.models.view_net import TURNS, after, turned
from zoo.published.networks import Judge

WORDS = {
    "quarter_left": "it looks turned by 90° to the left",
    "half": "it looks turned by 180°",
    "quarter_right": "it looks turned by 90° to the right",
    "mirrored": "it looks mirrored: left and right are exchanged",
    "mirrored_quarter_left": "it looks mirrored and turned by 90°: rows and columns are exchanged",
    "mirrored_half": "it looks mirrored: top and bottom are exchanged",
    "mirrored_quarter_right": "it looks mirrored and turned by 90°: rows and columns are exchanged, both reversed",
    "other": "it does not look like a heart in short axis",
}
WHOLE = "it looks like more than a heart: crop it to the heart"
WHOLE_UNKNOWN = f"{WHOLE}, or say how large a pixel is"
NOT_UPRIGHT = {words for name, words in WORDS.items() if name != "other"}
UNSURE = "it does not look like an upright heart in short axis"


def wrong_view(seen: torch.Tensor, images: torch.Tensor, view: Judge, segmenter: Judge, is_known: bool) -> str:
    """What is wrong with the view that the slices of a stack show; empty if nothing is.

    Args:
        seen (`torch.Tensor` of shape `(n, height, width)`): uint8, the slices on the grid of `view`.
        images (`torch.Tensor` of shape `(n, size, size)`): uint8, the same on that of `segmenter`.
        view (`Judge`): A network of views.
        segmenter (`Judge`): Says whether there is a heart once the slices are put right.
        is_known (`bool`): Whether the side of a pixel is known.
    """
    config = view.network.config
    said = view.views(seen[:, None]).mean(0)
    if view.network.known(said[None]) >= config.threshold:
        return ""
    likeliest = next(i for i in said.argsort(descending=True).tolist() if i not in config.known)
    name = config.class_names[likeliest]
    if name == "whole":
        return WHOLE if is_known else WHOLE_UNKNOWN
    if likeliest < TURNS:
        back = next(turn for turn in range(TURNS) if after(likeliest, turn) == 0)
        righted = judge_images(turned(images, back).contiguous(), segmenter)
        if all(verdict.problem for verdict in righted):
            return UNSURE
    return WORDS.get(name, UNSURE)
