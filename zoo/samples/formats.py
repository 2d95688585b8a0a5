"""How samples are stored: a file each, or many in a Parquet file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from zoo.errors import ZooError
from zoo.figures import image_grid
from zoo.png import encode, to_uint8

MASK_SUFFIX = "_gt"  # as in ACDC
FORMATS = ("png", "npy", "nifti", "parquet")


class OneFileEach:
    """A file an image, and a mask beside it.

    Args:
        suffix (`str`): Of the files.
        write (callable): Writes one array `(height, width, channels)` to a path.
    """

    shard_size = 128  # images that a kill may cost; a multiple of customary batches

    def __init__(self, suffix: str, write: Callable[[Path, np.ndarray], None]):
        self.suffix, self.write = suffix, write

    def shard(self, folder: Path, number: int, count: int) -> "OneFileEach":
        """A writer of the shard of that number, one of `count`."""
        self.folder = folder
        return self

    def add(self, index: int, image: np.ndarray, mask: np.ndarray | None, about: dict) -> list[str]:
        """Stores a sample.

        Args:
            index (`int`): Of the sample.
            image (`np.ndarray` of shape `(height, width, channels)`): In [0, 1].
            mask (`np.ndarray` of shape `(height, width)`, *optional*): Labels.
            about (`dict`): What else is known of it, by name; it stands in the lists.

        Returns:
            `list[str]`: Names of the files that hold it, as they stand in the lists: the image's and the mask's.
        """
        files = [f"{index:05d}{self.suffix}"]
        self.write(self.folder / files[0], image)
        if mask is not None:
            files.append(f"{index:05d}{MASK_SUFFIX}{self.suffix}")
            self.write(self.folder / files[1], mask[..., None])
        return files

    def close(self) -> None:
        """Nothing is left to write."""


class ParquetFiles:
    """Rows of Parquet files that `datasets.load_dataset` reads, with image, mask, classes and pixel spacing.

    Args:
        class_names (`dict[str, list[str]]`): Of the model, by condition.
        spacing (`float`, *optional*): Side of a pixel in millimetres.
    """

    shard_size = 1024

    def __init__(self, class_names: dict[str, list[str]], spacing: float | None):
        self.class_names, self.spacing = class_names, spacing

    def shard(self, folder: Path, number: int, count: int) -> "ParquetFiles":
        """A writer of the shard of that number, one of `count`."""
        self.file = folder / "data" / f"train-{number:05d}-of-{count:05d}.parquet"
        self.rows = []
        return self

    def add(self, index: int, image: np.ndarray, mask: np.ndarray | None, about: dict) -> list[str]:
        """As of `OneFileEach`; the file is written when it is closed."""
        row = {"image": encode(to_uint8(image))}
        if mask is not None:
            row["mask"] = encode(mask)
        row |= {name: None if name in self.class_names and value == "any" else value for name, value in about.items()}
        if self.spacing is not None:
            row["pixel_spacing"] = [self.spacing] * 2
        self.rows.append(row)
        return [self.file.relative_to(self.file.parents[1]).as_posix()]

    def close(self) -> None:
        """Writes the file, whole or not at all."""
        import datasets

        from zoo.datasets.schema import SPACING

        kinds = {"image": datasets.Image(), "mask": datasets.Image()}
        kinds |= {"seed": datasets.Value("int64"), "index": datasets.Value("int64")}
        kinds |= {name: datasets.ClassLabel(names=names) for name, names in self.class_names.items()}
        kinds["pixel_spacing"] = SPACING
        features = datasets.Features({name: kinds.get(name, datasets.Value("float32")) for name in self.rows[0]})
        for row in self.rows:
            row |= {name: kinds[name].str2int(row[name]) for name in self.class_names if row[name] is not None}
        self.file.parent.mkdir(exist_ok=True)
        temporary = self.file.with_name(f".{self.file.name}")
        datasets.Dataset.from_list(self.rows, features=features).to_parquet(temporary)
        temporary.replace(self.file)


def writer_of(pipe, format: str) -> OneFileEach | ParquetFiles:
    """The writer of a format.

    Raises:
        ZooError: If there is no such format, or no pixel spacing for NIfTI, or colour, which it does not hold.
    """
    spacing = pipe.config.get("pixel_spacing_mm")
    match format:
        case "png":
            return OneFileEach(".png", lambda path, image: image_grid(image[None], columns=1).save(path))
        case "npy":
            return OneFileEach(
                ".npy", lambda path, image: np.save(path, image.squeeze(-1) if image.shape[-1] == 1 else image)
            )
        case "parquet":
            return ParquetFiles(pipe.class_names, spacing)
        case "nifti":
            if spacing is None:
                raise ZooError("format nifti: the model's pixel spacing is unknown (pixel_spacing_mm); use png or npy")
            if pipe.num_channels != 1:
                raise ZooError(f"format nifti: expected a grey model, this one has {pipe.num_channels} channels")
            return OneFileEach(".nii.gz", lambda path, image: _write_nifti(path, image, spacing))
    raise ZooError(f"format: expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, got {format!r}")


def _write_nifti(path: Path, image: np.ndarray, spacing: float) -> None:
    import nibabel

    nifti = nibabel.Nifti1Image(image.transpose(1, 0, 2), np.diag([-spacing, -spacing, 1.0, 1.0]))
    nifti.header.set_xyzt_units("mm")
    nifti.header["descrip"] = b"synthetic, not for diagnosis; slice thickness unknown"
    nibabel.save(nifti, path)
