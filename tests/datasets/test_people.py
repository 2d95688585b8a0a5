"""Whose an image is: visits, dates and wrapping folders are nobody, and what may be either is refused."""

import pytest

from zoo import ZooError
from zoo.datasets.layouts import read_layout

VOLUMES, PICTURES = "NIfTI", "pictures"


def people(names, kind=VOLUMES, **options) -> list:
    """Patient and class of each image, in order."""
    entries = read_layout(names, kind, **options).entries
    return [(entries[name].patient, entries[name].label) for name in names]


@pytest.mark.parametrize(
    "folders", [("visit1", "visit2"), ("1.5T", "3T"), ("2019", "2020"), ("scan_2019-03-01", "scan_2020-11-30")]
)
def test_a_patient_of_several_visits_is_one(folders):
    for name in ("patient{}.nii.gz", "patient{}/sa.nii.gz", "abel{}.nii.gz", "AB{}/sa.nii.gz"):
        names = [f"{folder}/{name.format(number)}" for folder in folders for number in (101, 102)]
        found = people([*names, f"{folders[0]}/beck.nii.gz"])[:-1]
        assert found[:2] == found[2:] and all(label is None for _, label in found)
    names = [f"{folder}/scan.nii" for folder in folders]
    with pytest.raises(ZooError, match="may be a visit of the patient of .*, or another patient"):
        read_layout(names, VOLUMES)
    assert people(names, folders="patients") == [(folder, None) for folder in folders]


def test_ids_that_look_like_years_are_patients_beside_others():
    assert people(["1998/a.nii", "2101/a.nii"]) == [("1998", None), ("2101", None)]


def test_a_folder_around_all_images_is_no_patient_and_no_class():
    for folder in ("hearts", "export2024", "export_2024-05-01"):
        assert people([f"{folder}/patient000.nii", f"{folder}/patient001.nii"]) == [
            ("patient000", None), ("patient001", None),
        ]  # fmt: skip
        assert people([f"{folder}/abel.nii", f"{folder}/beck.nii"]) == [("abel", None), ("beck", None)]
    assert "hearts" in read_layout(["hearts/a.nii", "hearts/b.nii"], VOLUMES).rules["patient"]
    with pytest.raises(ZooError, match="AB12: may be one patient with several scans, or a folder around several"):
        read_layout(["AB12/cine.nii", "AB12/late.nii"], VOLUMES)
    assert people(["AB12/cine.nii", "AB12/late.nii"], folders="patients") == [("AB12", None)] * 2
    assert people(["HCM/a.nii", "HCM/b.nii"]) == [("HCM-a", "HCM"), ("HCM-b", "HCM")]
    assert people(["AB12/a_ED.nii", "AB12/a_ES.nii"]) == [("AB12", None)] * 2


def test_folders_with_a_digit_that_hold_people():
    with pytest.raises(ZooError, match="Avanto15: may be one patient with the scans abel and beck, or a folder of"):
        read_layout(["Avanto15/abel.nii", "Avanto15/beck.nii", "Aera15/chan.nii"], VOLUMES)
    scans = [f"AB{number}/{scan}.nii" for number in (12, 13) for scan in ("cine", "late")]
    assert [patient for patient, _ in people(scans)] == ["AB12", "AB12", "AB13", "AB13"]


def test_slices_times_and_repeats_are_of_one_patient():
    for ending in ("_slice{}", "_t0{}", "-z{}", "_visit{}", "-{}"):
        names = [f"P0{person}{ending.format(part)}.nii" for person in (1, 2) for part in (1, 2)]
        assert [patient for patient, _ in people(names)] == ["P01", "P01", "P02", "P02"]
    repeats = [f"data/P00{person}-{part}/P00{person}-{part}-ED.nii" for person in (1, 2) for part in (1, 2)]
    assert [patient for patient, _ in people(repeats)] == ["P001", "P001", "P002", "P002"]
    assert [patient for patient, _ in people(["2019-01.nii", "2019-02.nii"])] == ["2019-01", "2019-02"]
    with pytest.raises(ZooError, match="heart_slice_1: may be of the patient of heart_slice_2, or of another"):
        read_layout(["heart_slice_1.nii", "heart_slice_2.nii"], VOLUMES)


def test_pictures_of_one_person_are_known_by_folders_and_names():
    names = [f"{group}/{person}/{part}.png" for group in ("HCM", "NOR") for person in ("abel", "b") for part in (1, 2)]
    found = people(names, PICTURES)
    assert found[0] == found[1] == ("HCM-abel", "HCM") and found[-1] == ("NOR-b", "NOR") and len(set(found)) == 4
    assert people(["HCM/abel/1.png", "NOR/beck/1.png"], PICTURES) == [("abel", "HCM"), ("beck", "NOR")]
    names = ["cats/tom/1.png", "cats/tim/1.png"]
    with pytest.raises(
        ZooError, match="tom may be a patient of class cats, or a part of that class; expected --folders"
    ):
        read_layout(names, PICTURES)
    assert people(names, PICTURES, folders="patients") == [("tom", "cats"), ("tim", "cats")]
    assert people(names, PICTURES, folders="classes") == [(None, "cats")] * 2
    slices = [f"{group}/{group[0]}{person}_slice{part}.png" for group in "xy" for person in "12" for part in "34"]
    assert len({patient for patient, _ in people(slices, PICTURES)}) == 4
    assert people(["x/1.png", "y/1.png"], PICTURES) == [(None, "x"), (None, "y")]
    mixed = people(["patient1_a.png", "patient1_b.png", "other.png"], PICTURES)
    assert mixed == [("patient1", None), ("patient1", None), ("other.png", None)]
