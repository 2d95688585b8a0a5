"""What is found in the slices of a file: masks, measures with the segmenter's own error, and files to take away."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
import torch
from PIL import Image

import pictures
from events import on_gpu
from hearts import Verdict, find_heart, judge_images, on_grid, side_of
from jobs import News
from uploads import Slice, Stack
from upright import NOT_UPRIGHT, wrong_view
from zoo.figures import image_grid
from zoo.published.networks import Judge

# Mean absolute difference from measures of the experts' masks: the published segmenter on the test patients of ACDC
ERRORS = {
    "wall_thickness_mm": 0.9,
    "septal_wall_mm": 0.9,
    "lateral_wall_mm": 1.2,
    "cavity_area_mm2": 100.0,
    "myocardium_area_mm2": 171.0,
    "lv_rv_ratio": 0.22,
}
NAMES = {
    "wall_thickness_mm": "wall, mean",
    "septal_wall_mm": "septum",
    "lateral_wall_mm": "lateral wall",
    "cavity_area_mm2": "left-ventricular cavity",
    "myocardium_area_mm2": "myocardium",
    "lv_rv_ratio": "left ÷ right ventricle",
}


@dataclass(frozen=True)
class Measured:
    """What was found.

    Args:
        stack (`Stack`): What was looked at.
        side (`(float, float)`): Sides of its pixels that were taken for true, in mm.
        is_known (`bool`): Whether they are; otherwise nothing is told in millimetres.
        center (`(float, float)`): Row and column around which was looked.
        images (`np.ndarray` of shape `(slices, size, size)`): uint8, as the segmenter saw them.
        verdicts (`list[Verdict]`): Of each.
        spacing_mm (`float`): Side of a pixel of `images`.
        segmenter (`str`): Its name.
        view_checked (`bool`): Whether a network has said that all of it is upright, or what it is instead.
    """

    stack: Stack
    side: tuple[float, float]
    is_known: bool
    center: tuple[float, float]
    images: np.ndarray
    verdicts: list[Verdict]
    spacing_mm: float
    segmenter: str
    view_checked: bool

    @property
    def shown_spacing(self) -> float | None:
        """What a scale bar is drawn by."""
        return self.spacing_mm if self.is_known else None

    @property
    def best(self) -> int:
        """The slice that is shown first: the middle one of those that were taken for hearts."""
        found = [i for i, verdict in enumerate(self.verdicts) if not verdict.problem]
        return found[len(found) // 2] if found else len(self.verdicts) // 2

    def at(self, number: int) -> Slice:
        """One slice on its own grid."""
        return Slice(self.stack.voxels[number], self.side)

    def values(self, number: int) -> dict[str, tuple[float, str, float | None]]:
        """Value, unit and the segmenter's error of what could be measured in a slice, by name."""
        verdict, found = self.verdicts[number], {}
        if verdict.problem:
            return found
        pixel = 1.0 if self.is_known else self.side[0]
        for key, name in NAMES.items():
            value, error = verdict.measures[key], ERRORS.get(key)
            if value != value:
                continue
            power = 2 if key.endswith("_mm2") else 1 if key.endswith("_mm") else 0
            unit = "" if not power else ("mm" if self.is_known else "px") + "²" * (power == 2)
            found[name] = value / pixel**power, unit, error and error / pixel**power
        return found


@on_gpu
def measure(stack: Stack, spacing_mm: float | None, judge: Judge, view: Judge | None) -> Iterator:
    """Looks for a heart in each slice: yields `News`, and what was `Measured` last.

    Args:
        stack (`Stack`): The slices.
        spacing_mm (`float`, *optional*): Side of a pixel, where the stack does not know it.
        judge (`Judge`): The segmenter.
        view (`Judge`, *optional*): Says whether hearts are upright; nothing is measured in those that are not.
    """
    size, spacing = judge.network.config.sample_size, judge.network.config.pixel_spacing_mm
    side, is_known = side_of(stack, spacing_mm, size * spacing)
    count = len(stack.voxels)
    yield News("Looking for the heart", 0, count)
    center, _, _ = find_heart(Slice(stack.voxels[count // 2], side), judge)
    images, verdicts = [], []
    for number in range(count):
        image = on_grid(Slice(stack.voxels[number], side), center, size, spacing)
        images.append(image.numpy())
        verdicts += judge_images(image[None], judge)
        yield News(f"Slice {number + 1} of {count}", number + 1, count, may_pause=True)
    if view is not None:
        own = view.network.config
        grid = own.sample_size, own.pixel_spacing_mm
        seen = torch.stack([on_grid(Slice(voxels, side), center, *grid) for voxels in stack.voxels])
        if problem := wrong_view(seen, torch.from_numpy(np.stack(images)), view, judge, is_known):
            verdicts = [replace(verdict, problem=problem) for verdict in verdicts]
    yield Measured(stack, side, is_known, center, np.stack(images), verdicts, spacing, judge.name, view is not None)


def measured_html(found: Measured) -> str:
    """Words, all slices with their masks, and a table."""
    count, hearts = len(found.verdicts), sum(not verdict.problem for verdict in found.verdicts)
    if hearts:
        heading = "A heart in short axis" if count == 1 else f"A heart in short axis in {hearts} of {count} slices"
        words = f"{found.stack.words}. {pictures.legend()}"
    else:
        problem = found.verdicts[found.best].problem
        heading = (
            "A heart, but not upright" if problem in NOT_UPRIGHT else "This does not look like a heart in short axis"
        )
        words = (
            f"{problem[0].upper()}{problem[1:]}. Nothing is measured. Expected is a slice across the left "
            "ventricle, upright, not mirrored, the blood bright and the muscle dark, the heart within about 5 cm of "
            "the middle."
        )
    if not found.view_checked:
        words += " Which way it lies was not checked: no network that tells it is at hand."
    unknown = (
        ""
        if found.is_known
        else "<p class='warning'><strong>The scale of this picture is not known</strong>: lengths are in its pixels "
        "(px). Say above how large a pixel is to get millimetres.</p>"
    )
    figures = [_figure(found, number) for number in range(count)]
    shown = pictures.scrubber(figures, "Slice", found.best) if count > 1 else pictures.gallery(figures, "large")
    table = _table(found) if hearts else ""
    said = f"<h3>{heading}</h3><p>{words}</p>{unknown}"
    return f"<section class='answer' aria-label='Measures'>{said}{shown}{table}</section>"


def _figure(found: Measured, number: int) -> str:
    verdict, values = found.verdicts[number], found.values(number)
    told = ", ".join(f"{name} {spoken(*value)}" for name, value in list(values.items())[:1]) or verdict.problem
    caption = f"slice {number + 1} of {len(found.verdicts)}: {told}" if len(found.verdicts) > 1 else told
    mask = None if verdict.problem else verdict.mask
    return pictures.figure(found.images[number], found.shown_spacing, caption, f"Your image, {caption}", mask)


def _table(found: Measured) -> str:
    """The measures of all slices: one column a slice, or of the slice there is."""
    shown = [number for number in range(len(found.verdicts)) if not found.verdicts[number].problem]
    head = "".join(f'<th scope="col">slice {number + 1}</th>' for number in shown)
    rows = []
    for name in NAMES.values():
        values = [found.values(number).get(name) for number in shown]
        if any(values):
            cells = "".join(f"<td>{spoken(*value) if value else '–'}</td>" for value in values)
            rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    note = (
        "± the mean error of the segmenter itself, on patients it has not seen. – : not measured, for instance where "
    )
    note += "the muscle forms no closed ring."
    table = f'<table class="figures"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="Measures of each slice">{table}</div><p>{note}</p>'
    )


def spoken(value: float, unit: str, error: float | None) -> str:
    """A measure with its error and unit."""
    digits = 0 if unit.endswith("²") else 1
    spread = "" if error is None else f" ± {error:.{digits}f}"
    return f"{value:.{digits}f}{spread} {unit}".rstrip()


def write_measured(found: Measured, folder: Path) -> Path:
    """A zip of masks, a CSV and a picture.

    The mask has the geometry of the file: NIfTI where its scale is known, PNG otherwise.
    """
    file = folder / "measured.zip"
    masks = np.stack([_own_grid(found, number) for number in range(len(found.verdicts))])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if found.is_known:
            affine = np.diag([-found.side[1], -found.side[0], found.stack.thickness, 1.0])
            image = nibabel.Nifti1Image(masks.transpose(2, 1, 0), affine)
            image.header.set_xyzt_units("mm")
            nibabel.save(image, folder / "mask.nii.gz")
            archive.write(folder / "mask.nii.gz", "mask.nii.gz")
        else:
            Image.fromarray(masks[0]).save(folder / "mask.png")
            archive.write(folder / "mask.png", "mask.png")
        tinted = np.stack(
            [pictures.overlay(image, verdict.mask) for image, verdict in zip(found.images, found.verdicts, strict=True)]
        )
        image_grid(tinted, columns=int(np.ceil(len(tinted) ** 0.5)), scale=3).save(folder / "picture.png")
        archive.write(folder / "picture.png", "picture.png")
        archive.writestr("measures.csv", _csv(found))
        about = {"segmenter": found.segmenter, "labels": pictures.LABELS, "scale_known": found.is_known}
        archive.writestr("about.json", json.dumps(about | {"not_for_diagnosis": True}, indent=2))
    return file


def _own_grid(found: Measured, number: int) -> np.ndarray:
    """The mask of a slice on its own grid, uint8 `(height, width)`; empty where nothing was taken for a heart."""
    verdict, shape = found.verdicts[number], found.stack.voxels.shape[1:]
    if verdict.problem:
        return np.zeros(shape, np.uint8)
    size = len(verdict.mask)
    places = [
        np.rint((np.arange(length) - at) * side / found.spacing_mm + (size - 1) / 2).astype(int)
        for length, at, side in zip(shape, found.center, found.side, strict=True)
    ]
    inside = [(place >= 0) & (place < size) for place in places]
    row, column = (place.clip(0, size - 1) for place in places)
    return np.where(inside[0][:, None] & inside[1][None], verdict.mask[row[:, None], column[None]], 0).astype(np.uint8)


def _csv(found: Measured) -> str:
    lines = [["slice", "measure", "value", "unit", "segmenter_error", "problem"]]
    for number, verdict in enumerate(found.verdicts):
        if verdict.problem:
            lines.append([number + 1, "", "", "", "", verdict.problem])
        for name, (value, unit, error) in found.values(number).items():
            lines.append([number + 1, name, f"{value:.4g}", unit, "" if error is None else f"{error:.4g}", ""])
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def as_tensor(image: np.ndarray) -> torch.Tensor:
    """A uint8 image `(height, width)` as `(1, 1, height, width)` in [0, 1]."""
    return torch.from_numpy(image)[None, None].float() / 255
