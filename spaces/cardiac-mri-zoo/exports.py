"""Samples as files to download: PNG, NIfTI in millimetres, or a dataset, with what made them and what binds them."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np

from asking import OPEN, SHOWN
from results import ONLY, provenance
from sampling import Result
from zoo import png
from zoo.datasets import save
from zoo.datasets.built import assemble
from zoo.datasets.schema import SPACING
from zoo.errors import ZooError
from zoo.samples import write_samples
from zoo.sources import source_of

FORMATS = {"png": "PNG", "nifti": "NIfTI, in mm", "dataset": "HF dataset"}
README = """# Synthetic images, for research and teaching

{only}

{provenance}

Each file is an image that a model has made up{masks}. `samples.csv` lists file, seed, index and classes of each,
`settings.json` what was asked for. Anyone who shows or shares these images must call them synthetic.

## The same images again

```python
{python}
```

## Licence

{license}. The images come from weights trained on {dataset}, whose licence binds them.

## Citation

{citation}
"""


class Stored:
    """Stands for the pipeline and hands out the images of a result again: formats differ, images do not."""

    def __init__(self, result: Result):
        self.result, self.given = result, 0
        self.class_names, self.family = result.class_names, result.request.model
        self.num_channels = result.images.shape[-1]
        self.config = {"pixel_spacing_mm": result.spacing_mm}
        if result.masks is not None:
            self.num_labels = 4

    def set_progress_bar_config(self, **settings) -> None:
        """There is nothing to wait for."""

    def draw_labels(self, class_labels, conditions: dict, generators: list):
        """The classes of the images that come next, as indices."""
        known = {name: [*names, OPEN] for name, names in self.class_names.items()}
        rows = self.result.classes[self.given : self.given + len(generators)]
        return np.array([[known[name].index(label) for name, label in row.items()] for row in rows])

    def __call__(self, batch_size: int, **_):
        part = slice(self.given, self.given + batch_size)
        self.given += batch_size
        masks = self.result.masks
        return SimpleNamespace(images=self.result.images[part], masks=None if masks is None else masks[part])


def write_zip(result: Result, format: str, folder: Path) -> Path:
    """A zip of the images, and masks where there are any, with README.md, settings.json and samples.csv.

    Args:
        result (`Result`): What was drawn.
        format (`str`): `"png"`, `"nifti"` or `"dataset"`, Parquet that `datasets.load_dataset` reads.
        folder (`Path`): An existing folder for it.

    Raises:
        ZooError: If the format is unknown, or the images have no scale or colours that NIfTI could tell.
    """
    if format not in FORMATS:
        raise ZooError(f"format: expected one of {', '.join(FORMATS)}, got {format!r}")
    stem = f"{result.stem}_{format}"
    inside = folder / stem
    if format == "dataset":
        save(as_dataset(result), inside)
    else:
        write_samples(
            Stored(result),
            inside,
            len(result.images),
            seed=result.request.seed,
            batch_size=SHOWN,
            format=format,
            with_masks=result.masks is not None,
            progress=False,
        )
    (inside / "README.md").write_text(readme(result))
    settings = result.request.model_dump() | {"settings": result.settings, "zoo": result.version, "synthetic": True}
    (inside / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")
    file = Path(shutil.make_archive(str(folder / stem), "zip", folder, stem))
    shutil.rmtree(inside)
    return file


def readme(result: Result) -> str:
    """What a reader must know of the images: how they were made, licence and citation."""
    source = source_of(result.dataset or None)
    return README.format(
        only=ONLY,
        provenance=provenance(result),
        masks=""
        if result.masks is None
        else "; `_gt` marks its mask: 0 background, 1 right ventricle, 2 myocardium, 3 left ventricle",
        python=result.python,
        license=source.license,
        dataset=result.dataset or "data that the zoo does not know",
        citation=source.citation or "None is asked for.",
    )


def as_dataset(result: Result):
    """The samples as a dataset of one split, which `zoo.datasets.load` and `datasets.load_dataset` read.

    A condition that was left open is -1, the datasets library's mark for "no label".
    """
    request, spacing, known = result.request, result.spacing_mm, result.class_names
    features = {"image": datasets.Image(), "seed": datasets.Value("int64"), "index": datasets.Value("int32")}
    features |= {"mask": datasets.Image()} if result.masks is not None else {}
    features |= {name: datasets.ClassLabel(names=names) for name, names in known.items()}
    features |= {"pixel_spacing": SPACING} if spacing is not None else {}
    rows = []
    for index, (image, classes) in enumerate(zip(result.pictures, result.classes, strict=True)):
        row = {"image": png.encode(image), "seed": request.seed, "index": index, "pixel_spacing": [spacing, spacing]}
        row |= {} if result.masks is None else {"mask": png.encode(result.masks[index])}
        row |= {name: -1 if label == OPEN else known[name].index(label) for name, label in classes.items()}
        rows.append(row)
    source = source_of(result.dataset or None)
    info = {
        "name": f"Synthetic images of {request.model}",
        "preset": f"synthetic-{result.images.shape[1]}",
        "seed": request.seed,
        "duplicates": [],
        "skipped": [],
        "license": source.license,
        "citation": source.citation or "",
        "preprocessing": {"model": request.model, "spacing_mm": spacing, "settings": result.settings},
    }
    return assemble({"train": rows}, datasets.Features(features), info)
