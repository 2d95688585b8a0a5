"""What is kept of a finished system: figures, log, curves and samples, without weights and without a real image.

Records can be committed, so that a study goes on in another sitting or on another machine where the last one ended.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from common.origin import copy_origin
from common.study_plan import System
from zoo.cli.shared import load_model
from zoo.errors import ZooError
from zoo.figures import image_grid, pictures
from zoo.files import atomic_folder, write_atomic
from zoo.pipelines import sample_generators
from zoo.published.metrics_file import METRICS_FILE, load_metrics

RECORD_FILE, LOG_FILE, CURVES_FILE, SAMPLES_FILE = "study.json", "training.jsonl", "curves.png", "samples.png"
SAMPLES, GAP = 8, 2


@dataclass(frozen=True)
class Record:
    """A finished system.

    Args:
        folder (`Path`): Where it lies.
        plan (`dict`): Its recipe, length and dataset, as in [`System`].
        evaluated (`dict`): Number of samples and groups that it was judged by.
    """

    folder: Path
    plan: dict
    evaluated: dict

    @property
    def metrics(self) -> dict:
        return load_metrics(self.folder)

    @property
    def log(self) -> list[dict]:
        """Rows of the training's log; none of what was not trained."""
        file = self.folder / LOG_FILE
        return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []

    def samples(self) -> np.ndarray | None:
        """Samples 0 to 7 of seed 0, `(8, height, width, 3)` uint8; `None` of a network that makes none."""
        file = self.folder / SAMPLES_FILE
        if not file.is_file():
            return None
        row = np.asarray(Image.open(file).convert("RGB"))
        width = (row.shape[1] + GAP) // SAMPLES
        return np.stack([row[:, index * width : (index + 1) * width - GAP] for index in range(SAMPLES)])


def find_record(reports: Path, key: str) -> Record | None:
    """What is kept of a system, `None` if nothing is."""
    file = reports / key / RECORD_FILE
    if not file.is_file():
        return None
    try:
        return Record(file.parent, **json.loads(file.read_text()))
    except (ValueError, TypeError) as error:
        raise ZooError(f"{file}: expected plan and evaluated of a finished system ({error})") from error


def is_done(system: System, record: Record | None, evaluated: dict) -> bool:
    """Whether a record is what is asked for, or more: at least as long, by as many samples, in as many groups.

    Raises:
        ZooError: If it is of another recipe or dataset.
    """
    if record is None:
        return False
    for key in ("recipe", "dataset"):
        if record.plan[key] != system.plan[key]:
            raise ZooError(f"{record.folder}: is of another {key}; remove it or name another --reports")
    had, asked = record.evaluated, evaluated
    as_judged = had["samples"] >= asked["samples"] and had["groups"] in (None, asked["groups"])
    return as_judged and record.plan[system.unit] >= system.length


def keep_record(system: System, reports: Path, evaluated: dict) -> Record:
    """Keeps a system that is trained and judged."""
    with atomic_folder(reports / system.key) as folder:
        if not system.sampler and not system.utility:  # the log is the one of what was trained
            copy_origin(system.folder, folder)
        shutil.copyfile(system.model / METRICS_FILE, folder / METRICS_FILE)
        if system.makes_images:
            pipe = load_model(system.model)
            pipe.set_progress_bar_config(disable=True)
            output = pipe(SAMPLES, generator=sample_generators(0, range(SAMPLES)), output_type="np")
            image_grid(pictures(output), columns=SAMPLES, gap=GAP).save(folder / SAMPLES_FILE)
        content = {"plan": system.plan, "evaluated": evaluated}
        write_atomic(folder / RECORD_FILE, json.dumps(content, indent=1) + "\n")
    return find_record(reports, system.key)
