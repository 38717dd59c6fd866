"""Files on a real disk: series look-up, elements, copies, atomic texts."""

import asyncio
import json
import os
import shutil
import threading
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from writtenimages import write_image

from pfdcmd.edge.files import Files
from pfdcmd.errors import ParameterFault, StorageFault

UID = "1.2.840.1"
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "pacs.json").read_text())
TAGS = next(step["reply"] for step in GOLDEN["steps"] if step["id"] == "tags")["DICOMtagsGet"]["d_dicom"]


@pytest.fixture
def files():
    port = Files()
    yield port
    port.close()


@pytest.fixture
def series(tmp_path):
    directory = tmp_path / "data" / "series"
    directory.mkdir(parents=True)
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / f"{UID}.json").write_text(json.dumps({UID: str(directory)}))
    return directory


def look_up(files, tmp_path, uid=UID):
    return asyncio.run(files.series(str(tmp_path / "map"), uid))


def test_a_series_is_complete_when_its_marker_is_there_and_the_other_is_not(files, tmp_path, series):
    for name in ("00001-1.dcm", "00002-2.dcm", "receiving.series", "note.txt"):
        (series / name).touch()
    assert (look_up(files, tmp_path).count, look_up(files, tmp_path).is_complete) == (2, False)
    (series / "series.info").touch()
    assert not look_up(files, tmp_path).is_complete
    (series / "receiving.series").unlink()
    found = look_up(files, tmp_path)
    assert (found.directory, found.count, found.is_complete) == (str(series), 2, True)


def test_no_map_file_is_no_series_and_a_lost_directory_is_an_empty_one(files, tmp_path, series):
    assert look_up(files, tmp_path, "1.2.840.2") is None
    series.rmdir()
    assert (look_up(files, tmp_path).count, look_up(files, tmp_path).is_complete) == (0, False)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"1.2.840.1": 7}', '{"1.2.840.1": "x"}', "[" * 60_000, "\udcff", " " * 70_000]
)
def test_a_map_file_that_is_none_is_a_fault(files, tmp_path, series, text):
    (tmp_path / "map" / f"{UID}.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StorageFault, match="map file"):
        look_up(files, tmp_path)


def test_only_uids_are_joined_to_a_path(files, tmp_path, series):
    (tmp_path / "secret.json").write_text(json.dumps({"../secret": "/etc"}))
    with pytest.raises(ParameterFault):
        look_up(files, tmp_path, "../secret")


def test_elements_are_the_recorded_ones(files, tmp_path):
    for path in (Path(get_testdata_file("DICOMDIR")).parent / "98892003" / "MR700").iterdir():
        data_set = pydicom.dcmread(path, stop_before_pixels=True)
        shutil.copy(path, tmp_path / f"{int(data_set.InstanceNumber):05}-{data_set.SOPInstanceUID}.dcm")
    found = asyncio.run(files.tags(str(tmp_path)))
    assert found == TAGS
    assert list(found) == list(TAGS)


def test_elements_of_the_first_image_by_name_without_bulk_data(files, tmp_path):
    write_image(tmp_path / "00002-2.dcm", PatientID="second")
    write_image(
        tmp_path / "00001-1.dcm",
        PatientID="first",
        EncapsulatedDocument=b"x" * 100_000,
        BitsAllocated=8,
        PixelData=b"\0\0",
    )
    (tmp_path / "00000-0.txt").touch()
    found = asyncio.run(files.tags(str(tmp_path)))
    assert found["PatientID"] == "first"
    assert found["EncapsulatedDocument"] == "100000 bytes"
    assert "PixelData" not in found


def test_an_element_that_breaks_the_standard_is_shown_as_it_is(files, tmp_path):
    write_image(tmp_path / "1.dcm", StudyDate="20010101")
    content = (tmp_path / "1.dcm").read_bytes().replace(b"20010101", b"2001-1-1")
    (tmp_path / "1.dcm").write_bytes(content)
    assert asyncio.run(files.tags(str(tmp_path)))["StudyDate"] == "2001-1-1"


@pytest.mark.parametrize("begins_at", [128 + 4, "data set"])
def test_an_image_that_the_original_wrote_without_preamble_has_its_elements(files, tmp_path, begins_at):
    """Either the File Meta elements come first then, or the data set does."""
    image = Path(get_testdata_file("dicomdirtests/77654033/CT2/17136"))
    content = image.read_bytes()
    if begins_at == "data set":
        begins_at = 128 + 4 + 12 + pydicom.dcmread(image).file_meta.FileMetaInformationGroupLength
    (tmp_path / "1.dcm").write_bytes(content)
    expected = asyncio.run(files.tags(str(tmp_path)))
    (tmp_path / "1.dcm").write_bytes(content[begins_at:])
    assert asyncio.run(files.tags(str(tmp_path))) == expected
    assert expected["PatientID"] == "77654033"


@pytest.mark.parametrize("content", [b"no image at all" * 20, b"\x08\0\x05\0CS\x0a\0ISO_IR 100"])
def test_what_does_not_say_which_instance_it_is_is_no_image(files, tmp_path, content):
    (tmp_path / "1.dcm").write_bytes(content)
    with pytest.raises(StorageFault, match="cannot be read"):
        asyncio.run(files.tags(str(tmp_path)))


@pytest.mark.parametrize("content", [b"", b"DICM", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM\x02\0\0\0UL\xff"])
def test_an_image_that_cannot_be_read_is_a_fault(files, tmp_path, content):
    (tmp_path / "1.dcm").write_bytes(content)
    try:
        assert "PatientID" not in asyncio.run(files.tags(str(tmp_path)))
    except StorageFault as fault:
        assert fault.message == "The image cannot be read."


def test_a_directory_without_images_is_a_fault(files, tmp_path):
    with pytest.raises(StorageFault, match="no image"):
        asyncio.run(files.tags(str(tmp_path)))


def test_a_copy_has_the_files_and_not_what_links_point_to(files, tmp_path):
    source, outside = tmp_path / "source", tmp_path / "outside"
    source.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (source / "1.dcm").write_bytes(b"image")
    (source / "link.dcm").symlink_to(outside / "secret")
    (source / "linked").symlink_to(outside)
    os.mkfifo(source / "fifo")
    target = tmp_path / "new" / "deep" / UID
    assert asyncio.run(files.copy_tree(str(source), str(target))) is True
    assert [path.name for path in target.iterdir()] == ["1.dcm"]
    assert (target / "1.dcm").read_bytes() == b"image"
    assert target.stat().st_mode == source.stat().st_mode
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_a_target_that_is_there_is_left_alone(files, tmp_path, kind):
    source, target = tmp_path / "source", tmp_path / UID
    source.mkdir()
    (source / "1.dcm").touch()
    if kind == "directory":
        target.mkdir()
    elif kind == "file":
        target.touch()
    else:
        target.symlink_to(tmp_path / "nowhere")
    assert asyncio.run(files.copy_tree(str(source), str(target))) is False
    assert {path.name for path in tmp_path.iterdir()} == {"source", UID}


def test_of_two_copies_at_once_one_is_made(files, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for number in range(50):
        (source / f"{number}.dcm").write_bytes(b"x" * 1000)

    async def both():
        return await asyncio.gather(*(files.copy_tree(str(source), str(tmp_path / UID)) for _ in range(4)))

    assert sorted(asyncio.run(both())) == [False, False, False, True]
    assert {path.name for path in tmp_path.iterdir()} == {"source", UID}
    assert len(list((tmp_path / UID).iterdir())) == 50


def test_a_copy_that_cannot_be_made_leaves_nothing(files, tmp_path):
    with pytest.raises(StorageFault, match="cannot be made"):
        asyncio.run(files.copy_tree(str(tmp_path / "nowhere"), str(tmp_path / UID)))
    (tmp_path / "file").touch()
    with pytest.raises(StorageFault, match="cannot be made"):
        asyncio.run(files.copy_tree(str(tmp_path), str(tmp_path / "file" / UID)))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_text_is_always_seen_whole(files, tmp_path):
    path, texts, seen = tmp_path / "new" / "text", ["a" * 200_000, "b" * 100_000], set()
    stop = threading.Event()

    def read():
        while not stop.is_set():
            if path.exists():
                seen.add(path.read_text())

    async def write():
        for number in range(40):
            await files.write_text(str(path), texts[number % 2])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        asyncio.run(write())
    finally:
        stop.set()
        reader.join()
    assert seen <= set(texts)
    assert [entry.name for entry in path.parent.iterdir()] == ["text"]
    assert asyncio.run(files.read_text(str(path))) == texts[1]


def test_what_cannot_be_read_written_or_made_is_a_fault_that_names_it(files, tmp_path):
    (tmp_path / "file").touch()
    below = str(tmp_path / "file" / "x")
    with pytest.raises(StorageFault, match="file/x cannot be written"):
        asyncio.run(files.write_text(below, ""))
    with pytest.raises(StorageFault, match="file/x cannot be read"):
        asyncio.run(files.read_text(below))
    with pytest.raises(StorageFault, match=r"file/x cannot be made: .*--dicomDir"):
        asyncio.run(files.make_directories([below]))
    with pytest.raises(StorageFault, match="longer than"):
        (tmp_path / "large").write_bytes(b"x" * 2_000_000)
        asyncio.run(files.read_text(str(tmp_path / "large")))


def test_a_pipe_in_place_of_a_file_holds_nobody_up(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    files = Files()
    with pytest.raises(StorageFault, match="not a regular file"):
        asyncio.run(files.read_text(str(pipe)))
    files.close()


def test_links_that_were_planted_among_images_are_not_followed(files, tmp_path, series):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_image(elsewhere / "secret.dcm")
    (series / "0.dcm").symlink_to(elsewhere / "secret.dcm")
    os.mkfifo(series / "00.dcm")
    assert look_up(files, tmp_path).count == 0
    with pytest.raises(StorageFault, match="no image"):
        asyncio.run(files.tags(str(series)))
    linked = tmp_path / "linked"
    linked.symlink_to(elsewhere)
    (tmp_path / "map" / f"{UID}.json").write_text(json.dumps({UID: str(linked)}))
    with pytest.raises(StorageFault):
        look_up(files, tmp_path)
    with pytest.raises(StorageFault):
        asyncio.run(files.tags(str(linked)))
    with pytest.raises(StorageFault, match="link"):
        asyncio.run(files.copy_tree(str(linked), str(tmp_path / "copy")))
    assert not (tmp_path / "copy").exists()
