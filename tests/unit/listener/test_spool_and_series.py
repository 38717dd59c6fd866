"""The spool and the open series: several workers at once, and what a killed one leaves."""

import errno
import fcntl
import json
import os

import pytest
from scripted import Site, run_all

from listener import spool as spool_module
from listener.elements import Elements
from listener.naming import place
from listener.serieslock import close_abandoned
from listener.spool import Spool, spool_directory


def elements(series="1.2.3", number="1"):
    return Elements(
        "1", f"{series}.{number}", "20200102", "20200102", "Head", "Axial", "Doe", "P1", "1.2", series, number
    )


def names(site, directory="data"):
    return sorted(name.rsplit("/", 1)[-1] for name in site.files(directory))


def test_the_last_of_all_workers_closes_a_series(site, other):
    first, second = site.series(), other.series()
    first.get(place(elements()), elements())
    second.get(place(elements()), elements())
    assert "receiving.series" in names(site)
    first.release_all()
    assert "receiving.series" in names(site)
    second.release_all()
    assert names(site) == ["patient.info", "series.info", "study.info"]
    assert site.files("tmp") == {}


def test_a_finished_series_is_open_again_when_more_comes(site, other):
    for worker in (site, other):
        held = worker.series()
        held.get(place(elements()), elements())
        assert names(site) == ["patient.info", "receiving.series", "study.info"]
        held.release_all()
        assert names(site) == ["patient.info", "series.info", "study.info"]


def test_many_at_once_leave_one_series_info(site, other):
    def open_and_close(worker):
        for _ in range(20):
            held = worker.series()
            held.get(place(elements()), elements())
            held.release_all()

    run_all(*[lambda worker=worker: open_and_close(worker) for worker in (site, other) for _ in range(4)])
    assert names(site) == ["patient.info", "series.info", "study.info"]
    assert site.files("tmp") == {}


def test_one_association_keeps_a_bounded_number_open(tmp_path):
    site = Site(tmp_path, max_open_series=3)
    held = site.series()
    for number in range(10):
        one = elements(f"1.2.{number}")
        held.get(place(one), one)
    assert names(site).count("receiving.series") == 3
    assert names(site).count("series.info") == 7
    held.release_all()
    assert names(site).count("series.info") == 10
    site.close()


def abandon(site):
    """Hold a series and a half-written file as a worker does, then lose the locks as its death does."""
    held = site.series()
    held.get(place(elements()), elements())
    site.spool._can_do_without_names = False
    temp = site.spool.open_temp()
    os.write(temp.fd, b"half an image")
    for series in held._held.values():
        fcntl.flock(series.lock._fd, fcntl.LOCK_UN)
    fcntl.flock(temp.fd, fcntl.LOCK_UN)
    return held, temp


def test_what_a_killed_worker_left_is_closed_and_removed(site, other):
    _, temp = abandon(site)
    closed = []
    (leftover,) = other.spool.remove_leftovers()
    close_abandoned(other.archive, closed.append)
    assert (leftover.name, leftover.size_bytes, leftover.was_filed) == (temp.name, 13, False)
    assert len(closed) == 1
    assert names(site) == ["patient.info", "series.info", "study.info"]
    assert site.files("tmp") == {}
    os.close(temp.fd)


def test_what_a_living_worker_holds_is_left_alone(site, other):
    held = site.series()
    held.get(place(elements()), elements())
    temp = site.spool.open_temp()
    assert list(other.spool.remove_leftovers()) == []
    close_abandoned(other.archive, lambda name: pytest.fail("closed under its holder"))
    assert "receiving.series" in names(site)
    site.spool.discard(temp)
    held.release_all()


def test_lock_files_of_another_service_or_of_nobody_lead_nowhere(site, tmp_path):
    for number, text in enumerate((f"{tmp_path}/elsewhere\na/b/c\n", f"{tmp_path}/data\n../../x\n", "", "\0\xff")):
        (tmp_path / "tmp" / f".series-{number}").write_text(text)
    close_abandoned(site.archive, lambda name: pytest.fail("closed what is not ours"))
    # The empty one is from a worker that died before it did anything.
    assert sorted(names(site, "tmp")) == [".series-0", ".series-1", ".series-3"]


def test_map_files_are_whole_at_every_moment(site, tmp_path):
    path = tmp_path / "log" / "series_map" / "1.2.3.json"
    done = []

    def write():
        for number in range(60):
            one = Elements("1", "1", "2020", "2020", "Head", f"Axial{number}", "Doe", "P1", "1.2", "1.2.3", "1")
            held = site.series()
            held.get(place(one), one)
            held.release_all()
        done.append(True)

    def read():
        while not done:
            if path.exists():
                assert list(json.loads(path.read_text())) == ["1.2.3"]

    run_all(write, read)
    assert "Axial59" in path.read_text()


@pytest.mark.parametrize(("can_link", "can_do_without_names"), [(True, True), (True, False), (False, False)])
def test_a_final_name_is_given_once(site, tmp_path, can_link, can_do_without_names):
    site.spool._can_link, site.spool._can_do_without_names = can_link, can_do_without_names
    directory_fd = os.open(tmp_path / "data", os.O_RDONLY)
    outcomes = []

    def name():
        temp = site.spool.open_temp()
        try:
            site.spool.place(temp, directory_fd, "image.dcm")
            outcomes.append(True)
        except FileExistsError:
            outcomes.append(False)
        finally:
            site.spool.discard(temp)

    run_all(*[name] * 8)
    assert sorted(outcomes) == [False] * 7 + [True]
    assert set(site.files("tmp")) <= {".naming.lock"}
    os.close(directory_fd)


def test_a_file_on_its_way_has_no_name_where_that_can_be(site):
    temp = site.spool.open_temp()
    assert temp.name is None
    assert site.files("tmp") == {}
    site.spool.discard(temp)


def test_a_file_system_without_unnamed_files_is_found_out(tmp_path, monkeypatch):
    real = os.open

    def refuse(path, flags, *args, **kwargs):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(spool_module.os, "open", refuse)
    made = Spool(str(tmp_path))
    temp = made.open_temp()
    assert temp.name is not None
    made.discard(temp)
    assert list(tmp_path.iterdir()) == []
    made.close()


def test_a_file_system_without_links_is_found_out(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(spool_module.os, "link", refuse)
    made = Spool(str(tmp_path))
    assert not made._can_link
    assert list(tmp_path.iterdir()) == []
    made.close()


def test_the_spool_is_on_the_data_directorys_file_system(tmp_path):
    data, tmp = str(tmp_path / "data"), str(tmp_path / "tmp")
    assert spool_directory(tmp, data) == tmp
    assert list((tmp_path / "tmp").iterdir()) == []
    assert spool_directory("/dev/shm", data) == f"{data}/.spool"
    (tmp_path / "file").write_text("in the way")
    assert spool_directory(str(tmp_path / "file"), data) == f"{data}/.spool"


def test_every_byte_is_written_however_little_one_call_takes(tmp_path, monkeypatch):
    real = os.writev

    def stingy(fd, views):
        return real(fd, [memoryview(views[0])[:3]])

    monkeypatch.setattr(spool_module.os, "writev", stingy)
    with (tmp_path / "out").open("wb") as stream:
        spool_module.write_all(stream.fileno(), [b"", b"abcdefgh", memoryview(b"ij"), b"k"])
    assert (tmp_path / "out").read_bytes() == b"abcdefghijk"
