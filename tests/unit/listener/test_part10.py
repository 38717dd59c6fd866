"""Part 10 headers, read back by pydicom and by ourselves."""

import io

from dicomwire import CT, EXPLICIT_LITTLE, data_set
from pydicom import dcmread

from listener import part10
from listener.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def test_pydicom_reads_what_we_write():
    header = part10.encode_header(CT, "1.2.3", EXPLICIT_LITTLE)
    image = dcmread(io.BytesIO(header + data_set("1.2.3")))
    meta = image.file_meta
    assert meta.MediaStorageSOPClassUID == CT
    assert meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert meta.TransferSyntaxUID == EXPLICIT_LITTLE
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert 144 + meta.FileMetaInformationGroupLength == len(header)
    assert image.PatientID == "P1"


def test_a_header_reads_back():
    header = part10.encode_header(CT, "1.2.3", EXPLICIT_LITTLE)
    assert part10.decode_header(header + b"data") == part10.Header(EXPLICIT_LITTLE, len(header), CT, "1.2.3")


def test_what_is_no_header():
    header = part10.encode_header(CT, "1.2.3", EXPLICIT_LITTLE)
    for stop in range(len(header)):
        assert part10.decode_header(header[:stop]) is None
    assert part10.decode_header(bytes(400)) is None
    assert part10.decode_header(part10.PREFIX + b"\xff" * 100) is None


def test_the_identity_fits_the_standard():
    assert len(IMPLEMENTATION_CLASS_UID) <= 64
    assert 1 <= len(IMPLEMENTATION_VERSION_NAME) <= 16
