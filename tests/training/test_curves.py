import json

import numpy as np
from PIL import Image

from common.curves import draw_curves


def test_every_figure_has_a_panel_with_its_points(tmp_path):
    rows = [{"images_seen": 0, "step": 0, "hardware": "a machine", "processes": 1}]
    rows += [{"images_seen": seen, "step": seen, "seconds": 0.5, "loss": 1 / seen} for seen in (10, 20, 30)]
    sizes = []
    for more in ({}, {"validation_loss": 0.5}):
        rows[-1] |= more
        (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
        with Image.open(tmp_path / "curves.png") as picture:
            sizes.append(picture.size)
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        blue = pixels[..., 2] - pixels[..., 0] > 100  # the colour of the line and its points
        halves = [half.any() for half in np.array_split(blue, len(sizes), axis=1)]
        assert all(halves)
    assert sizes == [(400, 300), (800, 300)]
