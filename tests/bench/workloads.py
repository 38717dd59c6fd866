"""Images to send: made once per run, each with pixels of its own so that every copy can be told from the others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage

# A root for UIDs that nobody registered, of the form of PS3.5 annex B.2; only files of this benchmark carry it.
_ROOT = "2.25.211498031416482396174290835112407"


@dataclass(frozen=True)
class Workload:
    """Files to send, and what proves that each has arrived: the digest of its pixels, which end the file."""

    name: str
    directory: Path
    files: tuple[Path, ...]
    pixel_bytes: int
    digests: frozenset[bytes]
    study: str
    series: str

    @property
    def size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.files)


def make(directory: Path, name: str, *, count: int, rows: int, frames: int = 1, first: int = 1) -> Workload:
    """Write `count` images of rows x rows 16-bit pixels, all of one series, numbered from `first` on."""
    directory.mkdir(parents=True, exist_ok=True)
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest())
    study, series = f"{_ROOT}.{number}.1", f"{_ROOT}.{number}.2"
    pixel_bytes = rows * rows * 2 * frames
    files, digests = [], set()
    for index in range(count):
        instance = f"{series}.{first + index}"
        pixels = _pixels(instance, pixel_bytes)
        digests.add(digest(pixels))
        file = directory / f"{index:05d}.dcm"
        _write(file, _image(series, first + index, rows, frames), pixels)
        files.append(file)
    return Workload(name, directory, tuple(files), pixel_bytes, frozenset(digests), study, series)


def digest(pixels: bytes | memoryview) -> bytes:
    return hashlib.blake2b(pixels, digest_size=16).digest()


def _pixels(seed: str, size: int) -> bytes:
    block = hashlib.shake_128(seed.encode()).digest(4096)
    return (block * (size // len(block) + 1))[:size]


def _image(series: str, number: int, rows: int, frames: int) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = CTImageStorage if frames == 1 else MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number}"
    image.StudyDate = image.SeriesDate = "20200102"
    image.StudyTime = image.SeriesTime = "030405"
    image.AccessionNumber = "1"
    image.Modality = "CT"
    image.Manufacturer = "pfdcm"
    image.StudyDescription = "Benchmark"
    image.SeriesDescription = f"Series of {rows} by {rows}"
    image.PatientName = "Bench^Mark"
    image.PatientID = "BENCH"
    image.PatientBirthDate = "19700101"
    image.PatientSex = "O"
    image.StudyInstanceUID, image.SeriesInstanceUID = series.removesuffix(".2") + ".1", series
    image.SeriesNumber, image.InstanceNumber = 1, number
    image.ImagePositionPatient = [0, 0, number]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    if frames > 1:
        image.NumberOfFrames = frames
    image.Rows = image.Columns = rows
    image.PixelSpacing = [1, 1]
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelRepresentation = 0
    return image


def _write(file: Path, image: Dataset, pixels: bytes) -> None:
    image.add_new("PixelData", "OW", pixels)
    image.save_as(file, enforce_file_format=True)
