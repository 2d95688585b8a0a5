"""Whose DICOM files are, by PatientIDs, folders and studies."""

import itertools

import pytest
from fake_dicom import write_slice
from pydicom.uid import generate_uid
from test_dicom import build, every, noise

from zoo import ZooError
from zoo.datasets.dicom import File
from zoo.datasets.dicom_people import is_nobody, people_of


def file_of(name, patient="", study=None, series=None):
    return File(None, name, patient, study or "", series or generate_uid(), generate_uid(), 0, "", (1, 1), False)


def people(*files) -> list[str]:
    """Of files `(name, patient, study, series)`, as far as they are given."""
    files = [file_of(*((file,) if isinstance(file, str) else file)) for file in files]
    return list(people_of(files).values())


def test_a_person_is_an_id_or_a_folder_or_a_study():
    assert people(("anna/1", "4711"), ("anna/2", "patient001")) == ["id:4711", "id:patient001"]
    blank = ("", "0", "000", "Anonymous", "ANON^^", "anonymized", "unknown", "Patient", "REMOVED", "Redacted", "N/A")
    for word in blank:
        assert is_nobody(word) and people(("anna/1.dcm", word)) == ["folder:anna"]
    for word in ("anon17", "anonymous 3", "Nana", "Xavier", "removed12"):
        assert not is_nobody(word)
    assert people(("1.dcm", "", "1.2")) == ["study:1.2"]


@pytest.mark.parametrize(
    "names, expected",
    [
        (["HCM/patient1/1", "NOR/patient2/1"], "patient1 patient2"),
        (["train/anna/1", "test/bob/1"], "anna bob"),
        (["siteA/anna/1", "siteB/bob/1"], "siteA-anna siteB-bob"),
        (["HCM/1/a", "NOR/1/a"], "HCM-1 NOR-1"),
        (["anna/visit1/1", "anna/visit2/1", "bob/visit1/1"], "anna anna bob"),
        (["anna/2019-05-01/1", "bob/se0003/1"], "anna bob"),
        (["visit1/sub-01/1", "visit2/sub-01/1"], "sub-01 sub-01"),
        (["2019/patient1/1", "2020/patient2/1"], "patient1 patient2"),
        (["export/anna/1", "export/bob/1"], "anna bob"),
        (["visit1/1", "visit2/1"], "visit1 visit2"),
    ],
)
def test_folders_that_are_a_patients(names, expected):
    assert [person.partition(":")[2] for person in people(*names)] == expected.split()


def test_a_study_lies_in_one_patients_folder():
    files = ("anna/aorta/1", "", "1"), ("anna/valve/1", "", "1"), ("bob/aorta/1", "", "2")
    assert people(*files) == ["folder:anna", "folder:anna", "folder:bob"]
    with pytest.raises(ZooError, match="anna and bob: images of one study without a PatientID, of one patient or of s"):
        people(("anna/1", "", "1"), ("bob/1", "", "1"))
    with pytest.raises(
        ZooError, match="anna: without PatientIDs, may be one patient with aorta and valve, or a folder"
    ):
        people(("anna/aorta/1", "", "1"), ("anna/valve/1", "", "2"), ("bob/aorta/1", "", "3"))
    with pytest.raises(ZooError, match="is of the series of patient1/1, which lies in the folder of another patient"):
        people(("patient1/1", "", "1", "1"), ("patient2/1", "", "1", "1"))
    with pytest.raises(ZooError, match="patient1: lies in siteA and in siteB, without PatientIDs, and may be one pati"):
        people("siteA/patient1/1", "siteB/patient1/1")


def test_one_id_of_all_patients_is_nobodys():
    assert people(("patient1/1", "Study"), ("patient2/1", "Study")) == ["folder:patient1", "folder:patient2"]
    assert people(("anna/1", "Study"), ("bob/1", "Study")) == ["id:Study", "id:Study"]


def test_people_of_one_patients_folder_share_a_split(tmp_path):
    for person in range(12):
        for visit in range(2):  # each visit was anonymised on its own
            write_slice(tmp_path / f"patient{person}" / f"v{visit}" / "a.dcm", noise(10 * person + visit),
                        series=generate_uid(), position=0, patient=f"x{person}{visit}")  # fmt: skip
    splits = build(tmp_path, keep_ids=True).info["splits"]
    assert len(splits) == 3
    for about in splits.values():
        people = [name[:-1] for name in about["patient_ids"]]
        assert sorted(people) == sorted(2 * sorted(set(people)))


@pytest.mark.parametrize("keep_ids", [True, False])
def test_ids_that_differ_in_case_may_be_one_person(tmp_path, keep_ids):
    for index, patient in enumerate(("Smith", "SMITH", "Jones")):
        write_slice(tmp_path / f"{index}.dcm", noise(index), series=generate_uid(), position=0, patient=patient)
    with pytest.raises(ZooError, match="1.dcm and 0.dcm: may be of one patient or of two, by names SMITH and Smith"):
        build(tmp_path, keep_ids=keep_ids)


def test_patients_without_ids_lie_below_classes_and_sites(tmp_path):
    for seed, (group, number) in enumerate(itertools.product(("HCM", "NOR"), range(4))):
        path = tmp_path / group / f"{number}" / "a.dcm"
        write_slice(path, noise(seed), series=generate_uid(), position=0, patient="")
    built = build(tmp_path, keep_ids=True)
    assert {row["patient_id"] for row in every(built)} == {f"{g}-{n}" for g in ("HCM", "NOR") for n in range(4)}
    assert built.info["report"]["rules"]["patient"] == "folder or study"
