"""How much noise an edit of a wall needs: the wall that a segmenter finds, and likeness, on validation patients.

    python training/compare_editing.py outputs/runs/hearts-acdc-128/pipeline --alpha_bar 0.7 0.5 0.3 0.1

Walls of real mid slices are made thicker and thinner with their own masks; a change that a heart cannot take is left
out, for every level alike. It prints a Markdown table: the mean absolute difference between the wall of the new mask
and the one that the segmenter sees in the edited image, in mm; the Dice of the new mask and the segmenter's labels,
pooled; and KID of the edited images against all real mid slices, beside that of the images before. Recipes and
`publish.py` take what was chosen by it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import zoo
import zoo.hub.datasets
from common.errors import told_in_one_line
from zoo import anatomy
from zoo.errors import ZooError
from zoo.metrics.control import measured, pooled_dice
from zoo.metrics.extractors import EfficientNetLite0Extractor, extract
from zoo.metrics.functional import kid
from zoo.metrics.image_set import from_floats, from_split, masks_of
from zoo.metrics.judges import find_judge
from zoo.pipelines import sample_generators

MID, WALL = "mid", "wall_thickness_mm"


def hearts_to_edit(rows, changes: list[float], spacing_mm: float, count: int) -> list[tuple[int, float]]:
    """Rows of mid slices, evenly spread, and the change of each wall; those that cannot take it are left out."""
    names = rows.features["slice_level"].names
    mid = [index for index, level in enumerate(rows["slice_level"][:]) if names[level] == MID]
    chosen = [mid[place] for place in np.linspace(0, len(mid) - 1, min(count, len(mid))).round().astype(int)]
    masks, found = masks_of(rows.select(chosen)).numpy(), []
    for number, (index, mask) in enumerate(zip(chosen, masks, strict=True)):
        change = changes[number % len(changes)]
        try:
            anatomy.thickened(mask, spacing_mm, change)
        except ValueError:
            continue
        if anatomy.is_closed_ring(mask):
            found.append((index, change))
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of a pipeline of hearts")
    parser.add_argument("--dataset", type=Path, default=Path("outputs/data/acdc-128"))
    parser.add_argument("--alpha_bar", nargs="+", type=float, default=[0.7, 0.5, 0.3, 0.1])
    parser.add_argument("--changes", nargs="+", type=float, default=[4.0, 2.0, -2.0], help="of the wall, in mm")
    parser.add_argument("--hearts", type=int, default=60, help="mid slices that are tried")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    pipe = zoo.from_pretrained(options.model)
    if not hasattr(pipe, "edit"):
        raise ZooError(f"{options.model}: expected a model of hearts, got a {type(pipe).__name__}")
    pipe.set_progress_bar_config(disable=True)
    built = zoo.hub.datasets.load(options.dataset)
    segmenter = find_judge("segmenter", built)
    if segmenter is None:
        raise ZooError(f"{options.dataset}: no segmenter of it is published, expected one to measure walls")
    spacing, validation = pipe.config.pixel_spacing_mm, built.dataset["validation"]
    chosen = hearts_to_edit(validation, options.changes, spacing, options.hearts)
    if len(chosen) < 2:
        raise ZooError(f"{options.dataset}: expected at least 2 hearts whose walls can change, found {len(chosen)}")
    indices = [index for index, _ in chosen]
    everything = from_split(built, "validation").images
    real, before = masks_of(validation)[indices], everything[indices]
    mid = torch.tensor([validation.features["slice_level"].names[k] == MID for k in validation["slice_level"][:]])
    extractor = EfficientNetLite0Extractor()
    known = extract(extractor, everything[mid])

    def edited(alpha_bar: float) -> tuple[torch.Tensor, torch.Tensor]:
        images, masks = [], []
        for number, (index, change) in enumerate(chosen):
            output = pipe.edit(
                before[number : number + 1].float() / 255,
                real[number : number + 1],
                change,
                generator=sample_generators(options.seed, [index]),
                output_type="pt",
                alpha_bar=alpha_bar,
            )
            images.append(output.images)
            masks.append(output.masks.cpu())
        return from_floats(torch.cat(images), "edited images"), torch.cat(masks)

    heads = ["alpha_bar", "wall off (mm)", "without a closed ring", "Dice", "KID"]
    print(f"{len(chosen)} hearts of {options.dataset.name}, KID before {kid(extract(extractor, before), known):.4f}\n")
    for cells in (heads, ["---"] * len(heads)):
        print(f"| {' | '.join(cells)} |")
    for alpha_bar in options.alpha_bar:
        images, masks = edited(alpha_bar)
        seen = segmenter.masks(images)
        asked, found = (measured(labels, spacing)[WALL] for labels in (masks, seen))
        dice = pooled_dice(seen, masks, [str(index) for index in indices])["mask_dice"]["value"]
        off = (asked - found).abs()
        likeness = kid(extract(extractor, images), known)
        cells = (alpha_bar, off.nanmean().item(), found.isnan().double().mean().item(), dice, likeness)
        print(f"| {' | '.join(f'{cell:.3g}' for cell in cells)} |", flush=True)


if __name__ == "__main__":
    with told_in_one_line():
        main()
