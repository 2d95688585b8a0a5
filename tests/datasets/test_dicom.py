"""DICOM: what belongs to a stack, in which order, and whose it is."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from fake_dicom import write_slice
from pydicom.uid import generate_uid

from zoo import ZooError
from zoo.datasets import build_folder, images, report_text
from zoo.datasets.dicom import File, SetAside, read_header, read_pixels
from zoo.datasets.dicom_series import person_of, to_volume


def noise(seed, shape=(12, 10)):
    return np.random.default_rng(seed).integers(0, 4000, shape)


def build(source, **options):
    return build_folder(source, progress=False, **options)


def every(built) -> list[dict]:
    return [row for split in built.dataset.values() for row in split]


def stack(folder, count=4, *, frames=1, series="1.2.3", times=lambda frame: {"TriggerTime": 40.0 * frame}, **fields):
    """Slices 8 mm apart, in files whose names have no order; the first pixel says place and frame."""
    for index in range(count):
        for frame in range(frames):
            pixels = noise(100 * index + frame)
            pixels[0, 0] = 10 * index + frame
            further = {**({} if frames == 1 else times(frame)), "InstanceNumber": frames * index + frame + 1, **fields}
            name = f"{(index * 7 + frame * 3) % 97:03d}-{index}-{frame}.dcm"
            write_slice(folder / name, pixels, series=series, position=8.0 * index, **further)
    return folder


def volume_of(folder, **options):
    files = [read_header(path, path.name) for path in sorted(Path(folder).rglob("*.dcm"))]
    return to_volume([(file, image) for file in files for image in file.images], "stack", **options)


def test_slices_are_ordered_by_position_and_frames_by_time(tmp_path):
    found = volume_of(stack(tmp_path, frames=3))
    assert found.voxels.shape == (3, 4, 12, 10)
    np.testing.assert_array_equal(found.voxels[..., 0, 0], [[10 * i + f for i in range(4)] for f in range(3)])
    assert found.notes == ["3 frames at 4 places, ordered by TriggerTime"]
    assert found.spacing == (1.5, 1.25) and found.thickness == 8


@pytest.mark.parametrize(
    "times, key",
    [
        (lambda frame: {"TriggerTime": 0, "TemporalPositionIdentifier": 9 - frame}, "TemporalPositionIdentifier"),
        (lambda frame: {"AcquisitionTime": f"10{frame:02d}00.5"}, "AcquisitionTime"),
        (lambda frame: {}, "InstanceNumber"),
    ],
)
def test_what_tells_frames_apart_is_said(tmp_path, times, key):
    found = volume_of(stack(tmp_path, frames=3, times=times))
    assert found.notes == [f"3 frames at 4 places, ordered by {key}"]
    order = [2, 1, 0] if key == "TemporalPositionIdentifier" else [0, 1, 2]
    assert found.voxels[:, 0, 0, 0].tolist() == order


def test_turned_stacks_are_turned_back(tmp_path):
    upright = volume_of(stack(tmp_path / "a"))
    for path in stack(tmp_path / "b").iterdir():  # the same slices, stored turned by 90 degrees
        data = pydicom.dcmread(path)
        turned = np.rot90(data.pixel_array)
        data.Rows, data.Columns = turned.shape
        data.PixelData, data.PixelSpacing = np.ascontiguousarray(turned).tobytes(), data.PixelSpacing[::-1]
        # Rows now run along what were columns, columns against what were rows; the last pixel of the first row is first
        data.ImageOrientationPatient = [0, 1, 0, -1, 0, 0]
        data.ImagePositionPatient = [9 * 1.25, 0, data.ImagePositionPatient[2]]
        data.save_as(path)
    found = volume_of(tmp_path / "b")
    np.testing.assert_array_equal(found.voxels, upright.voxels)
    np.testing.assert_allclose(found.affine, upright.affine, atol=1e-6)


def test_the_distance_of_slices_is_that_of_their_positions(tmp_path):
    found = volume_of(stack(tmp_path / "a", SliceThickness=6))
    assert found.thickness == 8 and found.notes == ["slices lie 8 mm apart by their positions; the header says 6"]
    folder = stack(tmp_path / "b")
    next(folder.glob("*-1-0.dcm")).unlink()
    assert volume_of(folder).notes == ["slices lie 8 to 16 mm apart, as if some were missing"]
    lone = volume_of(stack(tmp_path / "c", count=1, SliceThickness=None))
    assert lone.thickness == 1 and lone.notes == ["distance of the slices unknown: 1 mm is put down"]


def enhanced(path, frames=3, places=2):
    """An enhanced MR object: places × frames in one file, each with its own functional group."""
    pixels = np.stack([noise(i) for i in range(frames * places)])
    write_slice(path, pixels[0], series="1.2.3", position=0)
    data = pydicom.dcmread(path)
    for name in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"):
        delattr(data, name)

    def sequence(**groups):
        item = pydicom.Dataset()
        for name, fields in groups.items():
            part = pydicom.Dataset()
            for field, value in fields.items():
                setattr(part, field, value)
            setattr(item, name, [part])
        return item

    data.NumberOfFrames, data.PixelData = frames * places, pixels.astype(np.uint16).tobytes()
    data.SharedFunctionalGroupsSequence = [
        sequence(
            PixelMeasuresSequence={"PixelSpacing": [1.5, 1.25], "SliceThickness": 8},
            PlaneOrientationSequence={"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
            PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -5},
        )
    ]
    data.PerFrameFunctionalGroupsSequence = [
        sequence(
            PlanePositionSequence={"ImagePositionPatient": [0, 0, 9.0 * (places - 1 - place)]},
            FrameContentSequence={"TemporalPositionIndex": frame + 1},
        )
        for place in range(places)
        for frame in range(frames)
    ]
    data.save_as(path)
    return pixels.reshape(places, frames, *pixels.shape[1:])


def test_enhanced_files_have_their_geometry_frame_by_frame(tmp_path):
    pixels = enhanced(tmp_path / "a.dcm")
    found = volume_of(tmp_path)
    np.testing.assert_array_equal(found.voxels, 2.0 * pixels[::-1].swapaxes(0, 1) - 5)
    assert (found.spacing, found.thickness) == ((1.5, 1.25), 9)
    assert found.notes[0] == "3 frames at 2 places, ordered by TemporalPositionIdentifier"
    assert {row["frame"] for row in every(build(tmp_path))} == {1, 2, 3}


def test_slices_that_are_series_of_their_own_are_one_stack(tmp_path):
    for index in range(3):
        for frame in range(2):
            fields = {"TriggerTime": 40.0 * frame, "SeriesNumber": index}
            write_slice(tmp_path / f"{index}-{frame}.dcm", noise(9 * index + frame), series=f"1.{index}",
                        position=8.0 * index, **fields)  # fmt: skip
    rows = every(build(tmp_path))
    assert {(row["num_slices"], row["frame"]) for row in rows} == {(3, 1), (3, 2)} and len(rows) == 6


def test_localizers_second_series_and_what_is_no_image_are_set_aside_with_a_line(tmp_path):
    stack(tmp_path, SeriesNumber=3)
    stack(tmp_path / "again", count=2, series="9.9", SeriesNumber=4)
    write_slice(
        tmp_path / "scout.dcm", noise(1), series="5.5", position=3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    )
    write_slice(tmp_path / "report.dcm", noise(1), series="6.6", position=3, Rows=None, PixelData=None)
    write_slice(tmp_path / "copy.dcm", noise(0), series="1.2.3", position=0.0,
                SOPInstanceUID=pydicom.dcmread(next(tmp_path.glob("*-0-0.dcm"))).SOPInstanceUID)  # fmt: skip
    built = build(tmp_path)
    assert len(every(built)) == 4
    report = report_text(built.info)
    assert "scout.dcm: is of a localizer" in report and "report.dcm: holds no image" in report
    assert "a series of 2 slices beside the stack of 4 that is taken" in report
    assert "1 files are copies of others, by their SOPInstanceUID" in report
    assert "Jane" not in report and "Jane" not in str(built.info)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "is a Siemens mosaic, many slices in one picture"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "is in colours .PALETTE COLOR.; expected one grey frame"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "is in colours"),
        ({"PixelSpacing": [0, 0]}, "missing PixelSpacing"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "ImageOrientationPatient is no pair of directions"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "ImageOrientationPatient has 3 values; expected 6 numbers"),
        ({"NumberOfFrames": 3}, "no readable DICOM image|pixels of shape"),
    ],
)
def test_what_is_no_slice_is_named(tmp_path, fields, message):
    write_slice(tmp_path / "a.dcm", noise(0), series="1.2", position=0, **fields)
    with pytest.raises(ZooError, match=message):
        read_pixels(read_header(tmp_path / "a.dcm"))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda i: {"PixelSpacing": [1 + i % 2, 1 + i % 2]}, "pixels of .* and of .* mm; expected one spacing"),
        (lambda i: {"ImageOrientationPatient": [1, 0, 0, 0, i % 2, 1 - i % 2]}, "images in different planes"),
        (lambda i: {"ImagePositionPatient": [0, 0, 8 * max(i, 1)]}, "1 to 2 images at one place"),
        (lambda i: {"PatientID": f"Name {i % 2}"}, "a series of 2 PatientIDs"),
        (lambda i: {"PhotometricInterpretation": f"MONOCHROME{1 + i % 2}"}, "MONOCHROME1 and MONOCHROME2"),
        (
            lambda i: {"ImagePositionPatient": None} if i else {},
            "some images have a position in space and some",
        ),
    ],
)
def test_a_series_of_mixed_images_is_refused(tmp_path, change, message):
    for index in range(4):
        write_slice(tmp_path / f"{index}.dcm", noise(index), series="1.2", position=8.0 * index, **change(index))
    with pytest.raises(ZooError, match=message):
        build(tmp_path)


def test_views_of_equal_length_in_different_planes_are_ambiguous(tmp_path):
    write_slice(tmp_path / "a.dcm", noise(0), series="1.1", position=0, SeriesDescription="4ch")
    write_slice(tmp_path / "b.dcm", noise(1), series="1.2", position=0, SeriesDescription="sa",
                ImageOrientationPatient=[0, 1, 0, 0, 0, -1])  # fmt: skip
    with pytest.raises(ZooError, match="the series '4ch' and 'sa' have 1 slices each, in different planes"):
        build(tmp_path)


def test_a_missing_decoder_is_named(tmp_path, monkeypatch):
    write_slice(tmp_path / "a.dcm", noise(0), series="1.2", position=0)
    data = pydicom.dcmread(tmp_path / "a.dcm")
    for syntax, extra in (
        (pydicom.uid.JPEGLosslessSV1, "dicom-jpeg"),
        (pydicom.uid.JPEG2000Lossless, "dicom"),
    ):
        data.file_meta.TransferSyntaxUID = syntax
        data.PixelData = pydicom.encaps.encapsulate([b"\0" * 64])
        data["PixelData"].VR = "OB"
        data.save_as(tmp_path / "a.dcm")
        monkeypatch.setattr(
            pydicom.Dataset, "pixel_array",
            property(lambda self: (_ for _ in ()).throw(RuntimeError("plugin missing dependencies:"))),
        )  # fmt: skip
        with pytest.raises(
            ZooError, match=rf"is compressed as JPEG.*; expected `pip install 'cardiac-mri-zoo\[{extra}\]'`"
        ):
            read_pixels(read_header(tmp_path / "a.dcm"))


def file_of(patient, name="anna/1.dcm", study="1.2"):
    return File(None, name, patient, study, "1.2.3", generate_uid(), 0, "", (1, 1), False)


def test_a_person_is_an_id_or_a_folder_or_a_study():
    assert person_of(file_of("4711")) == "id:4711" and person_of(file_of("patient001")) == "id:patient001"
    for blank in ("", "0", "000", "Anonymous", "ANON^^", "anonymized", "unknown", "Patient"):
        assert person_of(file_of(blank)) == "folder:anna"
    assert person_of(file_of("", "1.dcm")) == "study:1.2"


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


def test_a_directory_is_no_image(tmp_path):
    write_slice(tmp_path / "DICOMDIR", noise(0), series="1.2", position=0, DirectoryRecordSequence=[])
    with pytest.raises(SetAside, match="is a DICOMDIR, a list of files"):
        read_header(tmp_path / "DICOMDIR")
    stack(tmp_path)
    assert images(build(tmp_path, size=8).dataset["train"]).shape == (4, 8, 8, 1)
