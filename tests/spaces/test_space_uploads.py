"""Reading uploads: kinds by content, bounds, and no other file."""

import gzip
import io

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian

from zoo.errors import ZooError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


@pytest.fixture
def read(folder):
    from uploads import read_slice

    def read(content: bytes, name: str = "upload.bin"):
        (folder / name).write_bytes(content)
        return read_slice(str(folder / name), folder)

    return read


def png(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def nifti(voxels, zooms=(1.5, 2.0, 8.0)) -> bytes:
    image = nibabel.Nifti1Image(voxels, np.diag([-1, -1, 1, 1]))  # stored as ACDC is
    image.header.set_zooms((*zooms, 1.0)[: voxels.ndim])
    return image.to_bytes()


def dicom(pixels, **fields) -> bytes:
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = pydicom.uid.generate_uid()
    data.SOPClassUID, data.SeriesInstanceUID = pydicom.uid.MRImageStorage, pydicom.uid.generate_uid()
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
    data.PhotometricInterpretation, data.PixelSpacing = "MONOCHROME2", [1.25, 1.5]
    data.PixelData = pixels.astype("<u2").tobytes()
    for name, value in fields.items():
        setattr(data, name, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(32 * 40, dtype=np.uint16).reshape(32, 40)


def windowed(pixels) -> np.ndarray:
    low, high = np.percentile(pixels, (0.5, 99.5))
    return np.clip((pixels - low) / (high - low), 0, 1)


def test_a_png_has_no_spacing(read, ramp):
    found = read(png((ramp // 5).astype(np.uint8)), "looks-like.nii")  # the content says what it is
    assert found.spacing is None and found.words == "PNG of 40 × 32 pixels"
    np.testing.assert_allclose(found.voxels[0], windowed((ramp // 5).astype(np.uint8).astype(float)), atol=1e-5)


def test_a_jpeg_is_read_too(read, ramp):
    buffer = io.BytesIO()
    Image.fromarray((ramp // 5).astype(np.uint8)).save(buffer, "JPEG", quality=95)
    found = read(buffer.getvalue(), "scan.png")
    assert found.spacing is None and found.words == "JPEG of 40 × 32 pixels" and found.voxels.shape == (1, 32, 40)


def test_sixteen_bits_are_not_clipped(read, ramp):
    assert len(np.unique(read(png(ramp)).voxels)) > 200


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_volume_gives_all_its_slices(read, ramp, pack):
    voxels = np.stack([ramp.T * factor for factor in (1, 2, 3)], axis=-1).astype(np.float32)
    found = read(pack(nifti(voxels)))
    np.testing.assert_allclose(found.voxels, windowed(voxels).transpose(2, 1, 0), atol=1e-5)
    assert found.spacing == (2.0, 1.5) and found.words == "NIfTI of 3 slices, pixels of 2 × 1.5 mm"
    assert found.thickness == 8.0
    with pytest.raises(ZooError, match="upload: expected at most 40 slices, got 41"):
        read(nifti(np.random.default_rng(0).random((32, 32, 41)).astype(np.float32)))


def test_of_a_cine_series_the_first_frame_is_read(read, ramp):
    cine = np.stack([ramp.T[..., None] * 1.0, np.random.default_rng(0).random((40, 32, 1))], axis=-1)
    np.testing.assert_allclose(read(nifti(cine.astype(np.float32))).voxels[0], windowed(ramp), atol=1e-5)


def test_a_dicom_has_its_own_spacing(read, ramp):
    found = read(dicom(ramp))
    assert found.spacing == (1.25, 1.5) and found.words == "DICOM, pixels of 1.25 × 1.5 mm"
    np.testing.assert_allclose(found.voxels[0], windowed(ramp), atol=1e-5)


BOMB = gzip.compress(nifti(np.zeros((8, 8, 8), np.uint8)) + bytes(100 * 2**20), mtime=0)  # or its id would change


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a PNG, a JPEG, a NIfTI volume .* this is none of them"),
        (b"<svg onload=alert(1)>", "this is none of them"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "a damaged PNG"),
        (png(np.zeros((64, 64), np.uint8)), "the same brightness"),
        (png(np.zeros((8, 64), np.uint8)), "64 × 8 pixels; expected 16 to 4096 a side"),
        (gzip.compress(b"nothing" * 100, mtime=0), "this is none of them"),
        (b"\x1f\x8b" + b"\0" * 400, "a damaged .gz file"),
        (BOMB, "expected at most 96 MB unpacked"),
        (nifti(np.zeros((32, 32, 2), np.float32)), "all values are 0.0"),
        (nifti(np.full((32, 32, 2), np.nan, np.float32)), "NaN or infinite"),
        (nifti(np.random.default_rng(0).random((32, 32, 2)).astype(np.float32))[:-500], "truncated or no NIfTI"),
        (nifti(np.random.default_rng(0).random((32, 32, 2)).astype(np.float32), (30, 30, 40)), "to 20.0 mm"),
        (nifti(np.random.default_rng(0).random((8, 32, 2)).astype(np.float32)), "8 × 32 pixels; expected 16"),
        (bytes(128) + b"DICM" + b"\0" * 20, "no readable DICOM"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line_without_paths(read, folder, content, message):
    with pytest.raises(ZooError, match=message) as refusal:
        read(content)
    assert "\n" not in str(refusal.value) and str(folder) not in str(refusal.value)


def test_dicom_is_bounded_before_it_is_decoded(read, ramp):
    with pytest.raises(ZooError, match="9999 pixels; expected 16 to 4096"):
        read(dicom(ramp, Rows=9999))
    with pytest.raises(ZooError, match="a DICOM image of one frame"):
        read(dicom(ramp, NumberOfFrames=30))
    data = pydicom.dcmread(io.BytesIO(dicom(ramp)))
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    with pytest.raises(ZooError, match="deflated DICOM is not read"):
        read(buffer.getvalue())


def test_large_files_are_not_even_opened(read, monkeypatch):
    import uploads

    monkeypatch.setattr(uploads, "MAX_BYTES", 100)
    with pytest.raises(ZooError, match="expected at most 0 MB"):
        read(bytes(101))


def test_no_other_file_is_read(folder, tmp_path):
    from uploads import read_slice

    outside = tmp_path / "secret.png"
    outside.write_bytes(png(np.arange(1024, dtype=np.uint16).reshape(32, 32)))
    (folder / "link.png").symlink_to(outside)
    for path in (outside, folder / ".." / "secret.png", folder / "link.png", folder, "/etc/passwd", folder / "absent"):
        with pytest.raises(ZooError, match="expected a file that you have uploaded"):
            read_slice(str(path), folder)
