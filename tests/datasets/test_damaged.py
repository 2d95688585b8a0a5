"""Files, headers and zips damaged at random: success or one line, no hang, nothing written beside the output."""

import shutil
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from damage import damage, tried
from fake_acdc import heart, picture_of, write_nifti, write_patient
from fake_dicom import write_slice
from PIL import Image

from zoo.datasets import build_acdc, build_folder, save


def nifti(folder: Path):
    for number in range(3):
        write_nifti(folder / f"p{number}" / "a.nii.gz", picture_of(heart(), seed=number))
        write_nifti(folder / f"p{number}" / "a_gt.nii.gz", heart())


def plain_nifti(folder: Path):
    for number in range(3):
        image = nibabel.Nifti2Image(picture_of(heart(), seed=number), np.diag([-1.5, -1.5, 8, 1]))
        (folder / f"p{number}").mkdir(parents=True)
        image.to_filename(folder / f"p{number}" / "a.nii")


def pairs(folder: Path):
    folder.mkdir(parents=True)
    for number in range(2):
        nibabel.Nifti1Pair(picture_of(heart(), seed=number), np.eye(4)).to_filename(folder / f"p{number}.hdr")


def dicom(folder: Path):
    for index in range(4):
        for frame in range(2):
            pixels = np.random.default_rng(10 * index + frame).integers(0, 4000, (12, 10))
            write_slice(
                folder / f"{index}-{frame}.dcm", pixels, series="1.2", position=8.0 * index, TriggerTime=40 * frame
            )


def pictures(folder: Path):
    for number in range(4):
        array = np.random.default_rng(number).integers(0, 255, (16, 16), dtype=np.uint8)
        for name, ending in (("png", "png"), ("jpg", "jpg"), ("tif", "tif")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / name / f"{number}.{ending}")


def acdc(folder: Path):
    for number in range(3):
        write_patient(folder / "training" / f"patient00{number}", seed=number)


def metaimage(folder: Path):
    itk = pytest.importorskip("SimpleITK")
    folder.mkdir(parents=True)
    for number in range(2):
        image = itk.GetImageFromArray(picture_of(heart(), seed=number).T)
        itk.WriteImage(image, str(folder / f"p{number}.{('nrrd', 'mha')[number]}"))


KINDS = {kind.__name__: kind for kind in (nifti, plain_nifti, pairs, dicom, pictures, acdc, metaimage)}


def attempt(folder: Path, kind: str, seed: int) -> str:
    """Damages one file of a source (or its zip), builds and saves it; what came of it."""
    rng = np.random.default_rng([seed, len(kind)])
    source, output = folder / "source", folder / "output"
    shutil.copytree(folder / kind, source)
    try:
        files = sorted(path for path in source.rglob("*") if path.is_file())
        if rng.random() < 0.2:
            path = folder / "source.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in files:
                    archive.write(file, file.relative_to(source))
            path.write_bytes(damage(path.read_bytes(), rng))
        else:
            path, file = source, files[int(rng.integers(len(files)))]
            file.write_bytes(damage(file.read_bytes(), rng))
        build = build_acdc if kind == "acdc" else build_folder
        skip_bad, is_saved = bool(rng.integers(2)), rng.random() < 0.1

        def work() -> None:
            built = build(path, progress=False, num_proc=1, skip_bad=skip_bad)
            assert built.dataset["train"][0]["image"].size[0] == 64
            if is_saved:
                save(built, output)

        found = tried(work, (kind, seed))
        assert {path.name for path in folder.iterdir()} <= {"source", "source.zip", "output", kind}, (kind, seed)
        return found
    finally:
        shutil.rmtree(source)
        shutil.rmtree(output, ignore_errors=True)
        (folder / "source.zip").unlink(missing_ok=True)


def attempts(folder: Path, seeds: range) -> list[str]:
    found = []
    for seed in seeds:
        kind = list(KINDS)[seed % len(KINDS)]
        if not (folder / kind / kind).exists():
            KINDS[kind](folder / kind / kind)
        found.append(attempt(folder / kind, kind, seed))
    return found


@pytest.mark.filterwarnings("ignore")
def test_damage_is_told_in_one_line(tmp_path):
    found = attempts(tmp_path, range(84))  # twelve a kind
    assert min(found.count("done"), found.count("refused")) > 10  # neither is everything refused nor nothing


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.filterwarnings("ignore")
def test_much_damage_is_told_in_one_line(tmp_path):
    attempts(tmp_path, range(200, 2200))
