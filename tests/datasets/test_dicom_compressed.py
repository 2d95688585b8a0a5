"""Compressed DICOM: what real decoders read is what was written, to the grey value."""

import io
from importlib.util import find_spec

import numpy as np
import pytest
from fake_dicom import compress, lossless_jpeg, write_slice
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, RLELossless

from zoo.datasets import build_folder
from zoo.datasets.dicom import read_header, read_pixels

NEEDS = {JPEG2000Lossless: ("openjpeg", "dicom"), JPEGLosslessSV1: ("libjpeg", "dicom-jpeg")}


def skip_without_decoder(syntax) -> None:
    module, extra = NEEDS.get(syntax, (None, None))
    if module and find_spec(module) is None:
        pytest.skip(f"needs the extra {extra}")


def smooth(seed=0, shape=(48, 40), bits=12) -> np.ndarray:
    """A bright spot on noise, over all grey values."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    spot = np.exp(-((rows - 20) ** 2 + (columns - 18) ** 2) / 160) * (2**bits - 200)
    pixels = spot + np.random.default_rng(seed).integers(0, 199, shape)
    pixels[0, :2] = 0, 2**bits - 1
    return pixels.astype(int)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLosslessSV1], ids=lambda syntax: syntax.keyword)
def test_grey_values_survive(syntax, tmp_path):
    skip_without_decoder(syntax)
    pixels = smooth()
    write_slice(tmp_path / "a.dcm", pixels, series="1.2", position=0, RescaleSlope=2, RescaleIntercept=-100)
    compress(tmp_path / "a.dcm", syntax, lossless_jpeg(pixels, 12) if syntax == JPEGLosslessSV1 else None)
    np.testing.assert_array_equal(read_pixels(read_header(tmp_path / "a.dcm"))[0], 2 * pixels - 100)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless], ids=lambda syntax: syntax.keyword)
def test_signed_grey_values_survive(syntax, tmp_path):
    skip_without_decoder(syntax)
    pixels = smooth() - 2048
    write_slice(tmp_path / "a.dcm", pixels, series="1.2", position=0, PixelRepresentation=1)
    compress(tmp_path / "a.dcm", syntax)
    np.testing.assert_array_equal(read_pixels(read_header(tmp_path / "a.dcm"))[0], pixels)


def test_eight_bit_jpeg_is_read_to_the_rounding_of_its_decoder(tmp_path):
    picture = io.BytesIO()
    Image.fromarray(smooth(bits=8).astype(np.uint8)).save(picture, "JPEG", quality=95)
    expected = np.asarray(Image.open(picture))
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    write_slice(tmp_path / "a.dcm", expected, series="1.2", position=0, **eight)
    compress(tmp_path / "a.dcm", JPEGBaseline8Bit, picture.getvalue())
    np.testing.assert_allclose(read_pixels(read_header(tmp_path / "a.dcm"))[0], expected, rtol=0, atol=1)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless], ids=lambda syntax: syntax.keyword)
def test_a_compressed_stack_is_the_same_dataset(syntax, tmp_path):
    skip_without_decoder(syntax)
    for name in ("plain", "packed"):
        for index in range(3):
            path = tmp_path / name / f"{index}.dcm"
            write_slice(path, smooth(index), series="1.2", position=8.0 * index)
            if name == "packed":
                compress(path, syntax)
    plain, packed = (build_folder(tmp_path / name, progress=False, keep_ids=True).info for name in ("plain", "packed"))
    assert plain["fingerprint"] == packed["fingerprint"]
