"""`cardiac-zoo data`: what is said before anything is written, and the options of folders."""

import json

import nibabel
import numpy as np
import pytest
from command_line import run

from zoo import ZooError, datasets
from zoo.cli.data import read_frames, read_mask_labels


@pytest.fixture
def cine(tmp_path):
    """A beating ring of challenge labels, and its images, of one patient."""
    y, x = np.indices((40, 36))
    radii = (9, 7, 5, 8)
    distance = np.hypot(y - 20, x - 18)[..., None, None] * np.ones((1, 1, 2, 4))
    masks = np.where(distance < np.array(radii), 1, np.where(distance < 12, 2, 0)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 9, masks.shape)
    pictures = (np.array([40, 200, 90])[masks] + noise).astype(np.int16)
    masks[..., [1, 3]] = 0
    for name, array in (("p1_sa", pictures), ("p1_sa_gt", masks)):
        (tmp_path / "mine").mkdir(exist_ok=True)
        nibabel.Nifti1Image(array, np.diag([-1.5, -1.5, 8, 1])).to_filename(tmp_path / "mine" / f"{name}.nii.gz")
    return tmp_path / "mine"


def test_options_of_a_folder_and_its_report(cine, tmp_path):
    (tmp_path / "labels.csv").write_text("patient,pathology,vendor\np1,hypertrophic cardiomyopathy,GE\n")
    command = ["data", "folder", "--source", cine, "--labels", tmp_path / "labels.csv", "--preset", "acdc-64"]
    command += ["--mask-labels", "1=LV", "2=MYO", "--frames", "ed-es", "--phases", "ES", "--center", "masks"]
    code, output, error = run(*command, "--output", tmp_path / "out")
    assert code == 0, error
    lines = output.splitlines()
    assert lines[0] == "images: 2" and lines[-1] == f"{tmp_path / 'out'}: 2 train images"
    assert "patients: 1, of 2 images each" in lines and "class: by the table labels.csv" in lines
    built = datasets.load(tmp_path / "out")
    row = built.dataset["train"][0]
    assert (row["patient_id"], row["vendor"], row["frame"], row["phase"]) == ("p1", "GE", 3, 1)
    assert built.dataset["train"].features["pathology"].names[row["pathology"]] == "HCM"
    assert set(np.unique(np.asarray(row["mask"]))) == {0, 2, 3}
    assert datasets.report_text(built.info).splitlines() == lines[:-1]
    assert "- class: by the table labels.csv" in (tmp_path / "out" / "README.md").read_text()


def test_the_report_comes_before_anything_is_written(cine, tmp_path, monkeypatch):
    def save(built, output):
        assert not output.exists()
        raise ZooError("stop")

    monkeypatch.setattr(datasets, "save", save)
    code, output, error = run("data", "folder", "--source", cine, "--output", tmp_path / "out")
    assert code == 2 and "stop" in error and "patients: 1" in output


def test_mask_labels_and_frames():
    assert read_mask_labels(["1=LV", "2=MYO,3=myo", "4=0"]) == {1: 3, 2: 2, 3: 2, 4: 0}
    for words in (["1"], ["1=XY"], ["x=LV"], ["1=LV", "1=RV"], ["65536=LV"], ["-1=LV"]):
        with pytest.raises(ZooError, match="--mask-labels: expected pairs such as 1=LV 2=MYO"):
            read_mask_labels(words)
    assert read_frames("all") == "all" and read_frames("1,9") == [1, 9]
    for text in ("0", "1,", "one", "-1"):
        with pytest.raises(ZooError, match="--frames: expected all, ed-es or numbers from 1"):
            read_frames(text)


def test_bad_requests_are_one_line(cine, tmp_path):
    for options, message in (
        (["--source", cine, "else"], "else: unexpected; expected one source"),
        (["--source", cine, "--preset", "mednist-32"], "expected acdc-64, acdc-128 or acdc-180 for a folder"),
        (["--source", cine, "--phases", "EE"], "phases: 'EE' is none; expected ED or ES"),
        (["--source", cine, "--labels", tmp_path / "no.csv"], "no.csv: not found; expected a table with a header"),
    ):
        code, _, error = run("data", "folder", *options, "--output", tmp_path / "out")
        assert code == 2 and message in error and "Traceback" not in error
    code, _, error = run("data", "mednist", "--source", cine, "--segment", "--output", tmp_path / "out")
    assert code == 2 and "not an option of mednist" in error
    (tmp_path / "file").write_text("")
    code, _, error = run("data", "folder", "--source", tmp_path / "gone", "--output", tmp_path / "file" / "out")
    assert code == 2 and "cannot be written" in error  # before the source is looked for


def test_a_dataset_that_keeps_ids_is_not_pushed_unless_told_so(cine, tmp_path):
    from zoo.hub.datasets import push

    run("data", "folder", "--source", cine, "--output", tmp_path / "out")
    file = tmp_path / "out" / "zoo_dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"ids": "kept"}))
    with pytest.raises(ZooError, match="out: keeps the PatientIDs of DICOM files; expected hashed ones, or --with-ids"):
        push(tmp_path / "out", "someone/something")
