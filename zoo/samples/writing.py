"""Generating samples into a folder: in bounded memory, by one process or several, going on after a kill."""

import csv
import io
import os
import sys
from pathlib import Path

from tqdm.auto import tqdm

from zoo.errors import ZooError
from zoo.files import partial_folder, resumable_folder, write_atomic
from zoo.pipelines import sample_generators
from zoo.samples.asked import request_of
from zoo.samples.formats import writer_of
from zoo.samples.processes import Processes

LIST_FILE = "samples.csv"
PAIRS_FILE = "metadata.csv"  # the name that `datasets` looks for


def write_samples(
    pipe,
    output_dir: str | os.PathLike,
    count: int,
    *,
    classes: dict[str, str] | None = None,
    seed: int = 0,
    batch_size: int = 16,
    format: str = "png",
    with_masks: bool = False,
    quantities: dict[str, float] | None = None,
    progress: bool = True,
    anew: bool = False,
    **settings,
) -> Path:
    """Generates images into a new folder, with `samples.csv` that lists file, seed, index and classes of each.

    Sample *i* depends on the seed and on *i* alone: neither the count nor the batch size changes it, nor the number of
    processes that share the work. The folder is whole or absent. Meanwhile what is done lies in a folder beside it
    (`zoo.files.resumable_folder`), from which the same call goes on after a kill.

    Args:
        pipe: A pipeline of `zoo.pipelines`.
        output_dir: The folder.
        count (`int`): How many images.
        classes (`dict[str, str]`, *optional*): Class name by condition, for instance `{"pathology": "HCM"}`; a
            condition that is not named is drawn with the training frequencies, `"any"` leaves it open.
        seed (`int`): The seed.
        batch_size (`int`): Images at a time.
        format (`str`): `"png"`, 8 bit; `"npy"`, float32 `(height, width)` or `(height, width, 3)` in [0, 1];
            `"nifti"`, float32 `(column, row, 1)` in [0, 1], the order of ACDC's own files, with an affine in
            millimetres by which columns run to the patient's left and rows to the back, as in those files (the
            thickness of a synthetic slice is unknown; it is stored as 1 mm); or `"parquet"`, files of up to 1,024 rows
            that `datasets.load_dataset` reads, with the image as 8-bit PNG.
        with_masks (`bool`): Writes the mask of each image beside it, under its name with `_gt`: labels from 0 on in
            uint8, of the same shape, NIfTI with the same affine. `metadata.csv` then names both files of each pair, so
            that `datasets.load_dataset("imagefolder", data_dir=…)` reads PNG as columns `image` and `mask`, and
            `"niftifolder"` NIfTI as `nifti` and `mask`. In Parquet it is the column `mask`.
        quantities (`dict[str, float]`, *optional*): What is asked for in millimetres, by name with the unit, such as
            `{"wall_thickness_mm": 18}`; of models that take them. Each is a column of the lists.
        progress (`bool`): Shows a bar on stderr, with images/s and the time left.
        anew (`bool`): Drops what an interrupted call with other arguments left, which is refused otherwise.
        settings: Keywords of the pipeline's call, such as `num_inference_steps`.

    Raises:
        ZooError: If a condition, class or setting does not suit the model, or it has no masks, or no pixel spacing for
            NIfTI; or an interrupted call with other arguments left its part of the folder.
    """
    if count < 1 or batch_size < 1:
        raise ZooError(f"count and batch size: expected at least 1, got {count} and {batch_size}")
    if with_masks and not hasattr(pipe, "num_labels"):
        raise ZooError(f"masks: expected a model of images with masks, got one of family {pipe.family}")
    quantities, known = quantities or {}, getattr(pipe, "quantities", {})
    if unknown := sorted(quantities.keys() - known.keys()):
        raise ZooError(f"{unknown[0]}: not a quantity of this model, which has {', '.join(known) or 'none'}")
    writer = writer_of(pipe, format)
    call = class_arguments(pipe, classes or {})
    asked = {"count": count, "seed": seed, "format": format, "with_masks": with_masks}
    request = request_of(pipe, asked | {"classes": classes or {}, "quantities": quantities, "settings": settings})

    shards = [range(start, min(start + writer.shard_size, count)) for start in range(0, count, writer.shard_size)]
    processes = Processes()
    work = partial_folder(output_dir)
    with processes.in_the_first(lambda: resumable_folder(output_dir, request, anew)):
        (work / "rows").mkdir(exist_ok=True)
        left = [number for number in range(len(shards)) if not _rows_file(work, number).exists()]
        processes.wait()  # all have seen the same ones
        images_left = sum(len(shards[number]) for number in left)
        one_batch = images_left <= batch_size
        pipe.set_progress_bar_config(disable=not (one_batch and progress))  # of one batch it shows the steps
        quiet = one_batch or not progress or not processes.is_first
        bar = tqdm(
            desc="sampling",
            total=count,
            initial=count - images_left,
            unit=" images",
            mininterval=0.5 if sys.stderr.isatty() else 30,
            disable=quiet,
        )
        with bar:
            for number in left[processes.rank :: processes.count]:
                rows, shard = [], writer.shard(work / "files", number, len(shards))
                for start in range(0, len(shards[number]), batch_size):
                    indices = shards[number][start : start + batch_size]
                    names = _class_names(pipe, call, sample_generators(seed, indices))
                    output = _draw(pipe, seed, indices, call | quantities | settings)
                    for place, index in enumerate(indices):
                        drawn = dict(zip(pipe.class_names, names[place], strict=True))
                        about = {"seed": seed, "index": index} | drawn | quantities
                        mask = output.masks[place] if with_masks else None
                        files = shard.add(index, output.images[place], mask, about)
                        rows.append([*files, *about.values()])
                    bar.update(min(len(indices) * processes.count, count - bar.n))
                shard.close()
                _write_rows(_rows_file(work, number), rows)  # last: what has its rows is whole
        processes.wait()
        if processes.is_first:
            columns = ["seed", "index", *pipe.class_names, *quantities]
            paired = with_masks and format != "parquet"
            _write_list(work, LIST_FILE, ["file", "mask", *columns] if paired else ["file", *columns], len(shards))
            if paired:
                _write_list(work, PAIRS_FILE, ["file_name", "mask_file_name", *columns], len(shards))
    processes.wait()
    return Path(output_dir)


def _draw(pipe, seed: int, indices: range, arguments: dict):
    """The samples of these indices.

    Raises:
        ZooError: If the model does not take an argument.
    """
    try:
        return pipe(len(indices), generator=sample_generators(seed, indices), output_type="np", **arguments)
    except (ValueError, TypeError) as error:
        raise ZooError(str(error)) from error


def _rows_file(work: Path, shard: int) -> Path:
    return work / "rows" / f"{shard:05d}.csv"


def _write_rows(path: Path, rows: list[list]) -> None:
    with io.StringIO(newline="") as text:
        csv.writer(text).writerows(rows)
        write_atomic(path, text.getvalue())


def _write_list(work: Path, name: str, columns: list[str], shards: int) -> None:
    """The list of all samples, in the order of their indices."""
    with open(work / "files" / name, "w", newline="") as file:
        csv.writer(file).writerow(columns)
        for shard in range(shards):
            file.write(_rows_file(work, shard).read_bytes().decode())


def class_arguments(pipe, classes: dict[str, str]) -> dict[str, str]:
    """The keywords by which a pipeline's call takes classes: the first condition is `class_labels`, as in diffusers.

    Args:
        pipe: A pipeline of `zoo.pipelines`.
        classes (`dict[str, str]`): Class name, or `"any"`, by condition.

    Raises:
        ZooError: If the model does not know a condition or a class.
    """
    for condition, label in classes.items():
        known = pipe.class_names.get(condition)
        if known is None:
            conditions = ", ".join(pipe.class_names) or "none, it is unconditional"
            raise ZooError(f"{condition}: not a condition of this model, which has {conditions}")
        if label not in (*known, "any"):
            raise ZooError(f"{condition}: unknown class {label!r}, expected one of {', '.join(known)} or any")
    first = next(iter(pipe.class_names), None)
    return {("class_labels" if name == first else name): label for name, label in classes.items()}


def _class_names(pipe, call: dict, generators: list) -> list[list[str]]:
    """Names of the classes that the pipeline gives each sample, the drawn ones included."""
    if not pipe.class_names:
        return [[]] * len(generators)
    conditions = {name: label for name, label in call.items() if name != "class_labels"}
    labels = pipe.draw_labels(call.get("class_labels"), conditions, generators).tolist()
    known = [[*names, "any"] for names in pipe.class_names.values()]
    return [[names[index] for names, index in zip(known, row, strict=True)] for row in labels]
