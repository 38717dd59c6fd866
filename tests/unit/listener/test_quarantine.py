"""Quarantine and replay: what cannot be filed is kept as it came, bounded, and filed when the obstacle is gone."""

import errno
import json
import os
import stat

import pytest
from dicomwire import (
    CT,
    EXPLICIT_LITTLE,
    RELEASE_RQ,
    command,
    data_set,
    element,
    p_data,
    pdv,
    store,
    ui,
    us,
)
from scripted import HEART_REQUEST, SERIES, Site, answers

from listener import quarantine as quarantine_module
from listener import replaycli
from listener.config import Config
from listener.opening import open_archive
from listener.part10 import encode_header
from listener.storage import Storage, open_receipts


def image(number, content=None):
    uid = f"1.2.3.{number}"
    return store(3, CT, uid, data_set(uid, number=str(number)) if content is None else content, number)


def kept(site):
    """Names and bytes of what is in quarantine."""
    return {name: data for name, data in site.files("quarantine").items() if name.endswith(".dcm")}


def notes(site):
    return [json.loads(data) for name, data in site.files("quarantine").items() if name.endswith(".json")]


IDENTITY = element(0x00080016, b"UI", CT.encode()) + element(0x00080018, b"UI", b"1.2.3.1")
BAD = {
    "cut short": (data_set("1.2.3.1")[:-3], 0xC000),
    "rubbish": (b"AA" * 400, 0xC000),
    "another instance": (data_set("1.2.3.99"), 0xA900),
    "another class": (data_set("1.2.3.1", sop_class="1.2.840.10008.5.1.4.1.1.4"), 0xA900),
    "no UIDs": (data_set("1.2.3.1")[len(IDENTITY) :], 0xA900),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_filed_is_kept_as_it_came_and_still_refused(site, what):
    content, status = BAD[what]
    sock, connection = site.connect(HEART_REQUEST, image(1, content))
    assert answers(sock) == [status]
    assert connection.tally.refused_by == {"quarantined": 1}
    (data,) = kept(site).values()
    assert data == encode_header(CT, "1.2.3.1", EXPLICIT_LITTLE) + content
    assert site.files() == {}
    assert site.files("tmp") == {}


def test_the_note_says_whence_and_why_and_nothing_of_the_patient(site):
    extra = b"\0\0\x30\x10\x06\0\0\0PFDCM " + us(0x1031, 77)
    asked = command(ui(2, CT), us(0x0100, 1), us(0x0110, 1), us(0x0800, 0), ui(0x1000, "1.2.3.1")) + extra
    site.connect(HEART_REQUEST, p_data(pdv(3, 3, asked)) + p_data(pdv(3, 2, data_set("1.2.3.99"))), RELEASE_RQ)
    (note,) = notes(site)
    assert note.pop("time").startswith("20")
    assert note == {
        "service": "dicomlistener",
        "peer": "192.0.2.1",
        "calling": "PACS",
        "called": "HEART",
        "sop_class": CT,
        "sop_instance": "1.2.3.1",
        "transfer_syntax": EXPLICIT_LITTLE,
        "status": "A900",
        "reason": "SOPInstanceUID is another than in the command",
        "move_originator": "PFDCM",
        "move_originator_message_id": 77,
        "bytes": len(data_set("1.2.3.99")),
    }
    (name,) = kept(site)
    assert set(site.files("quarantine")) == {name, name.removesuffix(".dcm") + ".json"}


def test_it_is_on_disk_before_the_failure_is_answered_and_for_nobody_else(site, monkeypatch):
    synced = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (synced.append(os.fstat(fd).st_ino), real(fd)))

    def look(number):
        if number == 2:
            (name,) = kept(site)
            assert (site.root / "quarantine" / name).stat().st_ino in synced

    site.connect(HEART_REQUEST, image(1, b"AA" * 400), RELEASE_RQ, before_each=look)
    assert synced
    assert stat.S_IMODE((site.root / "quarantine").stat().st_mode) == 0o700


def test_a_path_that_cannot_be_made_sends_the_image_to_quarantine(site):
    (site.root / "data" / "P1-Doe.Jane").write_text("a file where a directory should be")
    sock, _ = site.connect(HEART_REQUEST, image(1), RELEASE_RQ)
    assert answers(sock) == [0x0110]
    assert len(kept(site)) == 1


@pytest.mark.parametrize("limit", [{"quarantine_max_files": 2}, {"quarantine_max_bytes": 2600}])
def test_the_quarantine_is_bounded_and_what_is_dropped_is_said(tmp_path, caplog, limit):
    site = Site(tmp_path, **limit)
    bad = [image(number, b"AA" * 400) for number in range(1, 6)]
    _, connection = site.connect(HEART_REQUEST, *bad, RELEASE_RQ)
    assert connection.tally.refused_by == {"quarantined": 2, "images": 3}
    assert len(kept(site)) == len(notes(site)) == 2
    assert caplog.text.count("could not be put into quarantine, and is dropped: there are") == 3
    site.close()


def test_what_others_put_there_counts_too(tmp_path):
    site = Site(tmp_path, quarantine_max_files=3)
    (tmp_path / "quarantine").mkdir(mode=0o700)
    for number in range(3):
        (tmp_path / "quarantine" / f"{number}.dcm").write_bytes(b"")
    site.connect(HEART_REQUEST, image(1, b"AA" * 400), RELEASE_RQ)
    assert len(kept(site)) == 3
    site.close()


def test_what_there_is_no_room_for_is_not_kept(tmp_path):
    site = Site(tmp_path, max_image_bytes=1024)
    site.connect(HEART_REQUEST, image(1, data_set("1.2.3.1", pixels=bytes(5000))), RELEASE_RQ)
    assert not (tmp_path / "quarantine").exists()
    site.close()


def test_a_quarantine_that_fails_changes_no_answer(site, monkeypatch):
    def failing(*_args, **_more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(quarantine_module.Spool, "write_text", failing)
    sock, connection = site.connect(HEART_REQUEST, image(1, b"AA" * 400))
    assert answers(sock) == [0xC000]
    assert connection.tally.refused_by == {"images": 1}
    assert kept(site) == {}


def test_an_image_that_cannot_be_named_there_leaves_no_note(site, monkeypatch):
    monkeypatch.setattr(quarantine_module.secrets, "token_hex", lambda _size: "taken")
    monkeypatch.setattr(site.spool, "place", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    site.connect(HEART_REQUEST, image(1, b"AA" * 400))
    assert site.files("quarantine") == {}


def test_a_quarantine_on_another_file_system_gets_a_copy(tmp_path, monkeypatch):
    site = Site(tmp_path, quarantine_dir=str(tmp_path / "elsewhere" / "kept"))

    def place(*_):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(site.spool, "place", place)
    site.connect(HEART_REQUEST, image(1, b"AA" * 400))
    (data,) = [data for name, data in site.files("elsewhere/kept").items() if name.endswith(".dcm")]
    assert data.endswith(b"AA" * 400)
    assert len(site.files("elsewhere/kept")) == 2
    site.close()


def test_a_directory_that_others_can_use_is_passed_over(site):
    (site.root / "quarantine").mkdir(mode=0o777)
    (site.root / "quarantine").chmod(0o777)
    site.connect(HEART_REQUEST, image(1, b"AA" * 400))
    assert kept(site) == {}
    assert len(site.files("tmp/quarantine")) == 2


def test_a_link_is_not_followed_to_a_quarantine(site):
    (site.root / "outside").mkdir(mode=0o700)
    (site.root / "quarantine").symlink_to(site.root / "outside")
    site.connect(HEART_REQUEST, image(1, b"AA" * 400))
    assert site.files("outside") == {}
    assert len(site.files("tmp/quarantine")) == 2


def test_whoever_reads_the_data_directory_finds_no_quarantine_beside_the_images(tmp_path):
    directories = {"data_dir": str(tmp_path), "log_dir": str(tmp_path / "log"), "tmp_dir": str(tmp_path / "tmp")}
    config = Config(**directories)
    storage = Storage(config, open_archive(config), open_receipts(config))
    assert storage.quarantine.open().directory == str(tmp_path / "tmp" / "quarantine")
    storage.close()


def test_a_removed_quarantine_is_made_again(site):
    site.connect(HEART_REQUEST, image(1, b"AA" * 400), RELEASE_RQ)
    for path in (site.root / "quarantine").iterdir():
        path.unlink()
    (site.root / "quarantine").rmdir()
    site.connect(HEART_REQUEST, image(2, b"AA" * 400), RELEASE_RQ)
    assert len(kept(site)) == 1
    assert stat.S_IMODE((site.root / "quarantine").stat().st_mode) == 0o700


def replay(site, *arguments):
    directories = [word for key, name in (("-d", "data"), ("-l", "log"), ("-t", "tmp")) for word in (key, name)]
    words = [str(site.root / word) if index % 2 else word for index, word in enumerate(directories)]
    return replaycli.main([*words, *arguments])


def test_replay_files_an_image_whose_obstacle_is_gone(site, capsys):
    obstacle = site.root / "data" / "P1-Doe.Jane"
    obstacle.write_text("a file where a directory should be")
    site.connect(HEART_REQUEST, image(1), RELEASE_RQ)
    assert replay(site, "--all") == 1
    assert "0 filed, 1 not" in capsys.readouterr().out
    obstacle.unlink()
    assert replay(site, "--all", "--dry-run") == 0
    assert site.images() == {}
    assert replay(site, "--all") == 0
    shown = capsys.readouterr().out
    assert ": filed, 1.2.3.1\n" in shown
    assert shown.endswith("1 filed, 0 not\n")
    assert list(site.images()) == [f"{SERIES}/00001-1.2.3.1.dcm"]
    assert f"{SERIES}/series.info" in site.files()
    assert json.loads(site.files("log")["series_map/1.2.3.json"])
    assert site.files("quarantine") == {}


def test_replay_files_what_was_mended_and_leaves_the_rest(site, capsys):
    site.connect(HEART_REQUEST, image(1, b"AA" * 400), image(2, b"BB" * 400), RELEASE_RQ)
    first, second = sorted(kept(site))
    mended = data_set("1.2.3.1", number="1")
    (site.root / "quarantine" / first).write_bytes(encode_header(CT, "1.2.3.1", EXPLICIT_LITTLE) + mended)
    assert replay(site, first) == 0
    assert replay(site, second.removesuffix(".dcm"), "absent") == 1
    shown = capsys.readouterr().out
    assert f"{second.removesuffix('.dcm')}: stays, C000: " in shown
    assert "absent: not in quarantine" in shown
    assert list(kept(site)) == [second]
    assert site.images()[f"{SERIES}/00001-1.2.3.1.dcm"].endswith(mended)


@pytest.mark.parametrize("content", [b"", b"x" * 500, encode_header(CT, "../../x", EXPLICIT_LITTLE) + data_set()])
def test_replay_leaves_what_is_no_image(site, content):
    (site.root / "quarantine").mkdir(mode=0o700)
    (site.root / "quarantine" / "made-up.dcm").write_bytes(content)
    assert replay(site, "--all") == 1
    assert list(kept(site)) == ["made-up.dcm"]
    assert site.files() == {}


@pytest.mark.parametrize("arguments", [[], ["--all", "name"], ["--all", "--config", "/nonexistent"]])
def test_replay_says_what_it_cannot_use(site, capsys, arguments):
    assert replay(site, *arguments) == 2
    assert capsys.readouterr().err.startswith("pfdcm-listener replay: ")


def test_a_replayed_image_has_its_receipt(tmp_path):
    site = Site(tmp_path, receipts_dir=str(tmp_path / "receipts"))
    obstacle = site.root / "data" / "P1-Doe.Jane"
    obstacle.write_text("a file where a directory should be")
    site.connect(HEART_REQUEST, image(1), RELEASE_RQ)
    obstacle.unlink()
    configuration = tmp_path / "listener.json"
    keys = ("data_dir", "log_dir", "tmp_dir", "receipts_dir")
    configuration.write_text(json.dumps({key: getattr(site.config, key) for key in keys}))
    assert replaycli.main(["--config", str(configuration), "--all"]) == 0
    told = [json.loads(line) for data in site.files("receipts").values() for line in data.splitlines()]
    events = sorted((line["event"], line["calling"], line["series"], line["reason"]) for line in told)
    assert events[0] == ("filed", "PACS", "1.2.3", "from quarantine")
    assert [event[0] for event in events] == ["filed", "quarantined"]
    site.close()
