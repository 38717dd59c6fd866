"""Receipts: a line for each image, what has come of it, and files that are never written again once succeeded."""

import errno
import json
import os

import pytest
from dicomwire import (
    CT,
    RELEASE_RQ,
    command,
    data_set,
    p_data,
    pdv,
    store,
    ui,
    us,
)
from scripted import HEART_REQUEST, SERIES, Site, run_all

from listener import receipts as receipts_module
from listener.dimse import Command
from listener.receipts import Event, Receipt, Receipts, Sender, format_receipt


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path, receipts_dir=str(tmp_path / "receipts"), service="heart", worker=2)
    yield made
    made.close()


def lines(site):
    files = sorted((site.root / "receipts").iterdir())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def image(number, **more):
    uid = f"1.2.3.{number}"
    return store(3, CT, uid, data_set(uid, number=str(number), **more), number)


def moved(number, originator=b"\0\0\x30\x10\x06\0\0\0PFDCM ", move_id=77):
    uid = f"1.2.3.{number}"
    asked = command(ui(2, CT), us(0x0100, 1), us(0x0110, 1), us(0x0800, 0), ui(0x1000, uid))
    asked += originator + us(0x1031, move_id)
    return p_data(pdv(3, 3, asked)) + p_data(pdv(3, 2, data_set(uid, number=str(number))))


def test_a_filed_image_is_told_with_its_place_and_the_move_that_it_answers(site):
    site.connect(HEART_REQUEST, moved(1), RELEASE_RQ)
    (line,) = lines(site)
    assert line.pop("t") > 1.6e9
    assert line == {
        "event": "filed",
        "study": "1.2",
        "series": "1.2.3",
        "instance": "1.2.3.1",
        "sop_class": CT,
        "bytes": len(data_set("1.2.3.1", number="1")),
        "dir": SERIES,
        "data_dir": str(site.root / "data"),
        "file": "00001-1.2.3.1.dcm",
        "calling": "PACS",
        "called": "HEART",
        "originator": "PFDCM",
        "move_id": 77,
        "status": 0,
        "reason": "",
    }
    (file,) = (site.root / "receipts").iterdir()
    assert file.name.startswith(f"heart-2-{os.getpid()}-")
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_receipt_is_there_before_the_answer_is_and_the_file_before_the_receipt(site):
    seen = []

    def look(number):
        if number == 2:
            seen.extend(lines(site))
            assert [name for name in site.files() if name.endswith(".dcm")] == [f"{SERIES}/00001-1.2.3.1.dcm"]

    site.connect(HEART_REQUEST, image(1), RELEASE_RQ, before_each=look)
    assert [line["event"] for line in seen] == ["filed"]


def test_an_instance_that_comes_again_is_told_by_the_name_that_it_has(site):
    site.connect(HEART_REQUEST, image(1), image(1), image(1, pixels=bytes(18)), RELEASE_RQ)
    told = [(line["event"], line["file"].partition(".differs-")[0], line["move_id"]) for line in lines(site)]
    name = "00001-1.2.3.1.dcm"
    assert told == [("filed", name, None), ("same", name, None), ("different", name, None)]
    assert (site.root / "data" / SERIES / lines(site)[2]["file"]).exists()


def test_a_refused_image_is_told_with_status_and_reason(site):
    other = store(3, CT, "1.2.3.7", data_set("1.2.3.8"))
    no_class = store(3, "1.2.3.4", "1.2.3.9", data_set("1.2.3.9"))
    site.connect(HEART_REQUEST, other, no_class, RELEASE_RQ)
    mismatch, unsupported = lines(site)
    assert (mismatch["event"], mismatch["status"], mismatch["series"]) == ("quarantined", 0xA900, "1.2.3")
    assert mismatch["reason"] == "SOPInstanceUID is another than in the command"
    assert (unsupported["event"], unsupported["status"]) == ("refused", 0x0122)
    assert (unsupported["instance"], unsupported["bytes"]) == ("1.2.3.9", 0)


def test_an_image_that_is_cut_off_is_told_with_the_bytes_that_came(site):
    whole = image(1)
    site.connect(HEART_REQUEST, whole[:-10])
    (line,) = lines(site)
    # of a fragment, what has come of it
    assert (line["event"], line["instance"]) == ("cut off", "1.2.3.1")
    assert line["bytes"] == len(data_set("1.2.3.1", number="1")) - 10


def test_nobody_wants_receipts(tmp_path):
    without = Site(tmp_path)
    without.connect(HEART_REQUEST, image(1), RELEASE_RQ)
    assert len(without.images()) == 1
    without.close()


def test_titles_and_uids_of_strangers_stay_on_their_line():
    asked = Command(1, 1, True, "1" * 100, '1.2"\n3', "A\x1b[31m\u20ac" + "X" * 90)
    line = format_receipt(Receipt(Event.REFUSED, Sender("\n\r", "a\0b"), asked, 0x0110, reason="x\ny"), "/data", 1.0)
    assert line.count(b"\n") == 1 and line.endswith(b"\n") and line.isascii()
    told = json.loads(line)
    assert (told["calling"], told["called"], told["originator"]) == ("??", "a?b", "A?[31m?XXXXXXXXX")
    assert (len(told["sop_class"]), told["instance"], told["reason"]) == (64, '1.2"\n3', "x?y")


def receipt(number=1):
    return Receipt(Event.FILED, Sender("A", "B"), Command(1, 1, True, CT, f"1.2.{number}"))


def test_a_long_file_gets_a_successor(tmp_path, monkeypatch):
    monkeypatch.setattr(receipts_module, "MAX_FILE_BYTES", 2000)
    written = Receipts(str(tmp_path), "a", 0, "/data")
    for number in range(20):
        written.write(receipt(number))
    written.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    instances = [json.loads(line)["instance"] for file in files for line in file.read_text().splitlines()]
    assert instances == [f"1.2.{number}" for number in range(20)]


def test_many_threads_write_whole_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(receipts_module, "MAX_FILE_BYTES", 5000)
    written = Receipts(str(tmp_path), "a", 0, "/data")
    run_all(*[lambda n=n: [written.write(receipt(100 * n + m)) for m in range(50)] for n in range(8)])
    written.close()
    told = [json.loads(line)["instance"] for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert sorted(told) == sorted(f"1.2.{100 * n + m}" for n in range(8) for m in range(50))


def test_a_full_disk_fails_no_image_and_is_logged_once(site, monkeypatch, caplog):
    real = os.write

    def full(fd, data):
        if b'"event"' in bytes(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        site.connect(HEART_REQUEST, image(1), image(2), RELEASE_RQ)
    assert len(site.images()) == 2
    assert caplog.text.count("receipts cannot be written: No space left on device") == 1
    site.connect(HEART_REQUEST, image(3), RELEASE_RQ)
    assert [line["instance"] for line in lines(site)] == ["1.2.3.3"]


def test_half_a_line_spoils_no_other(tmp_path, monkeypatch):
    real = os.write
    written = Receipts(str(tmp_path), "a", 0, "/data")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, data: real(fd, data[:40]))
        written.write(receipt(1))
    written.write(receipt(2))
    written.close()
    (file,) = tmp_path.iterdir()
    half, whole = file.read_text().splitlines()
    assert len(half) == 40
    assert json.loads(whole)["instance"] == "1.2.2"
