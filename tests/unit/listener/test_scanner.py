"""The scanner and the text decoding, against pydicom on every file that it ships; and against cuts and rubbish."""

import io
import struct
import tracemalloc
import zlib

import pytest
from dicomwire import DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE, PYDICOM_DATA, data_set, element
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.sequence import Sequence

from listener import scanner
from listener.elements import decode_elements
from listener.scanner import Malformed, NeedMore, scan

EXPLICIT_BIG = "1.2.840.10008.1.2.2"
KEYWORDS = {
    "sop_class_uid": "SOPClassUID",
    "sop_instance_uid": "SOPInstanceUID",
    "study_date": "StudyDate",
    "series_date": "SeriesDate",
    "study_description": "StudyDescription",
    "series_description": "SeriesDescription",
    "patient_name": "PatientName",
    "patient_id": "PatientID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "instance_number": "InstanceNumber",
}
# Shipped as examples of files that stop in the middle.
TRUNCATED = {"MR_truncated.dcm", "rtplan_truncated.dcm"}


def _shipped():
    for path in sorted(PYDICOM_DATA.rglob("*")):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM":
            yield path


SHIPPED = list(_shipped())


def _data_set_offset(path):
    """Where pydicom says that File Meta ends."""
    with path.open("rb") as stream:
        read_preamble(stream, force=False)
        _read_file_meta_info(stream)
        return stream.tell()


def test_pydicom_ships_files_to_compare_with():
    assert len(SHIPPED) > 150


@pytest.mark.filterwarnings("ignore:::pydicom")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_file_reads_as_pydicom_reads_it(path):
    theirs = dcmread(path)
    syntax = theirs.file_meta.get("TransferSyntaxUID", IMPLICIT_LITTLE)
    offset = _data_set_offset(path)
    data = path.read_bytes()
    if path.name in TRUNCATED:
        with pytest.raises(Malformed):
            scan(data, offset, len(data), syntax)
        return
    ours = decode_elements(scan(data, offset, len(data), syntax))
    for name, keyword in KEYWORDS.items():
        value = theirs.get(keyword) if keyword in theirs else None
        expected = None if keyword not in theirs else "" if value is None else str(value)
        assert getattr(ours, name) == expected, keyword


def nested(depth, *, is_undefined):
    inner = Dataset()
    inner.PatientID = "WRONG"
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedImageSequence = Sequence([inner])
        outer["ReferencedImageSequence"].is_undefined_length = is_undefined
        inner.is_undefined_length_sequence_item = is_undefined
        inner = outer
    inner.PatientID = "RIGHT"
    return inner


@pytest.mark.parametrize("is_undefined", [True, False])
@pytest.mark.parametrize(
    ("syntax", "implicit", "little"),
    [(IMPLICIT_LITTLE, True, True), (EXPLICIT_LITTLE, False, True), (EXPLICIT_BIG, False, False)],
)
def test_nested_sequences_are_skipped(syntax, implicit, little, is_undefined):
    stream = io.BytesIO()
    nested(20, is_undefined=is_undefined).save_as(
        stream, implicit_vr=implicit, little_endian=little, enforce_file_format=False
    )
    data = stream.getvalue()
    assert decode_elements(scan(data, 0, len(data), syntax)).patient_id == "RIGHT"


def test_nesting_has_a_bound_and_no_recursion():
    level = struct.pack("<HHI", 0x0008, 0x1140, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    data = level * 100_000
    with pytest.raises(Malformed, match="nested"):
        scan(data, 0, len(data), IMPLICIT_LITTLE)


def test_unknown_vr_of_undefined_length_is_implicit_inside():
    inner = struct.pack("<HHI", 0x0010, 0x0020, 4) + b"EVIL"
    sequence = struct.pack("<HH2s2xI", 0x0009, 0x1010, b"UN", 0xFFFFFFFF)
    sequence += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    sequence += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    data = sequence + element(0x00100020, b"LO", b"GOOD")
    assert scan(data, 0, len(data), EXPLICIT_LITTLE) == {0x00100020: b"GOOD"}


def test_a_data_set_cut_anywhere_is_not_whole_unless_between_elements():
    data = data_set(pixels=bytes(32))
    ends = [stop for stop in range(8, len(data)) if _is_whole(data[:stop])]
    boundaries = []
    offset = 0
    while offset < len(data):
        boundaries.append(offset)
        _, _, vr, length = struct.unpack_from("<HH2sH", data, offset)
        offset += 8 + length if vr != b"OW" else 12 + struct.unpack_from("<I", data, offset + 8)[0]
    assert ends == [each for each in boundaries if each >= 8]


def _is_whole(data):
    try:
        scan(data, 0, len(data), EXPLICIT_LITTLE)
    except Malformed:
        return False
    return True


def test_zeros_at_the_end_are_padding_and_anything_else_is_not():
    for padding in (b"\0", bytes(7), bytes(8), bytes(500)):
        assert _is_whole(data_set() + padding)
    assert not _is_whole(data_set() + b"abc")


def test_encapsulated_pixel_data_are_walked_to_their_end():
    header = struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OB", 0xFFFFFFFF)
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI", 0xFFFE, 0xE000, 6) + b"\xff\xd8\xff\xe0ab"
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    start = element(0x00100020, b"LO", b"P1")
    assert _is_whole(start + header + items + end)
    assert not _is_whole(start + header + items)
    assert not _is_whole(start + header + items[:-1])
    assert not _is_whole(start + header + items + end[:-4])


def test_a_head_is_enough_when_the_rest_is_pixels_and_not_otherwise():
    data = data_set(pixels=bytes(1_000_000))
    assert scan(data[:1000], 0, len(data), EXPLICIT_LITTLE) == scan(data, 0, len(data), EXPLICIT_LITTLE)
    with pytest.raises(NeedMore):
        scan(data[:40], 0, len(data), EXPLICIT_LITTLE)


def deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def test_deflated():
    packed = deflate(data_set())
    assert scan(packed, 0, len(packed), DEFLATED) == scan(data_set(), 0, len(data_set()), EXPLICIT_LITTLE)
    for broken in (packed[:-5], b"\xff" * 20, b""):
        if broken:
            with pytest.raises(Malformed):
                scan(broken, 0, len(broken), DEFLATED)


def traced_peak(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def scan_whole(packed):
    return decode_elements(scan(packed, 0, len(packed), DEFLATED))


def test_a_large_deflated_image_without_a_character_set_was_refused():
    data = data_set(pixels=bytes(40_000_000))
    packed = deflate(data)
    assert scan_whole(packed).patient_id == "P1"
    assert traced_peak(lambda: scan_whole(packed)) < 4_000_000


def test_a_large_element_before_the_wanted_ones_costs_no_memory():
    before = struct.pack("<HH2s2xI", 0x0008, 0x0001, b"UN", 50_000_000) + bytes(50_000_000)
    bomb = deflate(before + data_set())
    assert scan_whole(bomb).patient_id == "P1"
    assert traced_peak(lambda: scan_whole(bomb)) < 4_000_000


def test_a_deflated_bomb_costs_no_more_than_the_bounds(monkeypatch):
    monkeypatch.setattr(scanner, "MAX_INFLATED_BYTES", 1_000_000)
    empty_item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    endless = deflate(struct.pack("<HH2s2xI", 0x0008, 0x1140, b"SQ", 0xFFFFFFFF) + empty_item * 3_000_000)

    def refused():
        with pytest.raises(Malformed, match="too much"):
            scan_whole(endless)

    assert traced_peak(refused) < 8_000_000
    monkeypatch.setattr(scanner, "MAX_CHECKED_BYTES", 20_000_000)
    skipped = struct.pack("<HH2s2xI", 0x0008, 0x0001, b"UN", 50_000_000) + bytes(50_000_000)
    with pytest.raises(Malformed, match="too much"):
        scan_whole(deflate(skipped + data_set()))


def test_a_large_deflated_image_that_is_cut_off_is_not_whole():
    packed = deflate(data_set(pixels=bytes(20_000_000)))
    for lost in (1, 2, 100, len(packed) // 2):
        with pytest.raises(Malformed, match="cut off"):
            scan_whole(packed[:-lost])


def test_a_deflated_element_that_runs_past_the_end_is_not_whole():
    before = struct.pack("<HH2s2xI", 0x0008, 0x0001, b"UN", 50_000_000) + bytes(1_000_000)
    with pytest.raises(Malformed, match="past the end"):
        scan_whole(deflate(before))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=8), st.integers(16_500, 70_000))
def test_the_window_over_a_deflated_data_set_changes_nothing(sizes, window):
    private = [
        struct.pack("<HH2s2xI", 0x0009, 0x1000 + number, b"UN", 40 * size) + bytes(40 * size)
        for number, size in enumerate(sizes)
    ]
    plain = data_set()
    at = plain.index(struct.pack("<HH", 0x0010, 0x0010))
    data = plain[:at] + b"".join(private) + plain[at:]
    packed = deflate(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scanner, "_FIRST_INFLATED_BYTES", window)
        assert scan(packed, 0, len(packed), DEFLATED) == scan(data, 0, len(data), EXPLICIT_LITTLE)


def test_a_value_without_end_is_bounded():
    data = struct.pack("<HH2s2xI", 0x0010, 0x0020, b"UT", 1_000_000) + b"x" * 1_000_000
    assert len(scan(data, 0, len(data), EXPLICIT_LITTLE)[0x00100020]) == scanner.MAX_VALUE_BYTES


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED]))
def test_rubbish_is_malformed_or_read(data, syntax):
    body = bytearray(data_set())
    for _ in range(data.draw(st.integers(0, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_elements(scan(bytes(body), 0, len(body), syntax))
    except Malformed:
        return


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_text_of_any_bytes_in_any_character_set_decodes(charset, name):
    decoded = decode_elements({0x00080005: charset, 0x00100010: name})
    assert decoded.patient_name is not None


@given(st.lists(st.sampled_from(["", "ISO 2022 IR 87", "ISO 2022 IR 149", "ISO 2022 IR 58", "ISO_IR 192"])), st.data())
def test_broken_escape_sequences_decode(terms, data):
    pieces = st.sampled_from(
        [b"\x1b$B", b"\x1b$)C", b"\x1b(J", b"\x1b", b"\xb0\xb0", b"abc", b"^", b"\x1b$)A", b"\xff"]
    )
    name = b"".join(data.draw(st.lists(pieces, max_size=8)))
    decode_elements({0x00080005: "\\".join(terms).encode(), 0x00100010: name})
