"""Samples as files."""

import csv

import nibabel
import numpy as np
import pytest
from PIL import Image

from zoo.errors import ZooError
from zoo.hub.samples import sample_grid, write_samples
from zoo.pipelines import sample_generators


def rows_of(folder) -> list[dict]:
    with open(folder / "samples.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_neither_batch_size_nor_count_changes_a_sample(any_pipeline, tmp_path, batch_size):
    expected = any_pipeline(5, generator=sample_generators(3, range(5)), output_type="np").images[..., 0]
    write_samples(any_pipeline, tmp_path / "out", 4, seed=3, batch_size=batch_size, format="npy", progress=False)
    files = sorted((tmp_path / "out").glob("*.npy"))
    assert [file.name for file in files] == [f"{i:05d}.npy" for i in range(4)]
    found = np.stack([np.load(file) for file in files])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected[:4], atol=1e-5)


def test_png_is_the_image_in_8_bits(dcgan, tmp_path):
    write_samples(dcgan, tmp_path / "out", 2, progress=False)
    expected = dcgan(2, generator=sample_generators(0, range(2)), output_type="np").images
    picture = Image.open(tmp_path / "out" / "00001.png")
    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), (expected[1, ..., 0] * 255).round().astype(np.uint8))


def test_nifti_is_in_millimetres_and_in_acdcs_order(dcgan, tmp_path):
    write_samples(dcgan, tmp_path / "out", 1, format="nifti", progress=False)
    expected = dcgan(1, generator=sample_generators(0, range(1)), output_type="np").images[0, ..., 0]
    nifti = nibabel.load(tmp_path / "out" / "00000.nii.gz")
    np.testing.assert_allclose(nifti.get_fdata()[..., 0].T, expected, atol=1e-6)
    assert nifti.header.get_zooms() == (2.0, 2.0, 1.0)
    assert nifti.header.get_xyzt_units()[0] == "mm"
    assert nibabel.aff2axcodes(nifti.affine) == ("L", "P", "S")


def test_the_list_names_the_classes(conditional_ddpm, tmp_path):
    write_samples(conditional_ddpm, tmp_path / "out", 12, classes={"pathology": "HCM"}, seed=5, progress=False)
    rows = rows_of(tmp_path / "out")
    assert list(rows[0]) == ["file", "seed", "index", "pathology", "phase"]
    assert [row["index"] for row in rows] == [str(i) for i in range(12)]
    assert {row["pathology"] for row in rows} == {"HCM"} and {row["seed"] for row in rows} == {"5"}
    assert {row["phase"] for row in rows} == {"ED", "ES"}  # drawn
    # The listed class is the one that the image was made with
    index = [row["phase"] for row in rows].index("ES")
    again = conditional_ddpm(
        1, class_labels="HCM", phase="ES", generator=sample_generators(5, [index]), output_type="np"
    ).images
    found = np.asarray(Image.open(tmp_path / "out" / rows[index]["file"])) / 255
    np.testing.assert_allclose(found, again[0, ..., 0], atol=1 / 255)


def test_settings_reach_the_pipeline(conditional_ddpm, tmp_path):
    for steps in (1, 3):
        write_samples(
            conditional_ddpm, tmp_path / str(steps), 1, format="npy", num_inference_steps=steps, progress=False
        )
    assert not np.array_equal(*(np.load(tmp_path / str(steps) / "00000.npy") for steps in (1, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": {"pathology": "XYZ"}}, "pathology: unknown class 'XYZ', expected one of NOR, HCM or any"),
        ({"classes": {"slice_level": "mid"}}, "slice_level: not a condition of this model, which has pathology, phase"),
        ({"num_inference_steps": 5000}, "num_inference_steps: expected 1 to 1000, got 5000"),
        ({"format": "dicom"}, "format: expected png, npy or nifti, got 'dicom'"),
        ({"count": 0}, "expected at least 1"),
    ],
)
def test_refusals_leave_no_folder(conditional_ddpm, tmp_path, options, message):
    with pytest.raises(ZooError, match=message):
        write_samples(conditional_ddpm, tmp_path / "out", **{"count": 2, "progress": False, **options})
    assert list(tmp_path.iterdir()) == []


def test_unconditional_model_takes_no_classes_and_no_steps(dcgan, tmp_path):
    with pytest.raises(ZooError, match="class: not a condition of this model, which has none"):
        write_samples(dcgan, tmp_path / "out", 1, classes={"class": "HCM"})
    with pytest.raises(ZooError, match="num_inference_steps"):
        write_samples(dcgan, tmp_path / "out", 1, num_inference_steps=3)


def test_nifti_needs_a_spacing(dcgan, tmp_path):
    dcgan.register_to_config(pixel_spacing_mm=None)
    with pytest.raises(ZooError, match="pixel spacing is unknown"):
        write_samples(dcgan, tmp_path / "out", 1, format="nifti")


def test_grid(dcgan, conditional_ddpm):
    assert sample_grid(dcgan).size == (8 * 18 - 2, 2 * 18 - 2)
    assert sample_grid(conditional_ddpm).size == (16 * 10 - 2, 2 * 10 - 2)  # a row for each pathology
