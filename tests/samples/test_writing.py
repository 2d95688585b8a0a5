"""Samples as files."""

import csv
import threading

import datasets
import nibabel
import numpy as np
import pytest
from PIL import Image

import zoo.datasets
from zoo.errors import ZooError
from zoo.pipelines import sample_generators
from zoo.samples import write_samples, writing
from zoo.samples.formats import OneFileEach, ParquetFiles
from zoo.samples.processes import Processes


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


def test_masks_lie_beside_their_images_in_every_format(hearts, tmp_path):
    expected = hearts(3, generator=sample_generators(0, range(3)), output_type="np")
    read = {
        "png": (".png", lambda path: np.asarray(Image.open(path))),
        "npy": (".npy", np.load),
        "nifti": (".nii.gz", lambda path: np.asarray(nibabel.load(path).dataobj)[..., 0].T),
    }
    for format, (suffix, load) in read.items():
        folder = tmp_path / format
        write_samples(hearts, folder, 3, format=format, with_masks=True, batch_size=2, progress=False)
        for index, row in enumerate(rows_of(folder)):
            assert (row["file"], row["mask"]) == (f"0000{index}{suffix}", f"0000{index}_gt{suffix}")
            mask = load(folder / row["mask"])
            assert mask.dtype == np.uint8 and mask.shape == load(folder / row["file"]).shape == (16, 16)
            assert (mask == expected.masks[index]).mean() > 0.98  # rounding may turn a pixel whose labels are a tie
    image, mask = (nibabel.load(tmp_path / "nifti" / f"00000{name}.nii.gz") for name in ("", "_gt"))
    np.testing.assert_array_equal(image.affine, mask.affine)
    assert mask.header.get_zooms() == (2.0, 2.0, 1.0) and mask.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize(("format", "builder", "column"), [("png", "image", "image"), ("nifti", "nifti", "nifti")])
def test_pairs_are_a_dataset(hearts, tmp_path, format, builder, column):
    folder = write_samples(hearts, tmp_path / "out", 3, format=format, with_masks=True, progress=False)
    rows = datasets.load_dataset(f"{builder}folder", data_dir=str(folder), cache_dir=str(tmp_path), split="train")
    assert {column, "mask", "pathology", "phase"} <= set(rows.column_names)
    assert rows["index"][:] == [0, 1, 2]
    assert [row["pathology"] for row in rows_of(folder)] == rows["pathology"][:]
    expected = hearts(3, generator=sample_generators(0, range(3)), output_type="np").masks
    masks = [np.asarray(mask) if format == "png" else mask.get_fdata()[..., 0].T for mask in rows["mask"][:]]
    assert (np.stack(masks) == expected).mean() > 0.98


@pytest.mark.parametrize("format", ["png", "nifti"])
def test_a_folder_of_pairs_becomes_a_dataset_with_masks(hearts, tmp_path, format):
    folder = write_samples(hearts, tmp_path / "out", 4, format=format, with_masks=True, progress=False)
    built = zoo.datasets.build_folder(folder, size=16, progress=False)
    rows = datasets.concatenate_datasets(list(built.dataset.values()))
    expected = hearts(4, generator=sample_generators(0, range(4)), output_type="np")
    order = [next(i for i in range(4) if (mask == expected.masks[i]).mean() > 0.98)
             for mask in zoo.datasets.images(rows, "mask")[..., 0]]  # fmt: skip
    assert sorted(order) == [0, 1, 2, 3]
    for picture, i in zip(zoo.datasets.images(rows)[..., 0], order, strict=True):  # a volume is windowed anew
        image = (expected.images[i, ..., 0] * 255).round()
        assert np.corrcoef(picture.flat, image.flat)[0, 1] > 0.99 if format == "nifti" else (picture == image).all()


def test_masks_need_a_model_of_pairs(conditional_ddpm, hearts, tmp_path):
    with pytest.raises(ZooError, match="masks: expected a model of images with masks, got one of family ddpm"):
        write_samples(conditional_ddpm, tmp_path / "out", 1, with_masks=True)
    assert list(tmp_path.iterdir()) == []
    write_samples(hearts, tmp_path / "plain", 1, progress=False)  # not asked for, not written
    assert sorted(path.name for path in (tmp_path / "plain").iterdir()) == ["00000.png", "samples.csv"]
    assert list(rows_of(tmp_path / "plain")[0]) == ["file", "seed", "index", "pathology", "phase"]


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
        ({"format": "dicom"}, "format: expected png, npy, nifti or parquet, got 'dicom'"),
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


def test_what_was_asked_for_in_millimetres_stands_in_the_lists(hearts, tmp_path):
    folder = write_samples(
        hearts, tmp_path / "out", 2, quantities={"wall_thickness_mm": 12.0}, with_masks=True, format="nifti"
    )
    rows = list(csv.DictReader((folder / "samples.csv").read_text().splitlines()))
    assert [row["wall_thickness_mm"] for row in rows] == ["12.0", "12.0"]
    image, mask = (nibabel.load(folder / rows[0][column]) for column in ("file", "mask"))
    np.testing.assert_array_equal(image.affine, mask.affine)
    with pytest.raises(ZooError, match="^wall_thickness_mm: expected 4 to 20, got 30.0$"):
        write_samples(hearts, tmp_path / "other", 2, quantities={"wall_thickness_mm": 30.0})
    assert not (tmp_path / "other").exists()


def test_a_model_that_takes_no_millimetres_says_so(acgan, tmp_path):
    with pytest.raises(ZooError, match="^wall_thickness_mm: not a quantity of this model, which has none$"):
        write_samples(acgan, tmp_path / "out", 2, quantities={"wall_thickness_mm": 12.0})


@pytest.fixture
def dies(dcgan, monkeypatch):
    """Lets a call of the model end like a killed one, after so many batches; and lists which images were drawn."""

    draw = type(dcgan).__call__

    def die_after(batches: int) -> list[int]:
        drawn = []

        def count(self, batch_size, **arguments):
            if len(drawn) == batches:
                raise SystemExit(137)
            drawn.append(batch_size)
            return draw(self, batch_size, **arguments)

        monkeypatch.setattr(type(dcgan), "__call__", count)
        return drawn

    monkeypatch.setattr(OneFileEach, "shard_size", 4)
    monkeypatch.setattr(ParquetFiles, "shard_size", 4)
    return die_after


def content(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("format", ["png", "parquet"])
def test_the_same_call_goes_on_after_a_kill(dcgan, dies, tmp_path, format):
    whole = write_samples(dcgan, tmp_path / "whole", 10, batch_size=2, format=format, progress=False)
    dies(4)
    with pytest.raises(SystemExit):
        write_samples(dcgan, tmp_path / "out", 10, batch_size=2, format=format, progress=False)
    assert not (tmp_path / "out").exists() and (tmp_path / ".out.partial").is_dir()
    drawn = dies(99)
    write_samples(dcgan, tmp_path / "out", 10, batch_size=3, format=format, progress=False)
    assert sum(drawn) == 2  # two shards of four were whole
    assert content(tmp_path / "out") == content(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


@pytest.mark.parametrize("other", [{"seed": 1}, {"count": 8}, {"format": "npy"}, {"temperature": 0.5}])
def test_other_arguments_do_not_go_on(dcgan, dies, tmp_path, other):
    dies(2)
    with pytest.raises(SystemExit):
        write_samples(dcgan, tmp_path / "out", 10, batch_size=4, progress=False)
    dies(99)
    arguments = {"count": 10, "progress": False, **other}
    key = "settings" if "temperature" in other else next(iter(other))
    with pytest.raises(ZooError, match=rf"\.out\.partial: an interrupted call of other arguments left it: {key} was "):
        write_samples(dcgan, tmp_path / "out", **arguments)
    write_samples(dcgan, tmp_path / "out", **arguments, anew=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(rows_of(tmp_path / "out")) == arguments["count"]


def test_another_model_of_the_same_name_does_not_go_on(dcgan, dies, tmp_path):
    dies(2)
    with pytest.raises(SystemExit):
        write_samples(dcgan, tmp_path / "out", 10, batch_size=4, progress=False)
    next(dcgan.generator_model.parameters()).data += 1
    with pytest.raises(ZooError, match="model was "):
        write_samples(dcgan, tmp_path / "out", 10, progress=False)


@pytest.mark.parametrize("format", ["png", "parquet"])
def test_processes_share_the_work_and_leave_the_same_files(dcgan, dies, tmp_path, monkeypatch, format):
    whole = write_samples(dcgan, tmp_path / "whole", 11, batch_size=2, format=format, progress=False)
    drawn, together, errors, own = dies(99), threading.Barrier(3, timeout=60), [], threading.local()

    def work(rank: int) -> None:
        own.processes = Processes()
        own.processes.rank, own.processes.count, own.processes.wait = rank, 3, together.wait
        try:
            write_samples(dcgan, tmp_path / "out", 11, batch_size=2, format=format, progress=False)
        except BaseException as error:
            errors.append(error)
            together.abort()

    monkeypatch.setattr(writing, "Processes", lambda: own.processes)
    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and sum(drawn) == 11
    assert content(tmp_path / "out") == content(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


def test_parquet_is_a_dataset(hearts, tmp_path):
    settings = {"classes": {"pathology": "HCM", "phase": "any"}, "with_masks": True, "format": "parquet"}
    folder = write_samples(hearts, tmp_path / "out", 3, seed=7, progress=False, **settings)
    rows = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"), split="train")
    assert rows.column_names == ["image", "mask", "seed", "index", "pathology", "phase", "pixel_spacing"]
    assert rows.features["pathology"].names == ["NOR", "HCM"] and rows["pathology"][:] == [1] * 3
    assert (rows["phase"][:], rows["index"][:], rows["seed"][:]) == ([None] * 3, [0, 1, 2], [7] * 3)
    assert rows["pixel_spacing"][0] == [2.0, 2.0]
    call = {"class_labels": "HCM", "phase": "any", "output_type": "np"}
    expected = hearts(3, generator=sample_generators(7, range(3)), **call)
    np.testing.assert_allclose(np.asarray(rows[2]["image"]) / 255, expected.images[2, ..., 0], atol=1 / 255)
    assert (np.asarray(rows[2]["mask"]) == expected.masks[2]).mean() > 0.98
    assert [row["file"] for row in rows_of(folder)] == ["data/train-00000-of-00001.parquet"] * 3


def test_speed_and_time_left_are_told(dcgan, tmp_path, capsys):
    write_samples(dcgan, tmp_path / "out", 8, batch_size=2)
    assert "images/s" in capsys.readouterr().err
