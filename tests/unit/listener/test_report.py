"""A worker's report as it writes it, and as pfdcm reads it."""

import logging
import os
import time

import pytest

from listener.report import REPORT_BYTES, Report, encode_report
from pfdcmd.wire import workerreport
from pfdcmd.wire.workerreport import decode_report


@pytest.fixture
def report(tmp_path):
    made = Report(str(tmp_path / "a-104-0.report"))
    made.path = tmp_path / "a-104-0.report"
    yield made
    made.close()


def write(report, **changes):
    report.write(**{"open_associations": 1, "images": 5, "size_bytes": 700, "is_draining": False, **changes})
    return decode_report(report.path.read_bytes())


def test_what_is_written_is_read(report):
    report.numbers.associations = 3
    report.count_refused("cps")
    report.count_refused("images", 2)
    report.count_ended(10, 1000)
    logging.getLogger("listener.server").error("the disk is full")
    read = write(report, is_draining=True)
    assert (read.pid, read.is_draining, read.associations_open, read.associations_total) == (os.getpid(), True, 1, 3)
    assert (read.images, read.size_bytes) == (15, 1700)
    assert read.refused == {"cps": 1, "images": 2}
    assert read.last_error == "the disk is full"
    assert abs(time.monotonic() - read.heartbeat) < 60
    assert workerreport.REPORT_BYTES == REPORT_BYTES == report.path.stat().st_size


def test_the_next_worker_of_the_place_goes_on_counting(report):
    report.numbers.associations = 3
    report.count_ended(10, 1000)
    report.count_refused("cps")
    write(report)
    successor = Report(str(report.path))
    assert (successor.numbers.associations, successor.numbers.images) == (3, 15)
    assert successor.numbers.refused == {"cps": 1}
    successor.close()


@pytest.mark.parametrize(
    "damage", [lambda d: d[:50], lambda d: b"", lambda d: d.replace(b"1", b"2", 3), lambda d: b"\0" * 99]
)
def test_half_a_report_is_none(report, damage):
    write(report)
    data = damage(report.path.read_bytes())
    assert decode_report(data) is None
    report.path.write_bytes(data)
    assert Report(str(report.path)).numbers.images == 0


@pytest.mark.parametrize("values", [[], {}, {"pid": "x"}, {"pid": 1, "heartbeat": None}])
def test_a_report_of_something_else_is_none(values):
    assert decode_report(encode_report(values)) is None


def test_a_worker_that_nobody_asks_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Report("").write(open_associations=0, images=0, size_bytes=0, is_draining=False)
    assert list(tmp_path.iterdir()) == []
