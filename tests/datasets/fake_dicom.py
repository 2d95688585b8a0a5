"""Writes DICOM slices, plain and compressed."""

import struct

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid


def write_slice(path, pixels, *, patient="Jane Doe", series, position, spacing=(1.5, 1.25), **fields):
    """Writes one DICOM slice; `fields` are set last, and `None` deletes one."""
    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    header.PatientID, header.SeriesInstanceUID = patient, series
    header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, position], [1, 0, 0, 0, 1, 0]
    header.PixelSpacing, header.SliceThickness = list(spacing), 8
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.PixelData = pixels.astype(np.uint16).tobytes()
    for name, value in fields.items():
        delattr(header, name) if value is None else setattr(header, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)


def compress(path, syntax, encoded: bytes | None = None) -> None:
    """Compresses the pixels of a file, by pydicom's encoder where they are not encoded already."""
    data = pydicom.dcmread(path)
    if encoded is None:
        data.compress(syntax, generate_instance_uid=False)
    else:
        data.PixelData = pydicom.encaps.encapsulate([encoded])
        data["PixelData"].VR, data.file_meta.TransferSyntaxUID = "OB", syntax
    data.save_as(path)


def lossless_jpeg(pixels: np.ndarray, bits: int) -> bytes:
    """JPEG's lossless process 14, each pixel predicted by the one to its left (ITU-T T.81, annex H), which no library
    here writes. All Huffman codes have five bits: a difference of `n` bits has the code `n`.
    """
    pixels = pixels.astype(int)
    predicted = np.empty_like(pixels)
    predicted[:, 1:] = pixels[:, :-1]
    predicted[1:, 0], predicted[0, 0] = pixels[:-1, 0], 1 << bits - 1
    stream = ""
    for difference in (pixels - predicted).flatten().tolist():
        size = abs(difference).bit_length()
        low = difference if difference >= 0 else difference + (1 << size) - 1
        stream += f"{size:05b}" + (f"{low:0{size}b}" if size else "")
    stream += "1" * (-len(stream) % 8)
    scan = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")
    frame = struct.pack(">2sHBHHB3B", b"\xff\xc3", 11, bits, *pixels.shape, 1, 1, 0x11, 0)
    codes = struct.pack(">2sHB", b"\xff\xc4", 36, 0) + bytes([0, 0, 0, 0, 17, *[0] * 11]) + bytes(range(17))
    start = struct.pack(">2sHB2B3B", b"\xff\xda", 8, 1, 1, 0, 1, 0, 0)
    return b"\xff\xd8" + frame + codes + start + scan + b"\xff\xd9"
