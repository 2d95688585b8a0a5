"""Writes DICOM slices."""

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
