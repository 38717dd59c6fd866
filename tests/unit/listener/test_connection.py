"""A whole connection on a scripted socket: what is filed, what is answered, what is left."""

import errno
import json
import os
import shutil
from itertools import pairwise

import pytest
from dicomwire import (
    CT,
    EXPLICIT_LITTLE,
    RELEASE_RQ,
    VERIFICATION,
    associate_rq,
    context_item,
    data_set,
    echo_command,
    p_data,
    pdv,
    store,
    store_command,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from scripted import SERIES, Site, answers

from listener import image as image_module
from listener import spool
from listener.part10 import encode_header
from listener.serieslock import close_abandoned

REQUEST = associate_rq(context_item(1, VERIFICATION, EXPLICIT_LITTLE), context_item(3, CT, EXPLICIT_LITTLE))


def image(number, **more):
    uid = f"1.2.3.{number}"
    return store(3, CT, uid, data_set(uid, number=str(number), **more), number)


@pytest.fixture
def written(tmp_path):
    made = Site(tmp_path, ack="written")
    yield made
    made.close()


@pytest.mark.parametrize("ack", ["durable", "written"])
def test_images_are_filed_as_they_come(tmp_path, ack):
    site = Site(tmp_path, ack=ack)
    sock, connection = site.connect(REQUEST, image(1), image(2), RELEASE_RQ)
    assert answers(sock) == [0, 0]
    assert connection.tally.images == 2
    assert set(site.files()) == {
        "P1-Doe.Jane/patient.info",
        "P1-Doe.Jane/Head-20200102-1.2/study.info",
        f"{SERIES}/series.info",
        f"{SERIES}/00001-1.2.3.1.dcm",
        f"{SERIES}/00002-1.2.3.2.dcm",
    }
    filed = dcmread(tmp_path / "data" / SERIES / "00002-1.2.3.2.dcm")
    assert (filed.PatientName, filed.PixelData) == ("Doe^Jane", bytes(16))
    assert site.files()[f"{SERIES}/00002-1.2.3.2.dcm"].endswith(data_set("1.2.3.2", number="2"))
    assert json.loads(site.files("log")["series_map/1.2.3.json"]) == {"1.2.3": f"{tmp_path}/data/{SERIES}"}
    assert site.files("tmp") == {}
    site.close()


def test_success_is_answered_only_when_the_image_has_its_name(site):
    directory = site.root / "data" / SERIES
    seen = []

    def look(_number):
        seen.append(sorted(path.name for path in directory.glob("*")))

    site.connect(REQUEST, image(1), image(2), RELEASE_RQ, before_each=look)
    assert seen[2] == ["00001-1.2.3.1.dcm", "receiving.series"]
    assert seen[3] == ["00001-1.2.3.1.dcm", "00002-1.2.3.2.dcm", "receiving.series"]
    assert (directory / "series.info").exists()
    assert not (directory / "receiving.series").exists()


WHOLE = REQUEST + image(1) + p_data(pdv(1, 3, echo_command())) + image(2, pixels=bytes(range(250))) + RELEASE_RQ


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, len(WHOLE) - 1), max_size=40))
def test_any_fragmentation_gives_the_same_files(tmp_path_factory, cuts):
    root = tmp_path_factory.mktemp("fragments")
    site = Site(root, ack="written")
    edges = [0, *sorted(set(cuts)), len(WHOLE)]
    sock, _ = site.connect(*(WHOLE[a:b] for a, b in pairwise(edges)))
    assert answers(sock) == [0, 0, 0]
    assert site.images() == {
        f"{SERIES}/00001-1.2.3.1.dcm": part10(1, data_set("1.2.3.1", number="1")),
        f"{SERIES}/00002-1.2.3.2.dcm": part10(2, data_set("1.2.3.2", number="2", pixels=bytes(range(250)))),
    }
    site.close()
    shutil.rmtree(root)


def part10(number, content):
    return encode_header(CT, f"1.2.3.{number}", EXPLICIT_LITTLE) + content


@pytest.mark.parametrize("stop", [*range(1, len(WHOLE), 37), len(WHOLE) - len(RELEASE_RQ), len(WHOLE) - 1])
def test_an_association_that_breaks_off_leaves_whole_images_only(written, stop):
    sock, connection = written.connect(WHOLE[:stop])
    expected = sum(stop >= WHOLE.index(each) + len(each) for each in (image(1), image(2, pixels=bytes(range(250)))))
    assert len(written.images()) == expected == connection.tally.images
    assert len([each for each in answers(sock) if each == 0]) >= expected
    assert written.files("tmp") == {}
    assert not [name for name in written.files() if name.endswith("receiving.series")]


def test_the_same_instance_again_is_acknowledged_and_not_written(site):
    site.connect(REQUEST, image(1), RELEASE_RQ)
    path = site.root / "data" / SERIES / "00001-1.2.3.1.dcm"
    before = path.stat()
    sock, _ = site.connect(REQUEST, image(1), RELEASE_RQ)
    assert answers(sock) == [0]
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(site.images()) == [f"{SERIES}/00001-1.2.3.1.dcm"]
    assert site.files("tmp") == {}


def test_another_image_under_the_same_uid_is_kept_beside_the_first(site):
    first, other = image(1), image(1, pixels=b"other pixel data")
    sock, _ = site.connect(REQUEST, first, other, other, RELEASE_RQ)
    assert answers(sock) == [0, 0, 0]
    names = sorted(name for name in site.files() if "1.2.3.1" in name.rsplit("/", 1)[1])
    assert len(names) == 2
    assert names[0].endswith("00001-1.2.3.1.dcm")
    assert ".dcm.differs-" in names[1]
    assert site.files()[names[0]].endswith(bytes(16))
    assert site.files()[names[1]].endswith(b"other pixel data")


def test_one_bad_image_harms_no_other(site):
    cut = store(3, CT, "1.2.3.8", data_set("1.2.3.8")[:-3])
    wrong_instance = store(3, CT, "1.2.3.9", data_set("1.2.3.10"))
    wrong_class = store(3, CT, "1.2.3.9", data_set("1.2.3.9", sop_class="1.2.840.10008.5.1.4.1.1.4"))
    rubbish = store(3, CT, "1.2.3.9", b"AA" * 400)
    sock, connection = site.connect(REQUEST, image(1), cut, wrong_instance, wrong_class, rubbish, image(2), RELEASE_RQ)
    assert answers(sock) == [0, 0xC000, 0xA900, 0xA900, 0xC000, 0]
    assert sorted(site.images()) == [f"{SERIES}/00001-1.2.3.1.dcm", f"{SERIES}/00002-1.2.3.2.dcm"]
    assert (connection.tally.images, connection.tally.refused) == (2, 4)
    assert site.files("tmp") == {}


def test_an_image_over_the_limit_is_out_of_resources(tmp_path):
    site = Site(tmp_path, max_image_bytes=1024)
    sock, _ = site.connect(REQUEST, image(1, pixels=bytes(5000)), image(2), RELEASE_RQ)
    assert answers(sock) == [0xA700, 0]
    assert list(site.images()) == [f"{SERIES}/00002-1.2.3.2.dcm"]
    assert site.files("tmp") == {}
    site.close()


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 0xA700), (errno.EDQUOT, 0xA700), (errno.EIO, 0x0110), (errno.EROFS, 0x0110)]
)
@pytest.mark.parametrize("call", ["writev", "fdatasync", "link", "fsync"])
def test_errors_of_the_disk_are_answered_and_leave_nothing(site, monkeypatch, call, number, status):
    site.connect(REQUEST, image(1), RELEASE_RQ)
    real = getattr(os, call)

    def failing(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(spool.os, call, failing)
    try:
        sock, _ = site.connect(REQUEST, image(2))
    finally:
        monkeypatch.setattr(spool.os, call, real)
    assert answers(sock) == [status]
    sock, _ = site.connect(REQUEST, image(3), RELEASE_RQ)
    assert answers(sock) == [0]
    close_abandoned(site.archive, lambda name: None)
    assert site.files("tmp") == {}
    assert not [name for name in site.files() if name.endswith("receiving.series")]


def test_a_directory_removed_under_us_is_made_again(site):
    def remove(number):
        if number in (2, 3):
            shutil.rmtree(site.root / "data" / ("P1-Doe.Jane" if number == 2 else ""))

    sock, _ = site.connect(REQUEST, image(1), image(2), image(3), RELEASE_RQ, before_each=remove)
    assert answers(sock) == [0, 0, 0]
    assert f"{SERIES}/00003-1.2.3.3.dcm" in site.images()
    assert f"{SERIES}/series.info" in site.files()


def test_a_spool_removed_under_us_is_made_again(site):
    site.connect(REQUEST, image(1), RELEASE_RQ)
    shutil.rmtree(site.root / "tmp")
    sock, _ = site.connect(REQUEST, image(2), RELEASE_RQ)
    assert answers(sock) == [0]


@pytest.mark.parametrize("is_nameless", [True, False])
def test_an_image_begun_before_the_data_directory_was_mounted_over_was_refused(site, monkeypatch, is_nameless):
    site.spool._can_do_without_names = is_nameless
    real = os.link
    pending = ["once"]

    def link(source, name, **more):
        if name.endswith(".dcm") and pending:
            pending.clear()
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, name, **more)

    monkeypatch.setattr(spool.os, "link", link)
    monkeypatch.setattr(image_module, "_CHUNK_BYTES", 65_536)
    sock, _ = site.connect(REQUEST, image(1, pixels=bytes(range(250)) * 2000), image(2), RELEASE_RQ)
    assert answers(sock) == [0, 0]
    filed = dcmread(site.root / "data" / SERIES / "00001-1.2.3.1.dcm")
    assert filed.PixelData == bytes(range(250)) * 2000
    assert site.files("tmp") == {}


def test_a_link_in_place_of_a_directory_is_not_followed(site, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (site.root / "data" / "P1-Doe.Jane").symlink_to(outside)
    sock, _ = site.connect(REQUEST, image(1), RELEASE_RQ)
    assert answers(sock) == [0x0110]
    assert list(outside.iterdir()) == []
    assert site.files("tmp") == {}


def test_hostile_values_stay_below_the_data_directory(site, tmp_path):
    before = set(tmp_path.rglob("*"))
    hostile = data_set("1.2.3.1", patient=b"../../../../etc^\0/..\n", series="..")
    sock, _ = site.connect(REQUEST, store(3, CT, "1.2.3.1", hostile), RELEASE_RQ)
    assert answers(sock) == [0]
    made = set(tmp_path.rglob("*")) - before
    assert made
    assert all(path.is_relative_to(tmp_path / "data") or path.is_relative_to(tmp_path / "log") for path in made)
    assert all(".." not in path.parts for path in made)


def test_a_silent_peer_is_timed_out_and_aborted(site):
    sock, connection = site.connect(REQUEST, p_data(pdv(3, 3, store_command(CT, "1.2.3.1"))), None)
    assert sock.sent.endswith(bytes.fromhex("07000000000400000000"))
    assert connection.tally.outcome == "aborted: idle for too long"
    assert site.files("tmp") == {}


def test_a_peer_that_never_asks_is_closed(site):
    sock, connection = site.connect(None)
    assert sock.sent == b""
    assert connection.tally.outcome == "no A-ASSOCIATE-RQ in time"


def test_a_peer_that_trickles_is_closed_at_the_total(tmp_path):
    site = Site(tmp_path, association_timeout_seconds=0)
    sock, connection = site.connect(REQUEST, b"\x04")
    assert connection.tally.outcome.startswith("aborted: open for too long")
    assert sock.sent.endswith(bytes.fromhex("07000000000400000000"))
    site.close()


def test_each_receive_asks_for_acknowledgements_at_once(site):
    sock, _ = site.connect(REQUEST, image(1), RELEASE_RQ)
    assert [option for option in sock.options if option[1] == 12].count((6, 12, 1)) >= 3
    assert (6, 1, 1) in sock.options
