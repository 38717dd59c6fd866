"""Images to send, and how they must be found: real ones of pydicom's, each copy an instance of its own."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pydicom
import pydicom.data
from bench.lean import Image, image_of_file

_SOURCES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm")
# Of the same length in every copy, so that a copy is made by replacing it.
_INSTANCE = "2.25.4099999999"
_SERIES = "2.25.5099999999"


@cache
def _template(number: int) -> Image:
    source = pydicom.dcmread(pydicom.data.get_testdata_file(_SOURCES[number % len(_SOURCES)]))
    source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = _INSTANCE
    source.SeriesInstanceUID = _SERIES
    whole = io.BytesIO()
    source.save_as(whole, enforce_file_format=True)
    content = whole.getvalue()
    length = int.from_bytes(content[140:144], "little")
    return Image(str(source.SOPClassUID), _INSTANCE, str(source.file_meta.TransferSyntaxUID), content[144 + length :])


def image(number: int, *, series: int = 0) -> Image:
    """The copy of that number, 0 to 99,999,999, of a CT, an MR or a JPEG 2000 image in turn; 10 to 240 KB."""
    template = _template(number)
    instance, series_uid = f"2.25.41{number:08d}", f"2.25.51{series:08d}"
    content = template.data_set.replace(_INSTANCE.encode(), instance.encode())
    return Image(
        template.sop_class,
        instance,
        template.transfer_syntax,
        content.replace(_SERIES.encode(), series_uid.encode()),
    )


def fingerprint(image: Image) -> bytes:
    """What tells whether an image is another; some ten thousand images would not fit into memory themselves."""
    digest = hashlib.blake2b(f"{image.sop_class} {image.transfer_syntax} ".encode(), digest_size=16)
    digest.update(image.data_set)
    return digest.digest()


def find(data_dir: Path) -> dict[str, Path]:
    """What is filed below the directory, by SOPInstanceUID, which is the last part of a file's name."""
    return {file.name.rpartition("-")[2].removesuffix(".dcm"): file for file in data_dir.rglob("*.dcm")}


def faults(sent: Mapping[str, bytes], wanted: Iterable[str], data_dir: Path) -> list[str]:
    """What is wrong with the wanted instances: not there, or other bytes than were sent. Empty when all is well.

    sent: fingerprints by SOPInstanceUID.
    """
    filed = find(data_dir)
    return [f"{uid}: {fault}" for uid in wanted if (fault := _fault(sent[uid], filed.get(uid)))]


def _fault(sent: bytes, file: Path | None) -> str:
    if file is None:
        return "acknowledged, and not there"
    return "" if fingerprint(image_of_file(file)) == sent else "not what was sent"


def broken(sent: Mapping[str, bytes], data_dir: Path) -> list[str]:
    """What of all that is filed is not one of the images sent, byte by byte: acknowledged or not, nothing may be."""
    return [str(file) for uid, file in find(data_dir).items() if _fault(sent[uid], file)]


def large(number: int, size_bytes: int, *, series: int = 0) -> Image:
    """An MR image with that many bytes, an even number, of trailing padding (FFFC,FFFC), PS3.5 section 7.2."""
    small = image(3 * number + 1, series=series)
    padding = struct.pack("<HH2s2xI", 0xFFFC, 0xFFFC, b"OB", size_bytes) + bytes(size_bytes)
    return Image(small.sop_class, small.sop_instance, small.transfer_syntax, small.data_set + padding)
