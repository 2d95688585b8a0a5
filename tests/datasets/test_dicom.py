"""DICOM: what belongs to a stack, and in which order."""

import re
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from fake_dicom import write_slice

from zoo import ZooError
from zoo.datasets import build_folder, images, report_text
from zoo.datasets.dicom import SetAside, read_header, read_pixels
from zoo.datasets.dicom_series import stacks_of, to_volume


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


def enhanced(
    path, frames=3, places=2, time=lambda frame: {"FrameContentSequence": {"TemporalPositionIndex": frame + 1}}
):
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
            **time(frame),
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
    shutil.copy(next(tmp_path.glob("*-0-0.dcm")), tmp_path / "copy.dcm")
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


def test_a_directory_is_no_image(tmp_path):
    write_slice(tmp_path / "DICOMDIR", noise(0), series="1.2", position=0, DirectoryRecordSequence=[])
    with pytest.raises(SetAside, match="is a DICOMDIR, a list of files"):
        read_header(tmp_path / "DICOMDIR")
    stack(tmp_path)
    assert images(build(tmp_path, size=8).dataset["train"]).shape == (4, 8, 8, 1)


def test_a_delay_of_0_ms_is_a_time(tmp_path):
    delays = [200.0, 0.0, 100.0]
    time = lambda frame: {"CardiacSynchronizationSequence": {"NominalCardiacTriggerDelayTime": delays[frame]}}  # noqa: E731
    pixels = enhanced(tmp_path / "a.dcm", time=time)
    found = volume_of(tmp_path)
    np.testing.assert_array_equal(found.voxels, 2.0 * pixels[::-1, [1, 2, 0]].swapaxes(0, 1) - 5)
    assert found.notes[0] == "3 frames at 2 places, ordered by TriggerTime"


@pytest.mark.parametrize(
    "kinds, told",
    [
        ([{"ImageType": ["ORIGINAL", "PRIMARY", "VELOCITY MAP", "P"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "M"]}],
         "images of ORIGINAL PRIMARY VELOCITY MAP P, beside those of the same series that are taken, images of ORIG"),
        ([{"EchoTime": 5.0}, {"EchoTime": 2.5}], "images of echo 5 ms, beside those .* taken, images of echo 2.5 ms"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("frames", [1, 3])
def test_contrasts_of_one_place_are_no_frames(tmp_path, kinds, told, frames):
    for index, fields in enumerate(kinds):
        stack(tmp_path / str(index), frames=frames, **fields)
    built = build(tmp_path, size=12)
    rows = every(built)
    assert len(rows) == 4 * frames and {row["num_slices"] for row in rows} == {4}
    (entry,) = built.info["report"]["set_aside"]
    assert entry["item"].startswith("0/")
    assert re.match(told, entry["reason"])


def test_contrasts_of_enhanced_files_are_told_frame_by_frame(tmp_path):
    parts = ["PHASE", "MAGNITUDE"]
    time = lambda frame: {"MRImageFrameTypeSequence": {"ComplexImageComponent": parts[frame]}}  # noqa: E731
    pixels = enhanced(tmp_path / "a.dcm", frames=2, time=time)
    built = build(tmp_path, size=10)
    assert len(every(built)) == 2 and "images of PHASE, beside those" in report_text(built.info)
    stack_of = stacks_of([read_header(tmp_path / "a.dcm", "a.dcm")], "a")[0]["a.dcm"]
    np.testing.assert_array_equal(to_volume(stack_of, "a").voxels, 2.0 * pixels[::-1, 1] - 5)


def test_kinds_that_differ_by_place_are_one_stack(tmp_path):
    for index in range(4):
        fields = {"EchoTime": 2 + 0.1 * index, "ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM"][: 3 + index % 2]}
        write_slice(tmp_path / f"{index}.dcm", noise(index), series="1.2", position=8.0 * index, **fields)
    assert len(every(build(tmp_path))) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"Modality": "SEG"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2", "Modality": "RTDOSE"},
    ],
)
def test_what_is_made_of_images_is_set_aside(tmp_path, fields):
    stack(tmp_path / "mr", SeriesNumber=9)
    stack(tmp_path / "made", count=6, series="1.9", **fields)
    built = build(tmp_path)
    assert len(every(built)) == 4
    assert "made/000-0-0.dcm and 5 more: is made of images and is none itself" in report_text(built.info)


def test_one_uid_of_all_files_makes_no_copies(tmp_path):
    assert len(every(build(stack(tmp_path, frames=2, SOPInstanceUID="1.2.3.4")))) == 8


def test_places_are_by_slice_location_where_positions_say_nothing(tmp_path):
    for name, drop in (
        ("none", {"ImagePositionPatient": None, "ImageOrientationPatient": None}),
        ("same", {"ImagePositionPatient": [0, 0, 0]}),
    ):
        for index in range(3):
            for frame in range(3):
                pixels = noise(9 * index + frame)
                pixels[0, 0] = 10 * index + frame
                write_slice(tmp_path / name / f"{index}{frame}.dcm", pixels, series="1.2", position=0,
                            SliceLocation=6.0 * index, TriggerTime=40.0 * frame, InstanceNumber=3 * index + frame,
                            **drop)  # fmt: skip
        found = volume_of(tmp_path / name)
        assert found.voxels[..., 0, 0].tolist() == [[10 * i + f for i in range(3)] for f in range(3)]
        assert found.thickness == 6 and "places are by SliceLocation" in found.notes[0]
    for path in (tmp_path / "none").iterdir():
        data = pydicom.dcmread(path)
        del data.SliceLocation
        data.save_as(path)
    with pytest.raises(
        ZooError, match="3 values of TriggerTime, each of 3 images, as of a cine series; expected Image"
    ):
        volume_of(tmp_path / "none")


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("kind, value, limit", [("SS", -32768, None), ("US", 0x8000, None), ("SS", -32768, -30000)])
def test_padding_is_dark_and_no_grey_value(tmp_path, photometric, kind, value, limit):
    for index in range(3):
        pixels, path = noise(index) - 100, tmp_path / f"{index}.dcm"
        pixels[:3] = -32768 if limit is None else -30001
        signed = {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1, "PhotometricInterpretation": photometric}
        write_slice(path, pixels.astype(np.int16).view(np.uint16), series="1.2", position=8 * index, **signed)
        data = pydicom.dcmread(path)
        data.add_new("PixelPaddingValue", kind, value)  # a sign of the wrong type is common
        if limit is not None:
            data.add_new("PixelPaddingRangeLimit", kind, limit)
        data.save_as(path)
    found = volume_of(tmp_path)
    assert np.ptp(found.voxels) < 4000 and (found.voxels[:, :3] == found.voxels.min()).all()
    assert "what pads its images, by PixelPaddingValue, is made their darkest value" in found.notes
    assert len(np.unique(found.voxels[:, 3:])) > 100


def test_files_without_a_preamble(tmp_path):
    for name, start in (("group2", 132), ("group8", None)):
        folder = stack(tmp_path / name)
        for path in list(folder.iterdir()):
            data = path.read_bytes()
            start = start or data.index(b"\x08\0\x16\0UI")
            path.with_suffix("").write_bytes(data[start:])
            path.unlink()
        assert len(every(build(folder))) == 4
    (folder / "x.dcm").write_bytes(b"hello" * 99)
    with pytest.raises(ZooError, match="x.dcm: no readable DICOM image .it begins as no DICOM file does.$"):
        build(folder)
