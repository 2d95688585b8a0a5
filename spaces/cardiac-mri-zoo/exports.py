"""Samples as files to download: PNG, NIfTI in millimetres, and a dataset."""

import shutil
from pathlib import Path

import datasets

from sampling import OPEN, Samples, write
from zoo import png
from zoo.datasets import save
from zoo.datasets.built import assemble
from zoo.datasets.schema import SPACING
from zoo.published.metrics_file import load_metrics
from zoo.sources import source_of


def write_archives(samples: Samples, png_dir: Path, work_dir: Path) -> dict[str, Path]:
    """Zips of the samples by format.

    Args:
        samples (`Samples`): What was drawn.
        png_dir (`Path`): Where it lies as PNG.
        work_dir (`Path`): An existing folder for the zips.

    Returns:
        `png`, `dataset` and, if the model's pixel spacing is known and its images are grey, `nifti`.
    """
    folders = {"png": png_dir, "dataset": work_dir / "dataset"}
    save(as_dataset(samples), folders["dataset"])
    if samples.pipe.config.get("pixel_spacing_mm") is not None and samples.pipe.num_channels == 1:
        folders["nifti"] = work_dir / "nifti"
        write(samples.pipe, samples.request, folders["nifti"], "nifti")
    return {
        format: Path(shutil.make_archive(str(work_dir / f"{samples.request.stem}_{format}"), "zip", folder))
        for format, folder in folders.items()
    }


def as_dataset(samples: Samples):
    """The samples as a dataset of one split, which `zoo.datasets.load` and `datasets.load_dataset` read.

    A condition that was left open is -1, the datasets library's mark for "no label".
    """
    request, pipe = samples.request, samples.pipe
    spacing, known = pipe.config.get("pixel_spacing_mm"), pipe.class_names
    features = {"image": datasets.Image(), "seed": datasets.Value("int64"), "index": datasets.Value("int32")}
    features |= {name: datasets.ClassLabel(names=names) for name, names in known.items()}
    features |= {"pixel_spacing": SPACING} if spacing is not None else {}
    rows = []
    for index, (image, classes) in enumerate(zip(samples.images, samples.classes, strict=True)):
        row = {"image": png.encode(image)}
        row |= {"seed": request.seed, "index": index, "pixel_spacing": [spacing, spacing]}
        row |= {name: -1 if label == OPEN else known[name].index(label) for name, label in classes.items()}
        rows.append(row)
    trained_on = load_metrics(pipe.config.get("_name_or_path") or ".").get("training", {}).get("dataset", {})
    info = {
        "name": f"Synthetic images of {request.name}",
        "preset": f"synthetic-{pipe.sample_size}",
        "seed": request.seed,
        "duplicates": [],
        "skipped": [],
        "license": source_of(trained_on.get("name")).license,
        "citation": "",
        "preprocessing": {"model": request.name, "spacing_mm": spacing, "settings": request.settings},
    }
    return assemble({"train": rows}, datasets.Features(features), info)
