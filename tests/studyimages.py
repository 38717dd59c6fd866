"""Synthetic studies: small images with all that filing and querying needs, each different from all the others."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

# A root for UIDs that nobody registered, of the form of PS3.5 annex B.2; only tests' images carry it.
_ROOT = "2.25.118431227036442396174290835112407"
_EDGE_PIXELS = 8


def study_images(
    *, study: int = 1, series: int = 3, images: int = 20, sop_class: str = CTImageStorage
) -> list[Dataset]:
    """The images of one study, in the order of their series and numbers; the same arguments give the same study."""
    return [
        image(study, series_number, number, sop_class)
        for series_number in range(1, series + 1)
        for number in range(1, images + 1)
    ]


def study_uid(study: int = 1) -> str:
    return f"{_ROOT}.{study}"


def series_uid(series: int, study: int = 1) -> str:
    return f"{study_uid(study)}.{series}"


def instance_uid(number: int, series: int, study: int = 1) -> str:
    return f"{series_uid(series, study)}.{number}"


def image(study: int, series: int, number: int, sop_class: str = CTImageStorage) -> Dataset:
    """One image with its file meta information, explicit VR little endian."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = sop_class
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = instance_uid(number, series, study)
    one.StudyInstanceUID, one.SeriesInstanceUID = study_uid(study), series_uid(series, study)
    one.StudyDate = one.SeriesDate = "20200102"
    one.StudyTime = one.SeriesTime = "030405"
    one.AccessionNumber = str(study)
    one.Modality = "CT"
    one.StudyDescription = f"Study {study}"
    one.SeriesDescription = f"Series {series}"
    one.PatientName = "Synthetic^Patient"
    one.PatientID = f"S{study}"
    one.PatientBirthDate = "19700101"
    one.PatientSex = "O"
    one.SeriesNumber, one.InstanceNumber = series, number
    one.SamplesPerPixel = 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.Rows = one.Columns = _EDGE_PIXELS
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit = 15
    one.PixelRepresentation = 0
    size = 2 * _EDGE_PIXELS * _EDGE_PIXELS
    one.add_new("PixelData", "OW", hashlib.shake_128(one.SOPInstanceUID.encode()).digest(size))
    return one


def save(images: list[Dataset], directory: Path) -> list[Path]:
    """Write each as a Part 10 file. Returns: the files, in the same order."""
    directory.mkdir(parents=True, exist_ok=True)
    files = [directory / f"{one.SOPInstanceUID}.dcm" for one in images]
    for one, file in zip(images, files, strict=True):
        one.save_as(file, enforce_file_format=True)
    return files
